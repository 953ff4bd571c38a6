"""A mask as runs of pixels along its rows: areas of any extent are joined, measured and chosen without the raster.

Run-length labelling (He, Chao and Suzuki 2008), in whole-array form: the runs of two neighbouring rows that
touch are linked, and the linked groups are the connected areas. A raster is read once, in strips of any
height; the runs, and all that follows from them, are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.chains import label_groups
from roadlift.network.polylines import Polylines, ragged_positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs in reading order; no two of them touch within a row.

    Attributes:
        shape: (rows, cols) of the mask.
        row, start, stop: (runs,) int64, the pixels ``start`` to ``stop - 1`` of that row are set.

    Example:
        >>> runs = Runs.of(np.array([[1, 1, 0, 1], [0, 0, 0, 1]], bool))
        >>> runs.row.tolist(), runs.start.tolist(), runs.stop.tolist()
        ([0, 0, 1], [0, 3, 3], [2, 4, 4])
    """

    shape: tuple[int, int]
    row: Integers
    start: Integers
    stop: Integers

    @classmethod
    def of(cls, mask: Booleans) -> Runs:
        """Find the runs of a mask (rows, cols)."""
        rows, cols = mask.shape
        framed = np.zeros((rows, cols + 2), dtype=bool)
        framed[:, 1:-1] = mask
        flat = framed.ravel()
        change = np.flatnonzero(flat[1:] != flat[:-1])
        row, start = np.divmod(change[0::2], cols + 2)
        return cls((rows, cols), row, start, change[1::2] - row * (cols + 2))

    @classmethod
    def nothing(cls, shape: tuple[int, int]) -> Runs:
        """Make the runs of a mask (rows, cols) of which no pixel is set."""
        empty = np.empty(0, dtype=np.int64)
        return cls((shape[0], shape[1]), empty, empty, empty)

    @classmethod
    def stacked(cls, parts: Sequence[Runs], width: int) -> Runs:
        """Put masks of the same ``width`` one below the other."""
        tops = np.cumsum([0, *(part.shape[0] for part in parts)])
        empty = np.empty(0, dtype=np.int64)
        return cls(
            (int(tops[-1]), width),
            np.concatenate([empty, *(part.row + top for part, top in zip(parts, tops, strict=False))]),
            np.concatenate([empty, *(part.start for part in parts)]),
            np.concatenate([empty, *(part.stop for part in parts)]),
        )

    def __len__(self) -> int:
        return len(self.row)

    @cached_property
    def lengths(self) -> Integers:
        """Pixels of each run, (runs,)."""
        return self.stop - self.start

    def take(self, chosen: Booleans) -> Runs:
        """Return some of the runs, (runs,) bool."""
        return Runs(self.shape, self.row[chosen], self.start[chosen], self.stop[chosen])

    def to_mask(self, top: int, bottom: int) -> Booleans:
        """Draw the rows from ``top`` to ``bottom - 1``, (bottom - top, cols) bool."""
        first, last = np.searchsorted(self.row, [top, bottom])
        shift = (self.row[first:last] - top) * self.shape[1]
        changes = np.stack([self.start[first:last] + shift, self.stop[first:last] + shift], axis=1).ravel()
        sizes = np.diff(changes, prepend=0, append=(bottom - top) * self.shape[1])
        flat = np.repeat(np.arange(len(sizes)) % 2 == 1, sizes)
        return flat.reshape(bottom - top, self.shape[1])

    def complement(self) -> Runs:
        """Return the runs of all other pixels."""
        rows, cols = self.shape
        all_rows = np.arange(rows)
        begins = np.searchsorted(self.row, all_rows)
        start = np.insert(self.stop, begins, 0)
        stop = np.insert(self.start, np.searchsorted(self.row, all_rows, side="right"), cols)
        row = np.insert(self.row, begins, all_rows)
        return Runs(self.shape, row, start, stop).take(stop > start)

    def union(self, other: Runs) -> Runs:
        """Return the pixels of both; the two have none in common."""
        row, start, stop = (
            np.concatenate([getattr(self, name), getattr(other, name)]) for name in ("row", "start", "stop")
        )
        order = np.lexsort((start, row))
        row, start, stop = row[order], start[order], stop[order]
        follows = np.append(False, (row[1:] == row[:-1]) & (start[1:] == stop[:-1]))[: len(row)]
        return Runs(self.shape, row[~follows], start[~follows], stop[np.append(~follows, True)[1:]])

    def areas(self, *, diagonal: bool) -> Areas:
        """Join runs into connected areas: 8-connected with ``diagonal``, else 4-connected."""
        width = self.shape[1] + 2  # a run that ends at the right border does not meet the next row's first
        below = (self.row + 1) * width
        begin = np.searchsorted(
            self.row * width + self.stop, below + self.start, side="left" if diagonal else "right"
        )
        end = np.searchsorted(
            self.row * width + self.start, below + self.stop, side="right" if diagonal else "left"
        )
        count = np.maximum(end - begin, 0)
        upper = np.repeat(np.arange(len(self)), count)
        return Areas(self, label_groups(len(self), upper, ragged_positions(begin, count)))


@dataclass(frozen=True, eq=False)
class Areas:
    """Connected areas of a mask.

    Attributes:
        runs: the mask.
        label: (runs,) int64, the area that each run belongs to, from 0.
    """

    runs: Runs
    label: Integers

    @cached_property
    def count(self) -> int:
        """Number of areas."""
        return int(self.label.max(initial=-1)) + 1

    @cached_property
    def pixels(self) -> Integers:
        """Size of each area, (areas,) int64."""
        return np.bincount(self.label, weights=self.runs.lengths, minlength=self.count).astype(np.int64)

    @cached_property
    def at_border(self) -> Booleans:
        """Areas that touch the border of the raster, (areas,) bool."""
        runs = self.runs
        outer = (runs.row == 0) | (runs.row == runs.shape[0] - 1)
        outer |= (runs.start == 0) | (runs.stop == runs.shape[1])
        return self.with_any(outer)

    def with_any(self, chosen: Booleans) -> Booleans:
        """Areas with at least one of the chosen runs (runs,) bool, (areas,) bool."""
        found = np.zeros(self.count, dtype=bool)
        found[self.label[chosen]] = True
        return found

    def axes(self, chosen: Booleans) -> Polylines:
        """Draw the long axis of each chosen area, (areas,) bool, as one line of two vertices.

        The line has the place, the direction and the length of the bar with the same second moments.

        Example:
            >>> areas = Runs.of(np.ones((1, 5), bool)).areas(diagonal=True)
            >>> areas.axes(np.array([True]))[0][:, 1].round(2).tolist()
            [-0.45, 4.45]
        """
        number = np.cumsum(chosen) - 1
        runs = self.runs.take(chosen[self.label])
        label, total = number[self.label[chosen[self.label]]], int(chosen.sum())
        pixels = np.bincount(label, weights=runs.lengths, minlength=total)
        middle = (runs.start + runs.stop - 1) / 2

        def mean(value: Floats) -> Floats:
            return np.bincount(label, weights=value * runs.lengths, minlength=total) / pixels

        row, col = mean(runs.row.astype(np.float64)), mean(middle)
        down, across = runs.row - row[label], middle - col[label]
        along_run = (runs.lengths.astype(np.float64) ** 2 - 1) / 12  # variance of a run about its middle
        row2, col2, both = mean(down**2), mean(across**2 + along_run), mean(down * across)
        angle = 0.5 * np.arctan2(2 * both, row2 - col2)
        spread = np.hypot(row2 - col2, 2 * both)
        half = np.sqrt(3 * np.maximum((row2 + col2 + spread) / 2, 1 / 12))
        axis = np.stack([np.cos(angle), np.sin(angle)], axis=1) * half[:, None]
        centre = np.stack([row, col], axis=1)
        ends = np.stack([centre - axis, centre + axis], axis=1).reshape(-1, 2)
        return Polylines(ends, 2 * np.arange(total + 1, dtype=np.int64))
