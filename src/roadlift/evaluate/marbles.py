"""TOPO: holes are dropped along the true roads, marbles along the predicted ones; how many find each other."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from roadlift.errors import UsageError
from roadlift.evaluate.buffers import NAN, harmonic_mean
from roadlift.evaluate.graph import Bounds, RoadGraph, chains, joint_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_METRES = 111_111.0
_TOP, _LEFT = 41.0, -71.0
_NORM_COS = math.cos(math.radians(40))
_START_EVERY = 0.0005
_MARGIN = 0.07
_PADDING = (300 / _METRES, 500 / _METRES)
_START_TURN = 0.04
_TURN = 0.29
_TWIN_SHIFT = 0.00001
_NEAR_STARTS = 0.0003
_SAME_START = 0.0002
_SMALL_TILE = 0.01
_SAME_DISTANCE = 1e-11


@dataclass(frozen=True)
class Topo:
    """TOPO precision and recall.

    Attributes:
        precision: Mean share of marbles that find a hole, over the starts that are kept.
        recall: Mean share of holes that find a marble, times the share of all starts that are kept.
        f1: Harmonic mean of both. A set of tiles is summed up in two ways in papers: as the mean of the tiles' F1
            (City-scale) or as the harmonic mean of mean precision and mean recall (SpaceNet).
        starts: Places on the truth where walks begin.
        paired: Those that have a predicted road beside them.
        kept: Those left when starts at the same predicted place are thinned.
        radius_m: Length of the walks, metres.
        reason: Why a value is not a number; else empty.
    """

    precision: float
    recall: float
    f1: float
    starts: int
    paired: int
    kept: int
    radius_m: float
    reason: str = ""


@dataclass(frozen=True)
class _Start:
    """A place on a street: its latitude and longitude, the nodes beside it and the ways to them."""

    lat: float
    lon: float
    nodes: tuple[int, int]
    ways: tuple[float, float]


@dataclass(frozen=True)
class _Pair:
    """Scores of the walks from one start, and where it lies on the predicted streets."""

    precision: float
    recall: float
    place: _Start


def topo(
    truth: RoadGraph,
    predicted: RoadGraph,
    *,
    bounds: Bounds | None = None,
    radius_m: float | None = None,
    interval_m: float = 0.00005 * _METRES,
    match_m: float = 0.0001 * _METRES,
) -> Topo:
    """Compute TOPO in the variant of Sat2Graph, used by RNGDet, SAM-Road and others.

    Walks of ``radius_m`` begin about every 56 m on the truth, and beside them on the prediction. Along the way holes
    (truth) and marbles (prediction) are dropped every ``interval_m``; they match one to one when less than ``match_m``
    and 45 degrees apart.

    The reference works in degrees as if every tile lay at 41 north; so does this, so that equal input gives equal
    counts (distances east-west change by 0.03 % over 2 km). Its quirks are kept: thresholds are 11.1 m and 5.6 m where
    papers say 10 m and 5 m; roads between two nodes that are no plain bends get their starts twice; starts within 7 % of the
    padded border are left out; a true road takes up to two marbles in precision. Two things are defined
    that are not defined there: no place to start is NaN with a reason (division by zero there), and F1 is 0 where
    precision and recall are.

    Args:
        truth: The true roads.
        predicted: The predicted roads, in the same coordinates.
        bounds: West, south, east, north of the tile, metres; None: of the roads of both.
        radius_m: Length of the walks. None: 167 m in tiles under 1111 m from north to south, else 333 m.
        interval_m: Distance of holes and of marbles, metres.
        match_m: Greatest distance of a hole and its marble, metres.

    Raises:
        UsageError: A length is not above 0.

    Source: J. Biagioni, J. Eriksson, Inferring road maps from GPS traces, 2012; S. He et al., Sat2Graph, ECCV 2020;
    checked against the values of its code.

    Example:
        >>> from roadlift.evaluate import RoadGraph
        >>> road, half = (RoadGraph.from_lines([[(0, 0), (end, 0)]]) for end in (800, 400))
        >>> score = topo(road, half)
        >>> score.precision, round(score.recall, 3)
        (1.0, 0.252)
    """
    for name, value in (("radius_m", radius_m), ("interval_m", interval_m), ("match_m", match_m)):
        if value is not None and not value > 0:
            raise UsageError(f"{name} is {value}; it must be above 0 metres.")
    west, south, east, north = bounds or joint_bounds(truth, predicted)
    true_streets, streets = (_Streets.of(graph, west, north) for graph in (truth, predicted))
    region = _region(north - south, east - west)
    radius = (
        radius_m / _METRES if radius_m else 0.0015 if _TOP - region[0] - _PADDING[0] < _SMALL_TILE else 0.003
    )
    starts = list(_starts(true_streets, region))
    if not starts:
        reason = "no true road is long enough and far enough from the border to start from"
        return Topo(NAN, NAN, NAN, 0, 0, 0, radius * _METRES, reason)
    pairs = []
    step, threshold = interval_m / _METRES, match_m / _METRES
    places = _beside(streets, true_streets, starts, threshold)
    for start, place in zip(starts, places, strict=True):
        if place is not None:
            marbles = streets.walk(place, step, radius)
            holes = true_streets.walk(start, step, radius)
            pairs.append(_Pair(*_shares(marbles, holes, threshold), place))
    kept = _thinned(pairs, streets)
    precision = float(np.mean([pair.precision for pair in kept])) if kept else 0.0
    recall = float(np.mean([pair.recall for pair in kept])) * len(kept) / len(starts) if kept else 0.0
    return Topo(
        precision,
        recall,
        harmonic_mean(precision, recall),
        len(starts),
        len(pairs),
        len(kept),
        radius * _METRES,
    )


@dataclass(frozen=True, eq=False)
class _Streets:
    """Straight streets between numbered nodes, in degrees.

    Attributes:
        lat: Latitude of each node.
        lon: Longitude of each node.
        neighbours: The nodes next to each node.
    """

    lat: Sequence[float]
    lon: Sequence[float]
    neighbours: Sequence[Sequence[int]]

    @classmethod
    def of(cls, graph: RoadGraph, west: float, north: float) -> _Streets:
        straight = graph.straight()
        lat = _TOP - (north - straight.points[:, 1]) / _METRES
        lon = _LEFT + (straight.points[:, 0] - west) / _METRES / math.cos(math.radians(_TOP))
        neighbours: list[list[int]] = [[] for _ in lat]
        for first, last in straight.ends.tolist():
            neighbours[first].append(last)
            neighbours[last].append(first)
        return cls(lat.tolist(), lon.tolist(), neighbours)

    @cached_property
    def segments(self) -> Integers:
        """int64 (segments, 2), the nodes at both ends, the lower first."""
        pairs = [(u, v) for u, others in enumerate(self.neighbours) for v in others if u < v]
        return np.array(pairs, np.int64).reshape(-1, 2)

    @cached_property
    def _lengths(self) -> dict[tuple[int, int], float]:
        return {(u, v): self._length(u, v) for u, others in enumerate(self.neighbours) for v in others}

    def _length(self, u: int, v: int) -> float:
        return _distance(self.lat[v], self.lon[v], self.lat[u], self.lon[u])

    def walk(self, start: _Start, step: float, radius: float) -> Floats:
        """Drop marbles along all ways from a place: float64 (marbles, 4), latitude, longitude and direction."""
        lat, lon, lengths = self.lat, self.lon, self._lengths
        marbles = dict.fromkeys(self._first_marbles(start, step, radius))
        reached: dict[int, float] = {}
        covered: dict[tuple[int, int], float] = {}
        queue = deque([(start.nodes[0], -1, start.ways[0]), (start.nodes[1], -1, start.ways[1])])
        while queue:
            here, before, way = queue.popleft()
            earlier = reached.get(here, math.inf)
            if earlier <= way or way > radius:
                continue
            reached[here] = way
            offset = step * math.ceil(way / step) - way
            for there in self.neighbours[here]:
                if there == before or there in start.nodes:
                    continue
                length = lengths[here, there]
                queue.append((there, here, way + length))
                if earlier + length < radius:
                    continue
                begin = covered.get((here, there), 0.0)
                end = length - covered[there, here] if (there, here) in covered else length
                north, east = lat[there] - lat[here], lon[there] - lon[here]
                at = offset
                while at < length and way + at <= radius and at <= end:
                    if at >= begin:
                        share = at / length
                        place = (
                            lat[there] * share + lat[here] * (1 - share),
                            lon[there] * share + lon[here] * (1 - share),
                        )
                        marbles[(*place, north, east)] = None
                    at += step
                covered[here, there] = at - step
        return np.array(list(marbles)).reshape(-1, 4)

    def _first_marbles(
        self, start: _Start, step: float, radius: float
    ) -> Iterator[tuple[float, float, float, float]]:
        """Give the marbles of the segment where a walk begins, from its second node to its first."""
        (first, last), (lat, lon) = start.nodes, (self.lat, self.lon)
        length = self._length(first, last)
        share = 0.0
        while share <= 1.0:
            at = lat[first] * share + lat[last] * (1 - share), lon[first] * share + lon[last] * (1 - share)
            to_first = start.ways[0] - _distance(*at, lat[first], lon[first])
            to_last = start.ways[1] - _distance(*at, lat[last], lon[last])
            if to_first < radius or to_last < radius:
                yield (*at, lat[last] - lat[first], lon[last] - lon[first])
            share += step / length

    def way_between(self, place: _Start, other: _Start, limit: float) -> float:
        """Return the way between two places as far as the reference looks for it; infinite beyond."""
        if place.nodes == other.nodes:
            return abs(place.ways[0] - other.ways[0])
        if place.nodes == other.nodes[::-1]:
            return abs(place.ways[0] - other.ways[1])
        best = math.inf
        reached: dict[int, float] = {}
        queue = deque((node, -1, place.ways[0]) for node in place.nodes)
        while queue:
            here, before, way = queue.popleft()
            if reached.get(here, math.inf) <= way or way > limit:
                continue
            reached[here] = way
            for there in self.neighbours[here]:
                if there == before or there in place.nodes:
                    continue
                if (here, there) == other.nodes:
                    best = min(best, way + other.ways[0])
                elif (there, here) == other.nodes:
                    best = min(best, way + other.ways[1])
                queue.append((there, here, way + self._lengths[here, there]))
        return best


def _distance(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    east = (lon - other_lon) * math.cos(math.radians(lat))
    return math.sqrt((lat - other_lat) ** 2 + east * east)


def _region(height_m: float, width_m: float) -> Bounds:
    """Return the padded tile: lowest latitude and longitude, highest latitude and longitude."""
    south = _TOP - height_m / _METRES
    east = _LEFT + width_m / _METRES / math.cos(math.radians(_TOP))
    return south - _PADDING[0], _LEFT - _PADDING[1], _TOP + _PADDING[0], east + _PADDING[1]


def _starts(streets: _Streets, region: Bounds) -> Iterator[_Start]:
    """Give places about every 56 m along the chains between nodes that are no plain bends."""
    for chain in chains(streets.neighbours):
        lengths = [streets._length(v, u) for u, v in pairwise(chain)]
        passed = np.concatenate([[0.0], np.cumsum(lengths)]).tolist()
        total = passed[-1]
        if total < _START_EVERY / 2:
            continue
        count = max(int(total / _START_EVERY), 1)
        for number in range(1, count + 1):
            yield from _places_at(streets, chain, passed, number / (count + 1) * total, region)


def _places_at(
    streets: _Streets, chain: list[int], passed: list[float], at: float, region: Bounds
) -> Iterator[_Start]:
    south, west, north, east = region
    margin, margin_lon = _MARGIN * (north - south), _MARGIN * (east - west)
    first = max(int(np.searchsorted(passed, at, side="left")) - 1, 0)
    for begin in range(first, min(first + 2, len(chain) - 1)):
        if not passed[begin] <= at <= passed[begin + 1]:
            continue
        share = (at - passed[begin]) / (passed[begin + 1] - passed[begin])
        u, v = chain[begin], chain[begin + 1]
        lat = (1 - share) * streets.lat[u] + share * streets.lat[v]
        lon = (1 - share) * streets.lon[u] + share * streets.lon[v]
        inside = lat - south > margin and north - lat > margin
        if inside and lon - west > margin_lon and east - lon > margin_lon:
            yield _Start(lat, lon, (u, v), (at - passed[begin], passed[begin + 1] - at))


def _beside(
    streets: _Streets, true_streets: _Streets, starts: list[_Start], threshold: float
) -> Iterator[_Start | None]:
    """Give for each start the nearest predicted street of its direction, or None; of equally near ones the most parallel.

    It is given in the direction of the true street; the reference leaves both choices to the order of its index.
    """
    segments = streets.segments
    lat, lon = np.array(streets.lat), np.array(streets.lon)
    if not len(segments):
        yield from (None for _ in starts)
        return
    first, last = segments.T
    low_lat, high_lat = np.minimum(lat[first], lat[last]), np.maximum(lat[first], lat[last])
    low_lon, high_lon = np.minimum(lon[first], lon[last]), np.maximum(lon[first], lon[last])
    directions = _unit(lat[last] - lat[first], lon[last] - lon[first])
    for start in starts:
        u, v = start.nodes
        heading = _unit(
            np.array([true_streets.lat[v] - true_streets.lat[u]]),
            np.array([true_streets.lon[v] - true_streets.lon[u]]),
        )
        reach = 2 * threshold
        near = np.flatnonzero(
            (low_lat <= start.lat + reach)
            & (high_lat >= start.lat - reach)
            & (low_lon <= start.lon + reach)
            & (high_lon >= start.lon - reach)
        )
        turns = 1 - np.abs(directions[near] @ heading[0])
        near, turns = near[turns < _START_TURN], turns[turns < _START_TURN]
        distances = _to_segments(start, lat, lon, first[near], last[near])
        if not near.size or distances.min() >= threshold:
            yield None
            continue
        best = near[np.lexsort((turns, np.rint(distances / _SAME_DISTANCE)))[0]]
        u, v = segments[best][:: 1 if directions[best] @ heading[0] > 0 else -1].tolist()
        ways = tuple(_distance(lat[node].item(), lon[node].item(), start.lat, start.lon) for node in (u, v))
        yield _Start(start.lat, start.lon, (u, v), (ways[0], ways[1]))


def _to_segments(start: _Start, lat: Floats, lon: Floats, first: Integers, last: Integers) -> Floats:
    """Return the distance from a place to each of some segments, degrees of latitude."""
    narrow = np.cos(np.radians(lat[first]))
    along = np.stack([lat[last] - lat[first], (lon[last] - lon[first]) * narrow], axis=1)
    to_start = np.stack([start.lat - lat[first], (start.lon - lon[first]) * narrow], axis=1)
    share = (along * to_start).sum(axis=1) / (along * along).sum(axis=1)
    return np.asarray(np.linalg.norm(to_start - share.clip(0, 1)[:, None] * along, axis=1))


def _unit(north: Floats, east: Floats) -> Floats:
    """Return directions of length 1: float64 (directions, 2)."""
    vectors = np.stack([north, east * _NORM_COS], axis=1)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _shares(marbles: Floats, holes: Floats, threshold: float) -> tuple[float, float]:
    """Return the share of marbles that find a hole (each hole counts twice) and of holes that find a marble."""
    twins = np.repeat(holes, 2, axis=0)
    twins[1::2, :2] += _TWIN_SHIFT
    return _matched(marbles, twins, threshold) / len(marbles), _matched(marbles, holes, threshold) / len(
        holes
    )


def _matched(marbles: Floats, holes: Floats, threshold: float) -> int:
    """Count the pairs of the largest one-to-one match of marbles and holes that are near and go the same way."""
    scale = np.array([1.0, math.cos(math.radians(_TOP))])
    trees = [cKDTree(places[:, :2] * scale) for places in (marbles, holes)]
    near = trees[0].sparse_distance_matrix(trees[1], threshold * 1.01, output_type="ndarray")
    marble, hole = marbles[near["i"]], holes[near["j"]]
    east = (marble[:, 1] - hole[:, 1]) * np.cos(np.radians(marble[:, 0]))
    close = np.sqrt((marble[:, 0] - hole[:, 0]) ** 2 + east**2) < threshold
    turned = 1 - np.abs((_unit(*marble[:, 2:].T) * _unit(*hole[:, 2:].T)).sum(axis=1))
    undirected = (marble[:, 2] == marble[:, 3]) | (hole[:, 2] == hole[:, 3])
    fits = near[close & (undirected | (turned < _TURN))]
    edges = sparse.csr_array(
        (np.ones(fits.size, np.int8), (fits["i"], fits["j"])), shape=(len(marbles), len(holes))
    )
    return int((csgraph.maximum_bipartite_matching(edges, perm_type="column") >= 0).sum())


def _thinned(pairs: list[_Pair], streets: _Streets) -> list[_Pair]:
    """Keep of starts at the same predicted place the one of highest precision, and all of at least 0.9."""
    if not pairs:
        return []
    at = np.array([(pair.place.lat, pair.place.lon) for pair in pairs])
    reach = np.stack([np.full(len(at), _NEAR_STARTS), _NEAR_STARTS / np.cos(np.radians(at[:, 0]))], axis=1)
    order = np.argsort([pair.precision for pair in pairs], kind="stable")[::-1]
    marked: set[int] = set()
    kept = []
    for index in order.tolist():
        pair = pairs[index]
        if index in marked and pair.precision < 0.9:
            continue
        kept.append(pair)
        for other in np.flatnonzero((np.abs(at - at[index]) <= reach[index] + 2e-6).all(axis=1)).tolist():
            if streets.way_between(pair.place, pairs[other].place, _NEAR_STARTS) < _SAME_START:
                marked.add(other)
    return kept
