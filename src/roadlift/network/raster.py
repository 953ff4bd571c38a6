"""A probability raster of any size, read strip by strip; what is computed from it does not depend on the strips."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from roadlift.imagery.grid import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Bytes = NDArray[np.uint8]

PROBABILITY_ONE = 254
NO_DATA = 255
STRIP_PIXELS = 1 << 23
"""Pixels that are held at once: a strip is as many whole rows as fit, at least one."""


class Raster(Protocol):
    """What `vectorize` reads: uint8, 0..254 = p * 254, 255 = no data. An open file will do."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""

    def read(self, window: Window) -> Bytes:
        """Return the pixels of a window inside the raster, (window.height, window.width)."""


@dataclass(frozen=True, eq=False)
class ArrayRaster:
    """A raster that is in memory already.

    Example:
        >>> ArrayRaster(np.arange(6, dtype=np.uint8).reshape(2, 3)).read(Window(1, 0, 1, 2)).tolist()
        [[3, 4]]
    """

    values: Bytes

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.values.shape[0], self.values.shape[1]

    def read(self, window: Window) -> Bytes:
        """Return a view of the window."""
        return self.values[window.slices]


@dataclass(frozen=True, eq=False)
class Part:
    """A window of a raster as a raster of its own."""

    whole: Raster
    window: Window

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.window.shape

    def read(self, window: Window) -> Bytes:
        """Return the pixels of a window inside the part."""
        return self.whole.read(window.shift(self.window.row, self.window.col))


def as_raster(probability: Bytes | Raster) -> Raster:
    """Give an array the form of a raster; a raster stays as it is."""
    return ArrayRaster(probability) if isinstance(probability, np.ndarray) else probability


def in_memory(raster: Raster) -> ArrayRaster:
    """Read all of a raster, which several steps would else each read anew."""
    return (
        raster if isinstance(raster, ArrayRaster) else ArrayRaster(raster.read(Window(0, 0, *raster.shape)))
    )


@dataclass(frozen=True, eq=False)
class View:
    """Some whole rows of a raster, addressed by the raster's own rows and columns.

    Attributes:
        values: (rows, cols) uint8, the raster's rows from ``top`` on.
        top: the first of them.
        shape: (rows, cols) of the raster.
    """

    values: Bytes
    top: int
    shape: tuple[int, int]

    def at(self, row: Integers, col: Integers) -> Bytes:
        """Return the pixels at whole positions inside the view."""
        found: Bytes = self.values[row - self.top, col]
        return found

    @cached_property
    def whole(self) -> bool:
        """Whether there is data on every pixel."""
        return not bool((self.values == NO_DATA).any())

    def probability(self, points: Floats, *, no_data: float = np.nan) -> Floats:
        """Read probability 0..1 at (points, 2) row and column, bilinear.

        ``no_data`` beside no data; outside of the raster the nearest value of its border.

        Example:
            >>> view = View(np.array([[0, 254]], np.uint8), 0, (1, 2))
            >>> view.probability(np.array([[0.0, 0.25], [9.0, 9.0]])).tolist()
            [0.25, 1.0]
        """
        return self.probability_at(points[:, 0], points[:, 1], no_data=no_data)

    def probability_at(self, row: Floats, col: Floats, *, no_data: float = np.nan) -> Floats:
        """Do what `probability` does, at (points,) rows and columns."""
        rows, cols = self.shape
        flat, width = self.values.reshape(-1), self.values.shape[1]
        (above, down), (left, across) = _cells(row, rows), _cells(col, cols)
        here = (above - self.top) * width + left
        if (
            len(here) and above.max() < rows - 1 and left.max() < cols - 1
        ):  # there is a pixel below and beside each
            corners = [flat[shift:].take(here) for shift in (0, 1, width, width + 1)]
        else:
            below = here + width * (above < rows - 1)
            beside = left < cols - 1
            corners = [flat.take(place) for place in (here, here + beside, below, below + beside)]
        upper, lower = (_between(corners[side], corners[side + 1], across) for side in (0, 2))
        lower -= upper
        lower *= down
        lower += upper
        lower /= PROBABILITY_ONE
        value: Floats = np.minimum(lower, 1.0, out=lower)
        if not self.whole:
            value[np.maximum.reduce(corners) == NO_DATA] = no_data
        return value


def _between(one: Bytes, other: Bytes, share: Floats) -> Floats:
    """Go a share of the way from one value to the other."""
    value: Floats = np.subtract(other, one, dtype=np.float64)
    value *= share
    value += one
    return value


def _cells(places: Floats, size: int) -> tuple[Integers, Floats]:
    """Split places along an axis into the pixel before and the share of the way to the next; clipped to the raster."""
    if places.size and (places.min() < 0 or places.max() > size - 1):
        places = np.clip(places, 0, size - 1)
    before = places.astype(np.int64)
    return before, places - before


def strip_rows(width: int) -> int:
    """Rows of a strip in a raster of ``width`` columns."""
    return max(1, STRIP_PIXELS // max(width, 1))


def read_strips(raster: Raster) -> Iterator[View]:
    """Go through a raster from top to bottom, every row once."""
    rows, cols = raster.shape
    step = strip_rows(cols)
    for top in range(0, rows, step):
        yield View(raster.read(Window(top, 0, min(step, rows - top), cols)), top, (rows, cols))


def read_around(raster: Raster, row: Floats, *, reach: float) -> Iterator[tuple[Integers, View]]:
    """Go through places from top to bottom, some at a time, with the part of the raster that surrounds them.

    Args:
        raster: at least one pixel.
        row: (places,) rows; those outside of the raster count as its first or last.
        reach: pixels that are wanted around each place.

    Yields:
        Indices of some places, each place once, and a view of all rows within ``reach`` of them.
    """
    rows, cols = raster.shape
    inside = np.clip(row, 0, rows - 1)
    strip = inside.astype(np.int64) // strip_rows(cols)
    order = np.argsort(
        strip, kind="stable"
    )  # those of a line stay together, and so do the pixels that are read
    for chosen in np.split(order, np.flatnonzero(np.diff(strip[order])) + 1) if len(order) else []:
        top = max(int(inside[chosen].min() - reach) - 1, 0)
        bottom = min(int(inside[chosen].max() + reach) + 3, rows)
        yield chosen, View(raster.read(Window(top, 0, bottom - top, cols)), top, (rows, cols))
