"""Probability, mask and overlay beside the network: written window by window, each whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from roadlift import network
from roadlift.imagery import MaskWriter, ProbabilityWriter, Window, noted_products
from roadlift.pipeline.room import MASK_BYTES, PROBABILITY_BYTES
from roadlift.pipeline.work import Work
from roadlift.segment import NO_DATA

if TYPE_CHECKING:
    from roadlift.network import RoadMap

ROWS, COLUMNS = 512, 16_384
"""Of the windows that are written: whole blocks of the files."""


@dataclass(frozen=True)
class Products:
    """Where to write what, beside the network; None means not."""

    save_probability: str | Path | None = None
    save_mask: str | Path | None = None
    overlay: str | Path | None = None

    @property
    def paths(self) -> tuple[str | Path | None, ...]:
        """All of them."""
        return self.save_probability, self.save_mask, self.overlay

    @property
    def pixel_bytes(self) -> dict[str | Path, float]:
        """What the rasters take for each pixel of the image."""
        sizes = ((self.save_probability, PROBABILITY_BYTES), (self.save_mask, MASK_BYTES))
        return {path: size for path, size in sizes if path is not None}


def write_products(products: Products, work: Work, roads: RoadMap, *, overwrite: bool) -> None:
    """Write what is asked for, and replace what this work has written before it was interrupted.

    Raises:
        OutputError: A file exists or cannot be written.
    """
    ours = noted_products(work.journal.folder)
    for path, write in (
        (products.save_probability, write_probability),
        (products.save_mask, _write_mask),
        (products.overlay, partial(_draw, roads=roads)),
    ):
        if path is not None:
            write(path, work, overwrite=overwrite or Path(path).absolute() in ours)
            work.journal.note_product(path)


def _draw(path: str | Path, work: Work, *, overwrite: bool, roads: RoadMap) -> None:
    from roadlift.report.figures import overlay

    if overwrite or not Path(path).exists():
        overlay(work.image, roads, path)


def write_probability(path: str | Path, work: Work, *, overwrite: bool) -> None:
    """Write the probability of all tiles."""
    raster = work.raster
    with ProbabilityWriter(path, raster.shape, work.source.georef, overwrite=overwrite) as writer:
        for window in _windows(raster.shape):
            writer.write(window, raster.read(window))


def _write_mask(path: str | Path, work: Work, *, overwrite: bool) -> None:
    raster, options = work.raster, work.options.network(work.model.card)
    resolution = work.source.ground_resolution_m
    with MaskWriter(path, raster.shape, work.source.georef, overwrite=overwrite) as writer:
        for window, mask in network.road_masks(raster, ground_resolution_m=resolution, options=options):
            no_data = raster.read(window) == NO_DATA
            writer.write(window, np.where(no_data, NO_DATA, mask).astype(np.uint8))


def _windows(shape: tuple[int, int]) -> Iterator[Window]:
    for row in range(0, shape[0], ROWS):
        for col in range(0, shape[1], COLUMNS):
            yield Window(row, col, ROWS, COLUMNS).clip(shape)
