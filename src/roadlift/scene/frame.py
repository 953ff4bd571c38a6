"""The raster a scene is drawn on: pixel centres in local metres, soft-edged stamps, layers of texture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from roadlift.imagery.burn import burn, north_up
from roadlift.scene.noise import band_noise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roadlift.imagery.georef import Georef
    from roadlift.scene.layout import Box


@dataclass(frozen=True)
class Frame:
    """A raster in local metres (x right, y down) whose first pixel's outer corner is (left, top)."""

    shape: tuple[int, int]
    ground_resolution_m: float
    left_m: float
    top_m: float

    @cached_property
    def x(self) -> np.ndarray:
        """Pixel centres across: float32 (1, cols), metres."""
        steps = np.arange(self.shape[1], dtype=np.float32)[None, :]
        return np.asarray(
            np.float32(self.left_m) + (steps + np.float32(0.5)) * np.float32(self.ground_resolution_m)
        )

    @cached_property
    def y(self) -> np.ndarray:
        """Pixel centres down: float32 (rows, 1), metres."""
        steps = np.arange(self.shape[0], dtype=np.float32)[:, None]
        return np.asarray(
            np.float32(self.top_m) + (steps + np.float32(0.5)) * np.float32(self.ground_resolution_m)
        )

    @cached_property
    def georef(self) -> Georef:
        """Georeference from pixels to local metres."""
        return north_up(self.left_m, self.top_m, self.ground_resolution_m)

    def window(self, bounds: tuple[float, float, float, float]) -> tuple[slice, slice]:
        """Find the rows and columns that (left, top, right, bottom) may touch; empty outside the frame."""
        left, top, right, bottom = bounds
        rows, cols = self.shape
        scale = 1 / self.ground_resolution_m
        first_row, last_row = int((top - self.top_m) * scale) - 1, int((bottom - self.top_m) * scale) + 2
        first_col, last_col = int((left - self.left_m) * scale) - 1, int((right - self.left_m) * scale) + 2
        return (
            slice(min(max(first_row, 0), rows), min(max(last_row, 0), rows)),
            slice(min(max(first_col, 0), cols), min(max(last_col, 0), cols)),
        )

    def part(self, window: tuple[slice, slice]) -> Frame:
        """Return the frame of a window of this one."""
        rows, cols = window
        step = self.ground_resolution_m
        shape = (rows.stop - rows.start, cols.stop - cols.start)
        return Frame(shape, step, self.left_m + cols.start * step, self.top_m + rows.start * step)

    def cover(self, geometries: Iterable[object], *, supersample: int = 3) -> np.ndarray:
        """Measure the share of every pixel that the geometries cover: float32 (rows, cols)."""
        return burn(geometries, self.shape, self.georef, supersample=supersample)

    def number(self, geometries: Iterable[object], values: Iterable[int]) -> np.ndarray:
        """Give every pixel the value of the last geometry that holds its centre, else 0: uint16."""
        return burn(geometries, self.shape, self.georef, values=values)


@dataclass(frozen=True)
class Stamp:
    """Where a box falls on a frame: window, coordinates in the box's own axes (metres), coverage 0..1."""

    window: tuple[slice, slice]
    along: np.ndarray
    across: np.ndarray
    coverage: np.ndarray


def stamp(frame: Frame, box: Box, *, grow_m: float = 0.0) -> Stamp | None:
    """Draw a box with soft edges: coverage falls from 1 to 0 over one pixel; None outside the frame."""
    half_length, half_width = box.length_m / 2 + grow_m, box.width_m / 2 + grow_m
    reach = float(np.hypot(half_length, half_width)) + frame.ground_resolution_m
    rows, cols = frame.window((box.x - reach, box.y - reach, box.x + reach, box.y + reach))
    if rows.start >= rows.stop or cols.start >= cols.stop:
        return None
    dx, dy = frame.x[:, cols] - np.float32(box.x), frame.y[rows] - np.float32(box.y)
    cosine, sine = np.float32(np.cos(box.angle)), np.float32(np.sin(box.angle))
    along, across = dx * cosine + dy * sine, dy * cosine - dx * sine
    outside = np.maximum(np.abs(along) - np.float32(half_length), np.abs(across) - np.float32(half_width))
    coverage = np.clip(np.float32(0.5) - outside / np.float32(frame.ground_resolution_m), 0, 1)
    return Stamp((rows, cols), along, across, coverage)


@dataclass(frozen=True)
class Texture:
    """Shared layers of noise by scale, each float32 (rows, cols) with unit deviation.

    grain 0.5..2 m, fine 2..7 m, patch 7..40 m, broad 40..400 m (never finer than the pixels show).
    """

    grain: np.ndarray
    fine: np.ndarray
    patch: np.ndarray
    broad: np.ndarray

    @classmethod
    def make(cls, rng: np.random.Generator, frame: Frame) -> Texture:
        """Draw the four layers."""
        step = frame.ground_resolution_m
        bands = (
            (max(0.5, 1.6 * step), max(2.0, 3.5 * step)),
            (max(2.0, 2.5 * step), 7.0 + step),
            (7.0, 40.0),
            (40.0, 400.0),
        )
        grain, fine, patch, broad = (band_noise(rng, frame.shape, step, wavelengths_m=band) for band in bands)
        return cls(grain, fine, patch, broad)

    def mix(
        self, turn: int, *, grain: float = 0.0, fine: float = 0.0, patch: float = 0.0, broad: float = 0.0
    ) -> np.ndarray:
        """Add up the layers by weight, each shifted by what ``turn`` chooses, so that mixes differ."""
        rows, cols = self.grain.shape
        total = np.zeros((rows, cols), np.float32)
        weighted = ((self.grain, grain), (self.fine, fine), (self.patch, patch), (self.broad, broad))
        for rank, (layer, weight) in enumerate(weighted):
            if weight:
                shift = ((turn * 5 + rank) * 0.137 * rows, (turn * 3 + rank) * 0.211 * cols)
                total += np.float32(weight) * np.roll(
                    layer, (int(shift[0]) % rows, int(shift[1]) % cols), (0, 1)
                )
        return total


def blend(canvas: np.ndarray, colour: np.ndarray, coverage: np.ndarray) -> None:
    """Lay a colour over a canvas in place.

    Args:
        canvas: float32 (rows, cols, 3).
        colour: (3,) or (rows, cols, 3).
        coverage: (rows, cols), 0 leaves the canvas, 1 replaces it.
    """
    touched = np.flatnonzero(coverage)
    if not canvas.flags.c_contiguous or touched.size > 0.5 * coverage.size:
        canvas += (colour - canvas) * coverage[..., None]
        return
    flat = canvas.reshape(-1, 3)
    before = flat[touched]
    over = colour.reshape(-1, 3)[touched] if colour.ndim == 3 else colour
    flat[touched] = before + (over - before) * coverage.ravel()[touched, None]
