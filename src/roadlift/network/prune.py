"""Take away what the skeleton has and the road has not: short side branches and stray lines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.linegraph import merge_through_nodes
from roadlift.network.polylines import Polylines, ragged_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.linegraph import LineGraph

JUNCTION_EDGES = 3
AXIS_PX = 12  # stretch of a line that shows where its end is heading
SHORTEST_AXIS_PX = 4


def prune_spurs(graph: LineGraph, *, min_length: float, width_ratio: float) -> tuple[LineGraph, Polylines]:
    """Drop short side branches with a free end.

    A branch is short when its length is below ``min_length`` or below ``width_ratio`` times the width of the
    road at the junction it leaves. A junction loses its shortest branch first and is then looked at again, so
    that a road that forks at its very end keeps the longer tine and its length.

    Args:
        graph: lengths and radii in pixels.
        min_length: pixels.
        width_ratio: branch length in road widths.

    Returns:
        The graph without them, and the branches that were dropped.
    """
    dropped = []
    while True:
        spurs = _shortest_spurs(graph, min_length, width_ratio)
        if not spurs.any():
            break
        dropped.append(graph.lines.take(spurs))
        graph = merge_through_nodes(graph.only(~spurs))
    return graph, concatenate(dropped)


def _shortest_spurs(graph: LineGraph, min_length: float, width_ratio: float) -> NDArray[np.bool_]:
    """Find the shortest spur of each junction, (edges,) bool."""
    degree = graph.degree
    free = (degree == 1) & ~graph.border
    junction = degree >= JUNCTION_EDGES
    from_u, from_v = junction[graph.u] & free[graph.v], junction[graph.v] & free[graph.u]
    root = np.where(from_u, graph.u, graph.v)
    limit = np.maximum(min_length, width_ratio * 2.0 * graph.radius[root])
    candidates = np.flatnonzero((from_u | from_v) & (graph.lines.lengths < limit))
    by_length = candidates[np.lexsort((graph.lines.lengths[candidates], root[candidates]))]
    shortest = by_length[np.unique(root[by_length], return_index=True)[1]]
    spurs = np.zeros(len(graph.u), dtype=bool)
    spurs[shortest] = True
    return spurs


def drop_stray_lines(graph: LineGraph, *, min_length: float) -> tuple[LineGraph, Polylines]:
    """Drop connected parts whose lines together are shorter than ``min_length`` pixels.

    Parts that reach the border stay: they may go on outside.

    Returns:
        The graph without them, and the lines that were dropped.
    """
    part = graph.components
    length = np.bincount(part[graph.u], weights=graph.lines.lengths, minlength=int(part.max(initial=-1)) + 1)
    stays = length >= min_length
    stays[part[graph.border]] = True
    keep = stays[part[graph.u]]
    return graph.only(keep), graph.lines.take(~keep)


def concatenate(parts: list[Polylines]) -> Polylines:
    """Several sets of lines as one."""
    counts = np.concatenate([np.empty(0, dtype=np.int64), *(part.counts for part in parts)])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Polylines(np.concatenate([np.empty((0, 2)), *(part.coordinates for part in parts)]), offsets)


def straighten_ends(graph: LineGraph) -> LineGraph:
    """Let free ends run straight on over their last half width.

    There a skeleton turns into one of the two corners of the road's end. The axis is that of the stretch before.
    """
    lines = graph.lines.resampled(1.0)
    free = (graph.degree == 1) & ~graph.border
    nodes = graph.nodes.copy()
    keep = np.ones(len(lines.coordinates), dtype=bool)
    for end, outer, inwards in ((graph.u, lines.first, 1), (graph.v, lines.last, -1)):
        bent = np.ceil(graph.radius[end]).astype(np.int64)
        axis = np.minimum(AXIS_PX, lines.counts - 1 - bent)
        use = np.flatnonzero(free[end] & (axis >= SHORTEST_AXIS_PX))
        tip, bent, axis = outer[use], bent[use], axis[use]
        root = lines.coordinates[tip + inwards * bent]
        heading = root - lines.coordinates[tip + inwards * (bent + axis)]
        heading /= np.maximum(np.hypot(heading[:, 0], heading[:, 1]), 1e-9)[:, None]
        reach = np.abs(lines.along[tip] - lines.along[tip + inwards * bent])
        nodes[end[use]] = root + reach[:, None] * heading
        runs = ragged_positions(
            np.minimum(tip + inwards, tip + inwards * (bent - 1)), np.maximum(bent - 1, 0)
        )
        keep[runs] = False
    return replace(graph, lines=lines.keep(keep)).moved(nodes)
