"""Many polylines in two flat arrays, so that every step of the network works on all lines at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]


def ragged_positions(starts: Integers, sizes: Integers) -> Integers:
    """List the indices of several runs, one after another: ``sizes[i]`` of them from ``starts[i]`` on.

    Example:
        >>> ragged_positions(np.array([5, 0]), np.array([2, 3])).tolist()
        [5, 6, 0, 1, 2]
    """
    begins = np.cumsum(sizes) - sizes
    return np.repeat(starts - begins, sizes) + np.arange(int(sizes.sum()), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Polylines:
    """Lines as one array of vertices; line ``i`` owns ``coordinates[offsets[i]:offsets[i + 1]]``.

    Attributes:
        coordinates: (vertices, 2) float64, row before column (or x before y once they are on a map).
        offsets: (lines + 1,) int64, rising from 0 to the number of vertices.

    Example:
        >>> lines = Polylines.of([[(0, 0), (0, 3)], [(1, 1), (4, 5)]])
        >>> lines.lengths.tolist()
        [3.0, 5.0]
    """

    coordinates: Floats
    offsets: Integers

    @classmethod
    def of(cls, lines: Sequence[Sequence[tuple[float, float]] | Floats]) -> Polylines:
        """Build from a sequence of (vertices, 2) arrays."""
        parts = [np.asarray(line, dtype=np.float64).reshape(-1, 2) for line in lines]
        offsets = np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)
        return cls(np.concatenate([np.empty((0, 2)), *parts]), offsets)

    @classmethod
    def from_shapely(cls, geometries: Sequence[shapely.LineString] | NDArray[np.object_]) -> Polylines:
        """Build from an array of LineStrings."""
        array = np.asarray(geometries, dtype=object)
        counts = np.asarray(shapely.get_num_points(array), dtype=np.int64)
        return cls(shapely.get_coordinates(array), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))

    @classmethod
    def concatenated(cls, parts: Sequence[Polylines]) -> Polylines:
        """Put the lines of several one after another."""
        counts = np.concatenate([np.empty(0, dtype=np.int64), *(part.counts for part in parts)])
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(np.concatenate([np.empty((0, 2)), *(part.coordinates for part in parts)]), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def batches(self, length: float) -> Iterator[slice]:
        """Cut the lines into runs of neighbours that are about so long together, at least one run.

        Example:
            >>> list(Polylines.of([[(0, 0), (0, 3)], [(1, 1), (4, 5)], [(0, 0), (0, 9)]]).batches(10))
            [slice(0, 2, None), slice(2, 3, None)]
        """
        number = (np.cumsum(self.lengths) // length).astype(np.int64)
        cuts = np.flatnonzero(np.diff(number)) + 1
        yield from (slice(int(begin), int(end)) for begin, end in pairwise([0, *cuts, len(self)]))

    def __getitem__(self, index: int) -> Floats:
        return self.coordinates[self.offsets[index] : self.offsets[index + 1]]

    @cached_property
    def counts(self) -> Integers:
        """Number of vertices of each line, (lines,) int64."""
        return np.diff(self.offsets)

    @cached_property
    def owner(self) -> Integers:
        """Index of the line that each vertex belongs to, (vertices,) int64."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.counts)

    @cached_property
    def steps(self) -> Floats:
        """Distance of each vertex from the one before it on its line (0 at the first), (vertices,)."""
        moves = np.diff(self.coordinates, axis=0, prepend=self.coordinates[:1])
        moves[self.first] = 0.0
        return np.hypot(moves[:, 0], moves[:, 1])

    @cached_property
    def along(self) -> Floats:
        """Distance of each vertex from the start of its line, along the line, (vertices,)."""
        total = np.cumsum(self.steps)
        return total - np.repeat(total[self.first], self.counts)

    @cached_property
    def lengths(self) -> Floats:
        """Length of each line in the unit of its coordinates, (lines,)."""
        return self.along[self.last]

    @property
    def first(self) -> Integers:
        """Index of the first vertex of each line, (lines,)."""
        return self.offsets[:-1]

    @property
    def last(self) -> Integers:
        """Index of the last vertex of each line, (lines,)."""
        return self.offsets[1:] - 1

    @property
    def starts(self) -> Floats:
        """First vertex of each line, (lines, 2)."""
        return self.coordinates[self.first]

    @property
    def ends(self) -> Floats:
        """Last vertex of each line, (lines, 2)."""
        return self.coordinates[self.last]

    def take(self, index: Integers | Booleans, *, flip: Booleans | None = None) -> Polylines:
        """Chosen lines in the order of ``index`` (indices or a mask), those with ``flip`` turned round."""
        chosen = np.flatnonzero(index) if index.dtype == np.bool_ else index
        sizes = self.counts[chosen]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        source = ragged_positions(self.first[chosen], sizes)
        if flip is not None:
            mirrored = np.repeat(self.first[chosen] + self.last[chosen], sizes) - source
            source = np.where(np.repeat(flip, sizes), mirrored, source)
        return Polylines(self.coordinates[source], offsets)

    def keep(self, vertices: Booleans) -> Polylines:
        """Keep only the chosen vertices of each line, (vertices,) bool."""
        counts = np.bincount(self.owner[vertices], minlength=len(self))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Polylines(self.coordinates[vertices], offsets)

    def moved(self, coordinates: Floats) -> Polylines:
        """Return the same lines with other coordinates, (vertices, 2)."""
        return Polylines(coordinates, self.offsets)

    def without_repeats(self) -> Polylines:
        """Drop vertices that repeat the one before them (both ends stay)."""
        vertices = self.steps > 0
        vertices[self.first] = True
        short = np.bincount(self.owner[vertices], minlength=len(self)) < 2
        vertices[self.last[short]] = True
        return self.keep(vertices)

    def joined(self, groups: Integers) -> Polylines:
        """Consecutive lines of one group put end to end; ``groups`` (lines,) must not fall.

        The first vertex of a line that continues the one before it is the other's last, and is kept once.
        """
        continues = np.zeros(len(self), dtype=bool)
        continues[1:] = groups[1:] == groups[:-1]
        vertices = np.ones(len(self.coordinates), dtype=bool)
        vertices[self.first[continues]] = False
        kept = self.keep(vertices)
        return Polylines(kept.coordinates, kept.offsets[np.append(~continues, True)])

    def resampled(self, spacing: float) -> Polylines:
        """Vertices at equal distances of about ``spacing`` along each line; both ends stay exactly."""
        pieces = np.maximum(np.round(self.lengths / spacing), 1).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(pieces + 1)]).astype(np.int64)
        step = ragged_positions(np.zeros(len(self), dtype=np.int64), pieces + 1)
        owner = np.repeat(np.arange(len(self)), pieces + 1)
        # One rising axis for all lines: the distance along each, lines set apart by their lengths + 1.
        shift = np.cumsum(self.lengths + 1.0) - (self.lengths + 1.0)
        axis = self.along + shift[self.owner]
        wanted = step / pieces[owner] * self.lengths[owner] + shift[owner]
        row = np.interp(wanted, axis, self.coordinates[:, 0]) if len(self) else np.empty(0)
        column = np.interp(wanted, axis, self.coordinates[:, 1]) if len(self) else np.empty(0)
        result = np.stack([row, column], axis=1)
        result[offsets[:-1]], result[offsets[1:] - 1] = self.starts, self.ends
        return Polylines(result, offsets)

    def to_shapely(self) -> NDArray[np.object_]:
        """Return an array of LineStrings, (lines,)."""
        if not len(self):
            return np.empty(0, dtype=object)
        return np.asarray(shapely.linestrings(self.coordinates, indices=self.owner), dtype=object)
