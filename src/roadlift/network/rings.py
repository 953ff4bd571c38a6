"""Small rings that are round, such as mini-roundabouts and turning circles: the nodes on them stay on them.

The arcs between the roads that join such a ring are shorter than the stretch that shows an axis, and their axes
would pull the nodes out of the ring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from roadlift.network.faces import faces_of
from roadlift.network.polylines import ragged_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.linegraph import LineGraph
    from roadlift.network.polylines import Polylines

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

LARGEST = 6.0
"""Radius of a small ring, in half widths of its road."""
OUT_OF_ROUND = 0.07
"""Root mean square distance from the circle, in radii: a square is .11 off, a regular hexagon .05."""
FLOOR = 1e-6


def nodes_on_rings(graph: LineGraph, clear: Booleans) -> tuple[Integers, Floats]:
    """Find where the nodes of small round rings lie on their circle: straight out from its middle.

    Args:
        graph: lines in the middle of their roads.
        clear: (vertices,) bool, those that show where the road is; next to junctions they do not.

    Returns:
        The nodes (n,), and their places (n, 2).
    """
    edge, ring, rings = _small_rings(graph)
    centre, radius, round_ = _circles(graph.lines, clear, edge, ring, rings)
    edge, ring = edge[round_[ring]], ring[round_[ring]]
    nodes, first = np.unique(np.concatenate([graph.u[edge], graph.v[edge]]), return_index=True)
    ring = np.tile(ring, 2)[first]
    out = graph.nodes[nodes] - centre[ring]
    size = np.maximum(np.hypot(out[:, 0], out[:, 1]), 1e-9)
    return nodes, centre[ring] + out * (radius[ring] / size)[:, None]


def _small_rings(graph: LineGraph) -> tuple[Integers, Integers, int]:
    """Find the edges around small faces: pairs of edge and ring, and the number of rings."""
    half = np.maximum(graph.radius[graph.u], graph.radius[graph.v])
    short = np.flatnonzero(graph.lines.lengths <= 2 * np.pi * LARGEST * half)
    rings, edge, ring = faces_of(graph.lines.take(short))
    edge = short[edge]
    widest = np.zeros(len(rings))
    np.maximum.at(widest, ring, half[edge])
    small = shapely.length(rings) <= 2 * np.pi * LARGEST * widest
    return edge[small[ring]], ring[small[ring]], len(rings)


def _circles(
    lines: Polylines, clear: Booleans, edge: Integers, ring: Integers, rings: int
) -> tuple[Floats, Floats, Booleans]:
    """Fit a circle to each ring (Kasa 1976): centres (rings, 2), radii, and which rings are round."""
    part = lines.take(edge)
    usable = clear[ragged_positions(lines.first[edge], lines.counts[edge])]
    point, of = part.coordinates[usable], ring[part.owner[usable]]
    count = np.maximum(np.bincount(of, minlength=rings), 1)
    middle = np.stack([np.bincount(of, weights=point[:, k], minlength=rings) / count for k in (0, 1)], axis=1)
    at = point - middle[of]
    terms = np.column_stack([at, np.ones(len(at))])
    square = np.sum(at**2, axis=1)
    normal = np.tile(np.eye(3) * FLOOR, (rings, 1, 1))
    right = np.zeros((rings, 3))
    np.add.at(normal, of, terms[:, :, None] * terms[:, None, :])
    np.add.at(right, of, terms * square[:, None])
    fit = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
    centre = middle + fit[:, :2] / 2
    radius = np.sqrt(np.maximum(fit[:, 2] + np.sum(fit[:, :2] ** 2, axis=1) / 4, 0.0))
    off = np.hypot(*(point - centre[of]).T) - radius[of]
    spread = np.sqrt(np.bincount(of, weights=off**2, minlength=rings) / count)
    return centre, radius, spread < OUT_OF_ROUND * radius
