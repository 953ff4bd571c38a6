"""Join road ends across gaps where length, direction and probability speak for it; bridges say what they cost.

The cost of a bridge is the length of road on it that was not seen: the integral of (1 - probability) along the
least-cost path between the two places, times a factor for turning. A straight gap of 10 m without any evidence
costs 10 m; one of 40 m with a probability of 0.75 costs 10 m as well; a turn of 60 degrees doubles it, and so
does joining the side of a road instead of another end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely
from scipy.spatial import cKDTree
from skimage.graph import MCP_Geometric

from roadlift.imagery.grid import Window
from roadlift.network.linegraph import LineGraph, split_at
from roadlift.network.polylines import Polylines
from roadlift.network.prune import concatenate
from roadlift.network.raster import NO_DATA, PROBABILITY_ONE, Raster

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

DIRECTION_PX = 12  # stretch of a line before its end that shows where it is heading
AHEAD = 0.5  # cosine: a target more than 60 degrees off the heading is not ahead
TURN_PENALTY = 2.0  # a right angle costs 1 + this times as much as straight on
SIDE_PENALTY = 2.0  # joining the side of a road costs this much more than joining another end
TARGETS_PER_END = 4
WINDOW_MARGIN = 10  # pixels around a gap in which the least-cost path may go
IMPASSABLE = -1.0
ON_ROAD = 1.0  # a path so near to a line (pixels) meets it
LEAST_COST = 0.02  # of a pixel with probability 1: a path is never free


@dataclass(frozen=True, eq=False)
class _Gap:
    """One way to join a free end to another place."""

    node: int
    target: int  # vertex of the dense lines
    cost: float
    path: Floats  # (vertices, 2) from the node to the target


def bridge_gaps(
    graph: LineGraph, raster: Raster, *, max_length: float, max_cost: float
) -> tuple[LineGraph, Polylines, Floats]:
    """Join free ends to what lies ahead of them: another free end, or the side of a road.

    Cheapest gaps first; each end is joined once.

    Args:
        graph: lines in pixels.
        raster: probability; no data cannot be crossed.
        max_length: pixels, straight from end to target.
        max_cost: pixels of unseen road, turning included.

    Returns:
        The graph with the bridges as edges of their own, their lines, and their costs in pixels.
    """
    if max_length <= 0 or max_cost <= 0:
        return graph, Polylines.of([]), np.empty(0)
    ends = np.flatnonzero((graph.degree == 1) & ~graph.border)
    dense = graph.lines.resampled(1.0)
    gaps = sorted(_find_gaps(graph, dense, ends, raster, max_length, max_cost), key=lambda gap: gap.cost)
    target_node = _nodes_of_vertices(graph, dense)
    chosen = _choose(gaps, target_node)
    if not chosen:  # the vertices of a line must not depend on whether there is a gap elsewhere
        return replace(graph, lines=dense), Polylines.of([]), np.empty(0)
    return _insert(graph, dense, chosen), Polylines.of([gap.path for gap in chosen]), _costs(chosen)


def _choose(gaps: list[_Gap], target_node: Integers) -> list[_Gap]:
    """Take the cheapest gaps first, each end once, and none that crosses one that was taken."""
    paths = Polylines.of([gap.path for gap in gaps]).to_shapely()
    one, other = shapely.STRtree(paths).query(paths, predicate="intersects")
    meets: dict[int, set[int]] = {}
    for first, second in zip(one.tolist(), other.tolist(), strict=True):
        meets.setdefault(first, set()).add(second)
    chosen, used = set[int](), set[int]()
    for number, gap in enumerate(gaps):
        target = int(target_node[gap.target])
        if gap.node in used or target in used or chosen & meets.get(number, set()):
            continue
        used |= {gap.node, target} - {-1}
        chosen.add(number)
    return [gaps[number] for number in sorted(chosen)]


def _costs(gaps: list[_Gap]) -> Floats:
    return np.array([gap.cost for gap in gaps], dtype=np.float64)


def _headings(graph: LineGraph, dense: Polylines) -> Floats:
    """Find the direction in which the line at each node of degree 1 would go on, (nodes, 2)."""
    heading = np.zeros((len(graph.nodes), 2))
    back = np.minimum(DIRECTION_PX, dense.counts - 1)
    heading[graph.u] = dense.starts - dense.coordinates[dense.first + back]
    heading[graph.v] = dense.ends - dense.coordinates[dense.last - back]
    size = np.hypot(heading[:, 0], heading[:, 1])
    return heading / np.maximum(size, 1e-9)[:, None]


def _nodes_of_vertices(graph: LineGraph, dense: Polylines) -> Integers:
    """Node at each vertex, -1 along the lines, (vertices,)."""
    node = np.full(len(dense.coordinates), -1, dtype=np.int64)
    node[dense.first], node[dense.last] = graph.u, graph.v
    return node


def _find_gaps(
    graph: LineGraph, dense: Polylines, ends: Integers, raster: Raster, max_length: float, max_cost: float
) -> list[_Gap]:
    heading = _headings(graph, dense)
    target_node = _nodes_of_vertices(graph, dense)
    tree = cKDTree(dense.coordinates)
    near = tree.query_ball_point(graph.nodes[ends], max_length)
    own = np.zeros(len(graph.nodes), dtype=np.int64)
    own[graph.u] = own[graph.v] = np.arange(len(graph.lines))
    open_end = np.append((graph.degree == 1) & ~graph.border, False)  # the last for vertices that are no node
    gaps = []
    for node, found in zip(ends.tolist(), near, strict=True):
        targets = _targets_ahead(graph, dense, node, int(own[node]), np.array(found), heading, target_node)
        for wanted, turn in targets:
            path, unseen = _cross(graph.nodes[node], dense.coordinates[wanted], raster)
            target, path = _stop_at_road(path, wanted, int(own[node]), dense, tree)
            side = 1.0 if open_end[target_node[target]] else SIDE_PENALTY
            cost = unseen * (1 + TURN_PENALTY * turn) * side
            if cost <= max_cost:
                gaps.append(_Gap(node, target, cost, path))
    return gaps


def _targets_ahead(
    graph: LineGraph,
    dense: Polylines,
    node: int,
    own: int,
    found: Integers,
    heading: Floats,
    target_node: Integers,
) -> list[tuple[int, float]]:
    """Choose the nearest vertex ahead on each other line, free ends first; with how much one has to turn, 0..1."""
    found = found[dense.owner[found] != own]
    move = dense.coordinates[found] - graph.nodes[node]
    distance = np.hypot(move[:, 0], move[:, 1])
    ahead = (move @ heading[node]) / np.maximum(distance, 1e-9)
    turn = 1.0 - ahead
    other = target_node[found]
    free = (other >= 0) & (graph.degree == 1)[other] & ~graph.border[other]
    facing = -np.sum(move * heading[other], axis=1) / np.maximum(distance, 1e-9)
    turn[free] = np.maximum(turn[free], 1.0 - facing[free])
    usable = (ahead >= AHEAD) & (turn <= 1.0) & (distance > 0)
    found, distance, turn, free = found[usable], distance[usable], turn[usable], free[usable]
    order = np.lexsort((found, distance * (1 + TURN_PENALTY * turn), dense.owner[found], ~free))
    line = dense.owner[found[order]]
    best = order[np.sort(np.unique(line, return_index=True)[1])]
    best = best[np.argsort(distance[best], kind="stable")][:TARGETS_PER_END]
    return [(int(found[index]), float(turn[index])) for index in best]


def _cross(start: Floats, stop: Floats, raster: Raster) -> tuple[Floats, float]:
    """Find the least-cost path between two places; its vertices, and the length of unseen road on it (pixels)."""
    places = np.round([start, stop]).astype(np.int64)
    low = np.maximum(places.min(axis=0) - WINDOW_MARGIN, 0)
    high = np.minimum(places.max(axis=0) + WINDOW_MARGIN + 1, raster.shape)
    window = raster.read(Window(*low.tolist(), *(high - low).tolist()))
    unseen = np.where(window == NO_DATA, IMPASSABLE, 1.0 - window / PROBABILITY_ONE + LEAST_COST)
    search = MCP_Geometric(unseen)
    begin, end = (tuple(np.clip(place - low, 0, np.array(window.shape) - 1)) for place in places)
    costs, _ = search.find_costs([begin], [end])
    if not np.isfinite(costs[end]):
        return np.array([start, stop]), np.inf
    middle = np.array(search.traceback(end), dtype=np.float64)[1:-1] + low
    return np.concatenate([start[None], middle, stop[None]]), float(costs[end])


def _stop_at_road(path: Floats, target: int, own: int, dense: Polylines, tree: cKDTree) -> tuple[int, Floats]:
    """End a path at the first road that it comes to, which need not be the one it was looking for."""
    distance, vertex = tree.query(path[1:-1])
    hits = np.flatnonzero(
        (distance < ON_ROAD) & (dense.owner[np.minimum(vertex, len(dense.owner) - 1)] != own)
    )
    if not len(hits):
        return target, path
    met = int(vertex[hits[0]])
    return met, np.concatenate([path[: hits[0] + 1], dense.coordinates[met][None]])


def _insert(graph: LineGraph, dense: Polylines, gaps: list[_Gap]) -> LineGraph:
    """Add bridges as edges and split the roads whose sides they meet."""
    node_at = _nodes_of_vertices(graph, dense)
    splits = np.unique([gap.target for gap in gaps if node_at[gap.target] < 0]).astype(np.int64)
    node_at[splits] = len(graph.nodes) + np.arange(len(splits))
    line = dense.owner[splits]
    radius = np.maximum(graph.radius[graph.u[line]], graph.radius[graph.v[line]])
    cut = split_at(replace(graph, lines=dense), splits, radius)
    return replace(
        cut,
        u=np.append(cut.u, [gap.node for gap in gaps]).astype(np.int64),
        v=np.append(cut.v, [node_at[gap.target] for gap in gaps]).astype(np.int64),
        lines=concatenate([cut.lines, Polylines.of([gap.path for gap in gaps])]),
        bridge_cost=np.append(cut.bridge_cost, _costs(gaps)),
    )
