"""APLS, how well ways through the true and the predicted network agree, in the two variants in use: two metrics, not one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from roadlift.errors import LimitError, UsageError
from roadlift.evaluate.buffers import NAN
from roadlift.evaluate.graph import joint_bounds
from roadlift.evaluate.hops import HOP_M, Hops
from roadlift.evaluate.places import Places, locate, ways_between

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.evaluate.graph import Bounds, RoadGraph

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

MAX_NODES = 12_000
_MIDPOINT_SNAP_M = 5.0
_BLOCK = 64


@dataclass(frozen=True)
class Apls:
    """Average path length similarity, 0 (nothing agrees) to 1.

    Attributes:
        value: Both directions together: in ``spacenet`` their harmonic mean, in ``sat2graph`` their arithmetic mean.
        truth_onto_prediction: Ways of the truth looked up in the prediction: falls with what is missing.
        prediction_onto_truth: Ways of the prediction looked up in the truth: falls with what is wrong.
        truth_points: Control points of the truth.
        predicted_points: Control points of the prediction.
        variant: ``spacenet`` or ``sat2graph``; values of different variants must not be compared.
        reason: Why a value is not a number, or why it is 0 without any way to compare; else empty.
    """

    value: float
    truth_onto_prediction: float
    prediction_onto_truth: float
    truth_points: int
    predicted_points: int
    variant: str
    reason: str = ""


def apls_spacenet(
    truth: RoadGraph,
    predicted: RoadGraph,
    *,
    interval_m: float = 50.0,
    min_curvature: float = -1.0,
    snap_m: float = 4.0,
    min_way_m: float = 0.001,
    one_point_per_place: bool = True,
) -> Apls:
    """Compute APLS as the SpaceNet road challenges did.

    Control points are all nodes and points about every ``interval_m`` along the edges. Those of one graph are snapped
    onto the nearest edge of the other; the cost of a way of length L is ``min(1, |L - L'| / L)``, 1 where it is
    missing. Differs from the reference on purpose only where that does not look at all edges (it searches the edges
    at the 20 nearest nodes of graphs above 1000 nodes): here the nearest edge is the nearest one.

    The reference is defined where a side has no roads: all values are 0, even if neither has any.

    Args:
        truth: The true roads. Nodes of degree two count as control points; see `RoadGraph.simplified`.
        predicted: The predicted roads, in the same coordinates.
        interval_m: Distance of control points along an edge, metres; edges under three quarters of it get none.
        min_curvature: Edges get control points only if their length and the diagonal of their bounds differ by this
            share of the length; below 0: all do, as in the challenges (the library's own default is 0.012).
        snap_m: Farthest that a control point is snapped, metres.
        min_way_m: Shorter ways are not compared, metres.
        one_point_per_place: Where several control points snap to the same place only the last is found, as in the
            challenges (``allow_renaming``); False: all are.

    Raises:
        LimitError: A graph has more than 12 000 nodes.
        UsageError: The interval is not above 0.

    Source: A. Van Etten, D. Lindenbaum, T. Bacastow, SpaceNet: a remote sensing dataset and challenge series, 2018;
    checked against the values of CosmiQ's ``apls``.

    Example:
        >>> from roadlift.evaluate import RoadGraph
        >>> road, half = (RoadGraph.from_lines([[(0, 0), (end, 0)]]) for end in (100, 50))
        >>> round(apls_spacenet(road, half).value, 3)
        0.5
    """
    if interval_m <= 0:
        raise UsageError(f"interval_m is {interval_m}; it must be above 0.")
    for graph in (truth, predicted):
        _check_size(len(graph.points))
    graphs = (truth, predicted)
    own = [_control_points(graph, interval_m, min_curvature) for graph in graphs]
    if not len(own[0][0]) or not len(own[1][0]):
        return Apls(
            0.0,
            0.0,
            0.0,
            len(own[0][0]),
            len(own[1][0]),
            "spacenet",
            "the truth or the prediction has no roads",
        )
    matrices = [graph.node_distances() for graph in graphs]
    scores = []
    for here, there in ((0, 1), (1, 0)):
        coordinates, places = own[here]
        snapped = locate(graphs[there], coordinates, within_m=snap_m)
        if one_point_per_place:
            snapped = snapped.without(~_last_of_each(snapped))
        scores.append(_similarity(matrices[here], places, matrices[there], snapped, min_way_m))
    forth, back = scores
    value = 2 * forth * back / (forth + back) if forth > 0 and back > 0 else 0.0
    reason = (
        ""
        if value or max(forth, back)
        else "no way of one side agrees with the other, or none is long enough"
    )
    return Apls(value, forth, back, len(own[0][0]), len(own[1][0]), "spacenet", reason)


def apls_sat2graph(
    truth: RoadGraph,
    predicted: RoadGraph,
    *,
    bounds: Bounds | None = None,
    interval_m: float = 50.0,
    min_way_m: float = 100.0,
    margin_m: float = 100.0,
    cover_hops: int = 4,
) -> Apls:
    """Compute APLS as Sat2Graph's program does, which RNGDet and SAM-Road use too: not the same metric.

    Both graphs are cut into hops of 2 m. Control points are the nodes of degree other than two, and points about every
    ``interval_m``, that are farther than ``margin_m`` from the border; they are snapped one to one to *nodes* within 10 m.
    Every pair with an unmatched point costs 1; else ways longer than ``min_way_m`` cost ``min(1, |L - L'| / L)``.

    Differs from the reference on purpose: its control points are thinned along the *other* graph with this
    graph's node numbers, here along the own one; it goes through points in random order (values differ by 1e-4 from run to
    run), here the order is that of the graph; without control points in the prediction it gives NaN, which scripts then
    leave out, so that an empty prediction costs nothing: here the value is 0. Without control points in the
    truth (a ring, or all in the margin) it is NaN with a reason.

    Args:
        truth: The true roads.
        predicted: The predicted roads, in the same coordinates.
        bounds: West, south, east, north of the tile, metres; None: of the roads of both.
        interval_m: Distance of control points along a road, metres (SpaceNet tiles: 30; SAM-Road: 20).
        min_way_m: Ways up to this long are not compared, metres (SpaceNet tiles: 30).
        margin_m: Width of the border without control points, metres (SpaceNet tiles: 30).
        cover_hops: Matched nodes are more than so many hops apart (SpaceNet tiles: 3).

    Raises:
        LimitError: A graph has more than 12 000 junctions and ends.
        UsageError: The interval is not above 0.

    Source: S. He et al., Sat2Graph: road graph extraction through graph-tensor encoding, ECCV 2020; checked against the
    values of its program.

    Example:
        >>> from roadlift.evaluate import RoadGraph
        >>> road, half = (RoadGraph.from_lines([[(500, 500), (500, end)]]) for end in (900, 700))
        >>> round(apls_sat2graph(road, half, bounds=(0, 0, 2048, 2048)).value, 3)
        0.537
    """
    if interval_m <= 0:
        raise UsageError(f"interval_m is {interval_m}; it must be above 0.")
    hops = [Hops.of(graph) for graph in (truth, predicted)]
    for side in hops:
        _check_size(len({chain[end] for chain in side.chains for end in (0, -1)}))
    bounds = bounds or joint_bounds(truth, predicted)
    points = [
        side.control_points(bounds, interval_hops=interval_m / HOP_M, margin_m=margin_m) for side in hops
    ]
    forth, back = (
        _sat2graph_similarity(hops[here], points[here], hops[there], min_way_m, cover_hops)
        for here, there in ((0, 1), (1, 0))
    )
    value, reason = (forth + back) / 2, ""
    if not len(points[0]) or np.isnan(forth):
        value, reason = NAN, "no control points in the truth, or no way between them is long enough"
    elif not len(points[1]) or np.isnan(back):
        value = 0.0 if not len(points[1]) else NAN
        reason = "no control points in the prediction, or no way between them is long enough"
    return Apls(value, forth, back, len(points[0]), len(points[1]), "sat2graph", reason)


def _sat2graph_similarity(
    own: Hops, points: Integers, other: Hops, min_way_m: float, cover_hops: int
) -> float:
    """Return 1 less the mean cost of all pairs of control points; NaN if none counts."""
    matches = other.match(own.points[points], cover_hops=cover_hops)
    places, found = own.places(points), other.places(matches)
    cost, pairs = 0.0, 0
    for begin in range(0, len(points), _BLOCK):
        rows = np.arange(begin, min(begin + _BLOCK, len(points)))
        length = ways_between(own.distances, places.take(rows), places)
        length_found = ways_between(other.distances, found.take(rows), found)
        later = rows[:, None] < np.arange(len(points))
        missing = later & ((matches[rows] < 0)[:, None] | (matches < 0))
        compared = later & ~missing & np.isfinite(length) & (length > min_way_m)
        lengths, lengths_found = length[compared], length_found[compared]
        change = np.abs(lengths - np.where(np.isfinite(lengths_found), lengths_found, 0.0)) / lengths
        cost += float(np.minimum(change, 1.0).sum()) + int(missing.sum())
        pairs += lengths.size + int(missing.sum())
    return 1.0 - cost / pairs if pairs else NAN


def _check_size(nodes: int) -> None:
    if nodes > MAX_NODES:
        raise LimitError(
            f"a graph has {nodes} nodes; APLS takes at most {MAX_NODES} (all ways are compared). Score it in tiles."
        )


def _control_points(graph: RoadGraph, interval_m: float, min_curvature: float) -> tuple[Floats, Places]:
    """Return the coordinates of the control points and where they are: nodes, then points along edges."""
    edges, along = [], []
    bounds = shapely.bounds(graph.lines).reshape(-1, 4)
    diagonals = np.hypot(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
    for edge, (length, diagonal) in enumerate(zip(graph.lengths.tolist(), diagonals.tolist(), strict=True)):
        if length >= 0.75 * interval_m and abs(diagonal - length) / length >= min_curvature:
            steps = _steps_along(length, interval_m)
            edges += [edge] * len(steps)
            along += steps
    points = shapely.line_interpolate_point(graph.lines[np.array(edges, np.int64)], np.array(along))
    between = shapely.get_coordinates(points)
    places = locate(graph, between, within_m=_MIDPOINT_SNAP_M)
    places = Places.at_nodes(np.arange(len(graph.points))).joined(places)
    coordinates = np.concatenate([graph.points, between])
    numbers = places.identities()
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    last = np.zeros(first.size, np.int64)
    last[inverse.ravel()] = np.arange(numbers.size)
    order = np.argsort(first)
    return coordinates[last[order]], places.take(first[order])


def _steps_along(length: float, interval_m: float) -> list[float]:
    if length <= interval_m:
        return [0.5 * length]
    count = len(np.arange(0, length, interval_m)) + 1
    steps: list[float] = np.linspace(0, length, count)[1:-1].tolist()
    return steps


def _last_of_each(places: Places) -> Booleans:
    """Which places are not taken again by a later one."""
    numbers = places.identities()
    last = np.zeros(numbers.size, bool)
    last[numbers.size - 1 - np.unique(numbers[::-1], return_index=True)[1]] = True
    return last & places.present


def _similarity(own: Floats, places: Places, other: Floats, snapped: Places, min_way_m: float) -> float:
    """Return 1 less the mean cost of all ways between control points; 0 if there is none."""
    cost, ways = 0.0, 0
    for begin in range(0, len(places), _BLOCK):
        rows = np.arange(begin, min(begin + _BLOCK, len(places)))
        length = ways_between(own, places.take(rows), places)
        found = ways_between(other, snapped.take(rows), snapped)
        reachable = np.isfinite(length)
        missing = ~snapped.present[rows]
        counted = reachable & (length >= min_way_m)
        counted[missing] = reachable[missing]
        counted[np.flatnonzero(missing), rows[missing]] = False
        lengths, lengths_found = length[counted], found[counted]
        change = np.abs(lengths - lengths_found)
        costs = np.ones(lengths.size)
        np.divide(change, lengths, out=costs, where=np.isfinite(lengths_found) & (lengths > 0))
        costs[(lengths <= 0) & np.isfinite(lengths_found)] = 0.0
        cost += float(np.minimum(costs, 1.0).sum())
        ways += lengths.size
    return 1.0 - cost / ways if ways else 0.0
