"""Cut lines in pieces: at chosen vertices, where they share one, and where they cross the edge of an area."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from roadlift.network.polylines import Polylines, ragged_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

SAME_PLACE_M = 1e-6
"""Nodes so near to each other are one; a road that bends less than this at a seam has no vertex there."""


def cut_at(lines: Polylines, vertices: Booleans) -> tuple[Polylines, Integers]:
    """Cut lines at chosen vertices, which become the end of one piece and the beginning of the next.

    Args:
        lines: any unit.
        vertices: (vertices,) bool; ends of lines do not count.

    Returns:
        The pieces in their order, and the line that each is of, (pieces,).

    Example:
        >>> pieces, line = cut_at(Polylines.of([[(0, 0), (1, 0), (2, 0)]]), np.array([False, True, False]))
        >>> pieces.counts.tolist(), line.tolist()
        ([2, 2], [0, 0])
    """
    inner = vertices.copy()
    inner[lines.first] = inner[lines.last] = False
    first = np.sort(np.concatenate([lines.first, np.flatnonzero(inner)]))
    last = np.sort(np.concatenate([lines.last, np.flatnonzero(inner)]))
    sizes = last - first + 1
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Polylines(lines.coordinates[ragged_positions(first, sizes)], offsets), lines.owner[first]


def shared_vertices(lines: Polylines) -> Booleans:
    """Find the vertices where lines meet: those at a place that more than one vertex lies on, (vertices,) bool.

    Example:
        >>> shared_vertices(Polylines.of([[(0, 0), (1, 0), (2, 0)], [(1, 5), (1, 0)]])).tolist()
        [False, True, False, False, True]
    """
    _, place = number_places(lines.coordinates)
    shared: Booleans = (np.bincount(place, minlength=1) > 1)[place]
    return shared


def number_places(points: Floats) -> tuple[Floats, Integers]:
    """Find the different places of points: places (n, 2), and the place of each point (points,)."""
    places, number = np.unique(points.reshape(-1, 2), axis=0, return_inverse=True)
    return places, number.reshape(-1).astype(np.int64)


def cut_to_area(
    lines: Polylines, area: shapely.Geometry, *, tolerance: Floats
) -> tuple[Polylines, Integers, Booleans]:
    """Cut lines where they cross the edge of an area, and keep the pieces inside (the edge belongs to it).

    Args:
        lines: x and y.
        area: polygon or polygons.
        tolerance: (2,) in x and y; a vertex so near to a crossing is the crossing.

    Returns:
        The pieces, the line that each is of (pieces,), and which of their ends are cuts, (pieces, 2) bool.
    """
    marked, crossing = _with_crossings(lines, area, tolerance)
    pieces, line = cut_at(marked, crossing)
    middle = _point_on_first_segments(pieces)
    shapely.prepare(area)
    inside = shapely.intersects_xy(area, middle[:, 0], middle[:, 1])
    moved = np.abs(pieces.coordinates[pieces.last] - pieces.coordinates[pieces.first]) > tolerance
    inside &= moved.any(axis=1) | (pieces.counts > 2)
    starts_line = np.append([True], line[1:] != line[:-1])[: len(line)]
    ends_line = np.append(line[1:] != line[:-1], [True])[-len(line) :] if len(line) else starts_line
    ends = np.stack([~starts_line, ~ends_line], axis=1)
    return _without_needless_cuts(pieces, line, ends, inside)


def _without_needless_cuts(
    pieces: Polylines, line: Integers, ends: Booleans, inside: Booleans
) -> tuple[Polylines, Integers, Booleans]:
    """Join neighbouring pieces of a line that are both inside: it only touched the edge between them."""
    follows = np.zeros(len(line), dtype=bool)
    follows[1:] = inside[1:] & inside[:-1] & (line[1:] == line[:-1])
    kept = pieces.take(inside).joined(np.cumsum(~follows[inside]))
    head = inside & ~follows
    tail = inside & ~np.append(follows[1:], [False])[: len(line)]
    return kept, line[head], np.stack([ends[head, 0], ends[tail, 1]], axis=1)


def _point_on_first_segments(pieces: Polylines) -> Floats:
    start = pieces.coordinates[pieces.first]
    middle: Floats = (start + pieces.coordinates[pieces.first + 1]) / 2
    return middle


def _with_crossings(
    lines: Polylines, area: shapely.Geometry, tolerance: Floats
) -> tuple[Polylines, Booleans]:
    """Add the vertices at which lines meet the edge of the area; returns which vertices those are."""
    begin = np.flatnonzero(~np.isin(np.arange(len(lines.coordinates)), lines.last))
    ends = np.stack([lines.coordinates[begin], lines.coordinates[begin + 1]], axis=1)
    edge = shapely.boundary(area)
    shapely.prepare(edge)
    segments = np.asarray(shapely.linestrings(ends) if len(ends) else [], dtype=object)
    meets = np.flatnonzero(shapely.intersects(segments, edge))
    places, owner = shapely.get_coordinates(shapely.intersection(segments[meets], edge), return_index=True)
    return _inserted(lines, begin[meets[owner]], places, tolerance)


def _inserted(
    lines: Polylines, after: Integers, places: Floats, tolerance: Floats
) -> tuple[Polylines, Booleans]:
    """Insert places behind the vertices ``after`` of their segments, in order; near a vertex they are that vertex."""
    marked = np.zeros(len(lines.coordinates), dtype=bool)
    start, end = lines.coordinates[after], lines.coordinates[after + 1]
    at_start = (np.abs(places - start) <= tolerance).all(axis=1)
    at_end = (np.abs(places - end) <= tolerance).all(axis=1) & ~at_start
    marked[after[at_start]] = marked[after[at_end] + 1] = True
    new = ~(at_start | at_end)
    after, places, start, along = after[new], places[new], start[new], (end - start)[new]
    share = ((places - start) * along).sum(axis=1) / (along**2).sum(axis=1)
    order = np.lexsort(
        (
            np.concatenate([np.full(len(marked), -1.0), share]),
            np.concatenate([np.arange(len(marked)), after]),
        )
    )
    coordinates = np.concatenate([lines.coordinates, places])[order]
    counts = lines.counts + np.bincount(lines.owner[after], minlength=len(lines))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Polylines(coordinates, offsets), np.concatenate([marked, np.ones(len(after), bool)])[order]
