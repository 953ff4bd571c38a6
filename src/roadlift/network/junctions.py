"""Make junctions look like junctions: one node where the axes of the legs cross, not an H of tiny edges.

Where two roads of width w cross at an angle, or a side road joins, a skeleton bends towards the corner inside
the last half width, and often splits one crossing into two nodes. Here nodes joined by a link shorter than
the road is wide become one, the node moves to the point that is nearest to all leg axes (least squares), and
each leg runs straight to it through the bent part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.chains import label_groups
from roadlift.network.linegraph import LineGraph
from roadlift.network.prune import JUNCTION_EDGES
from roadlift.network.rings import nodes_on_rings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

AXIS_FROM, AXIS_TO = 1.2, 5.0  # the stretch of a leg that shows its axis, in half widths from the node
AXIS_SHARE = 0.4  # of a leg's length: there it shows its axis at the latest
HEADING = 3.0  # half widths from the node to where one sees where a leg is heading
FARTHEST_APART = 2.0  # half widths: legs that part more slowly than that are looked at from here on
FEWEST_POINTS = 3
FEWEST_FOR_A_BEND = 6
LEAST_RISE = 0.5  # pixels that a leg is off its chord, from which it counts as a bend
STAY = 0.05  # weight of the old place of a node against the axes: settles legs that are all parallel


def contract_links(graph: LineGraph, *, width_ratio: float, max_length: float) -> LineGraph:
    """Make one node of junctions that are joined by a link shorter than the road is wide.

    Shortest links go first, and distances are measured again after each round, so that a row of close
    junctions does not collapse into one point.

    Args:
        graph: lengths and radii in pixels.
        width_ratio: a link is short below this many widths (mean of its two ends).
        max_length: ... and below this many pixels.
    """
    while True:
        links = _short_links(graph, width_ratio, max_length)
        if not links.any():
            return graph
        graph = contract(graph, links)


def _short_links(graph: LineGraph, width_ratio: float, max_length: float) -> Booleans:
    junction = graph.degree >= JUNCTION_EDGES
    limit = np.minimum(width_ratio * (graph.radius[graph.u] + graph.radius[graph.v]), max_length)
    links = junction[graph.u] & junction[graph.v] & (graph.lines.lengths < limit)
    return mutual_shortest(graph, links & ~graph.loops)


def mutual_shortest(graph: LineGraph, links: Booleans) -> Booleans:
    """Choose of some links those that are the shortest at both of their nodes, (edges,) bool."""
    candidates = np.flatnonzero(links)
    by_length = candidates[np.argsort(graph.lines.lengths[candidates], kind="stable")]
    rank = np.full(len(graph.u), len(graph.u), dtype=np.int64)
    rank[by_length] = np.arange(len(by_length))
    best = np.full(len(graph.nodes), len(graph.u), dtype=np.int64)
    np.minimum.at(best, graph.u[candidates], rank[candidates])
    np.minimum.at(best, graph.v[candidates], rank[candidates])
    chosen = np.zeros(len(graph.u), dtype=bool)
    chosen[candidates] = (best[graph.u[candidates]] == rank[candidates]) & (
        best[graph.v[candidates]] == rank[candidates]
    )
    return chosen


def contract(graph: LineGraph, links: Booleans) -> LineGraph:
    """Make one node of the two nodes of each link, in their middle; the links go."""
    group = label_groups(len(graph.nodes), graph.u[links], graph.v[links])
    count = np.bincount(group).astype(np.float64)
    nodes = np.stack([np.bincount(group, weights=graph.nodes[:, axis]) / count for axis in (0, 1)], axis=1)
    radius = np.zeros(len(count))
    np.maximum.at(radius, group, graph.radius)
    border = np.bincount(group, weights=graph.border) > 0
    keep = ~links
    u, v = group[graph.u[keep]], group[graph.v[keep]]
    merged = LineGraph(nodes, border, radius, u, v, graph.lines.take(keep), graph.bridge_cost[keep])
    return merged.moved(nodes)


@dataclass(frozen=True, eq=False)
class Legs:
    """The stretch of each leg that shows its axis; legs are the edges' beginnings, then their ends."""

    node: Integers
    clear: Floats  # length of the bent part next to the node
    middle: Floats
    direction: Floats
    usable: Booleans


def meet_on_axes(graph: LineGraph, meeting: Booleans) -> LineGraph:
    """Move junctions and corners to where the axes of their legs cross and straighten the legs next to them.

    Args:
        graph: lines in the middle of their roads.
        meeting: (nodes,) bool, the junctions and corners.

    The node minimises the squared distance to the lines fitted to its legs between 1.2 and 5 half widths from
    it, or from where the legs part if that is farther out. It moves by at most one half width, or by half of the way to
    where the legs part. On a small round ring it moves onto the circle (see `nodes_on_rings`).
    """
    legs = leg_axes(graph, meeting)
    lines, edges = graph.lines, len(graph.lines)
    total = lines.lengths[lines.owner]
    bent = (lines.along < legs.clear[:edges][lines.owner]) | (
        total - lines.along < legs.clear[edges:][lines.owner]
    )
    bent[lines.first] = bent[lines.last] = False
    nodes = _nearest_to_axes(graph, legs)
    on_rings, places = nodes_on_rings(graph, ~bent)
    nodes[on_rings] = places
    return replace(graph, lines=lines.keep(~bent)).moved(nodes)


def leg_axes(graph: LineGraph, meeting: Booleans) -> Legs:
    """Fit an axis to each end of a line at the nodes that are chosen, (nodes,) bool."""
    lines = graph.lines
    node = np.concatenate([graph.u, graph.v])
    junction = meeting[node]
    length = np.tile(lines.lengths, 2)
    radius = graph.radius[node]
    apart = np.where(junction, _apart_from(graph), 0.0) * radius
    clear = np.where(junction, np.minimum(np.maximum(radius, apart), length / 3), 0.0)
    begin = np.maximum(AXIS_FROM * radius, np.minimum(apart, AXIS_SHARE * length))
    stop = np.minimum(begin + (AXIS_TO - AXIS_FROM) * radius, length * 0.9)
    along = np.concatenate([lines.along, lines.lengths[lines.owner] - lines.along])
    leg = np.concatenate([lines.owner, lines.owner + len(lines)])
    point = np.tile(lines.coordinates, (2, 1))
    inside = (along >= begin[leg]) & (along <= stop[leg])
    leg, point, along = leg[inside], point[inside], along[inside]
    count = np.bincount(leg, minlength=len(node))
    safe = np.maximum(count, 1)
    middle = _mean_by(leg, point, safe)
    offset = point - middle[leg]
    row2, col2, cross = (
        np.bincount(leg, weights=product, minlength=len(node))
        for product in (offset[:, 0] ** 2, offset[:, 1] ** 2, offset[:, 0] * offset[:, 1])
    )
    angle = 0.5 * np.arctan2(2 * cross, row2 - col2)
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    curved, start, tangent = _bends(leg, point, along, count)
    middle[curved], direction[curved] = start, tangent
    return Legs(node, clear, middle, direction, junction & (count >= FEWEST_POINTS))


def _apart_from(graph: LineGraph) -> Floats:
    """Find how far out, in half widths, each leg is clear of the next one at its node, (2 * edges,).

    Two roads of one width at an angle share their area up to the cotangent of half that angle.
    """
    node = np.concatenate([graph.u, graph.v])
    away = graph.headings(HEADING * graph.radius[node])
    angle = np.arctan2(away[:, 1], away[:, 0])
    order = np.lexsort((angle, node))
    following = np.roll(order, -1)
    last = node[following] != node[order]
    following[last] = order[np.searchsorted(node[order], node[order[last]])]
    gap = np.mod(angle[following] - angle[order], 2 * np.pi)
    gap[following == order] = 2 * np.pi
    least = np.full(len(node), np.pi)
    np.minimum.at(least, order, gap)
    np.minimum.at(least, following, gap)
    apart: Floats = np.minimum(1 / np.tan(np.maximum(least, 0.1) / 2), FARTHEST_APART)
    return apart


def _bends(leg: Integers, point: Floats, along: Floats, count: Integers) -> tuple[Integers, Floats, Floats]:
    """Find the legs that bend, and where they come from: place and direction at the node of a parabola fitted to each.

    The axis of a bend is no straight line: on the ring of a roundabout it would lead outside.
    """
    legs = len(count)
    long = np.flatnonzero(count >= FEWEST_FOR_A_BEND)
    power = along[:, None] ** np.arange(5)
    sums = np.stack([np.bincount(leg, weights=power[:, k], minlength=legs) for k in range(5)], axis=1)[long]
    normal = sums[:, np.arange(3)[:, None] + np.arange(3)]
    right = np.stack(
        [
            np.stack(
                [np.bincount(leg, weights=power[:, k] * point[:, axis], minlength=legs) for axis in (0, 1)]
            )
            for k in range(3)
        ]
    )[:, :, long]
    fit = np.linalg.solve(normal, np.moveaxis(right, 2, 0))
    mean = sums[:, 1] / sums[:, 0]
    spread = 12 * (sums[:, 2] / sums[:, 0] - mean**2)  # squared length of the stretch
    rise = np.hypot(fit[:, 2, 0], fit[:, 2, 1]) * spread / 4
    curved = rise > LEAST_RISE
    tangent = fit[curved, 1]
    size = np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)
    return long[curved], fit[curved, 0], tangent / size[:, None]


def _mean_by(group: Integers, point: Floats, count: Integers) -> Floats:
    sums = [np.bincount(group, weights=point[:, axis], minlength=len(count)) for axis in (0, 1)]
    return np.stack(sums, axis=1) / count[:, None]


def _nearest_to_axes(graph: LineGraph, legs: Legs) -> Floats:
    use = legs.usable
    across = np.stack([-legs.direction[use, 1], legs.direction[use, 0]], axis=1)
    projector = across[:, :, None] * across[:, None, :]
    normal = np.tile(np.eye(2) * STAY, (len(graph.nodes), 1, 1))
    right = graph.nodes * STAY
    np.add.at(normal, legs.node[use], projector)
    np.add.at(right, legs.node[use], (projector @ legs.middle[use][:, :, None])[:, :, 0])
    target = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
    move = target - graph.nodes
    size = np.hypot(move[:, 0], move[:, 1])
    farthest = graph.radius.copy()
    np.maximum.at(farthest, legs.node, legs.clear / 2)
    shorten = np.minimum(1.0, farthest / np.maximum(size, 1e-9))
    return graph.nodes + move * shorten[:, None]
