"""Which road goes on in which at a junction, and what a short edge can learn from the road that it continues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.polylines import ragged_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.linegraph import LineGraph

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

SHOWS_HEADING_PX = 12
STRAIGHT_ON = np.cos(np.deg2rad(60))
"""Cosine of the turn up to which an edge continues another."""


def widths_of_continued_roads(graph: LineGraph, width: Floats, measured: Booleans) -> Floats:
    """Give edges that are too short to measure their width what their neighbours say about it.

    What other roads add to the profiles of an edge makes it look wider, never narrower. So the least that it looks
    is taken where a road that it touches is at least as wide. Else it has the width of the widest road that it
    continues by a turn of less than 60 degrees (handed on along a row of short edges), and where it continues none,
    of the widest that it touches. Where no road that it is joined with is measured, its width is not known.

    Args:
        graph: the edges.
        width: (edges,) any unit; of those not measured the least that they look, NaN where that is not known.
        measured: (edges,) bool, the widths that are measured.

    Returns:
        (edges,) widths, those measured unchanged; NaN where not known.

    Example:
        >>> from roadlift.network.linegraph import LineGraph
        >>> from roadlift.network.polylines import Polylines
        >>> lines = Polylines.of([[(0, 0), (0, 40)], [(0, 40), (0, 45)], [(0, 45), (0, 90)], [(0, 40), (40, 40)]])
        >>> graph = LineGraph(np.array([[0.0, 0], [0, 40], [0, 45], [0, 90], [40, 40]]), np.zeros(5, bool), np.ones(5),
        ...                   np.array([0, 1, 2, 1]), np.array([1, 2, 3, 4]), lines)
        >>> widths_of_continued_roads(graph, np.array([7.0, 25.0, 8.0, 12.0]), np.array([True, False, True, True])).tolist()
        [7.0, 8.0, 8.0, 12.0]
    """
    edge, beside, straight = _beside(graph, ~measured)
    widest = _widest(edge, beside, np.where(measured, width, np.nan), measured[beside])
    known = measured | (width <= widest)
    result = np.where(known, width, np.nan)
    for onward in (straight > STRAIGHT_ON, np.ones(len(straight), dtype=bool)):
        while True:
            widest = _widest(edge, beside, result, onward & ~known[edge] & known[beside])
            found = np.isfinite(widest)
            if not found.any():
                break
            result[found] = np.fmin(widest, width)[found]
            known |= found
    return result


def _widest(edge: Integers, beside: Integers, width: Floats, pairs: Booleans) -> Floats:
    """Find the widest of the edges that each is beside, -inf where it is beside none, (edges,)."""
    widest = np.full(len(width), -np.inf)
    np.maximum.at(widest, edge[pairs], width[beside[pairs]])
    return widest


def _beside(graph: LineGraph, edges: Booleans) -> tuple[Integers, Integers, Floats]:
    """Find the edges that each of the chosen edges touches, and the cosine of the turn from the one into the other."""
    node, owner = np.concatenate([graph.u, graph.v]), np.tile(np.arange(len(graph.u)), 2)
    heading = graph.headings(np.full(len(node), SHOWS_HEADING_PX))
    order = np.argsort(node, kind="stable")
    count = np.bincount(node, minlength=len(graph.nodes))
    begin = np.cumsum(count) - count
    ends = np.flatnonzero(edges[owner])
    other = order[ragged_positions(begin[node[ends]], count[node[ends]])]
    end = np.repeat(ends, count[node[ends]])
    different = owner[end] != owner[other]
    end, other = end[different], other[different]
    return owner[end], owner[other], -np.sum(heading[end] * heading[other], axis=1)
