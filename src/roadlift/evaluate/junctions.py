"""The junction score of RoadTracer: are the junctions of the truth there, with their arms, and no others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from roadlift.errors import UsageError
from roadlift.evaluate.buffers import ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from roadlift.evaluate.graph import Bounds, RoadGraph

    Floats = NDArray[np.float64]

CLUSTER_M = 50.0
ARM_M = 65.0
MATCH_M = 65.0


@dataclass(frozen=True)
class JunctionScore:
    """How well the junctions agree.

    Attributes:
        correct: Share of the arms found, averaged over the true junctions (F_correct): 1 is best.
        error: Share of wrong arms and wrong junctions in all that was found (F_error): 0 is best.
        truth: True junctions; such within 50 m of each other are one.
        predicted: Predicted junctions.
        matched: True junctions that have a predicted one.
        extra: Predicted junctions that have no true one.
        reason: Why a value is not a number; else empty.
    """

    correct: float
    error: float
    truth: int
    predicted: int
    matched: int
    extra: int
    reason: str = ""


@dataclass(frozen=True)
class _Junction:
    """Where a junction is, metres, and the directions of its arms, radians."""

    at: tuple[float, float]
    arms: tuple[float, ...]


def junction_score(
    truth: RoadGraph, predicted: RoadGraph, *, bounds: Bounds | None = None, scale: float = 1.0
) -> JunctionScore:
    """Compute the junction score of RoadTracer.

    Nodes with three neighbours or more are joined to one junction within 50 m; an arm is where the road is after
    65 m. Each true junction takes, in order, the best free predicted one within 65 m: its share of arms found less the
    share of arms that are wrong (an arm within 90 degrees is right), less the distance over 65 m.

    Defined here though not there: where the truth has no junction but the prediction has, all predicted ones are
    extra, ``correct`` is NaN and ``error`` 1 (the reference stops with an error); where nothing was found ``error`` is NaN.

    Args:
        truth: The true roads.
        predicted: The predicted roads, in the same coordinates.
        bounds: West, south, east, north of where junctions count, metres (the reference leaves out a border of 300 pixels
            of 0.6 m); None: everywhere.
        scale: Units per metre: all radii are multiplied by it (1.7 in the reference, whose pixels are 0.6 m).

    Raises:
        UsageError: The scale is not above 0.

    Source: F. Bastani et al., RoadTracer: automatic extraction of road networks from aerial images, CVPR 2018; checked
    against the values of its program.

    Example:
        >>> from roadlift.evaluate import RoadGraph
        >>> cross = [[(0, 0), (x, y)] for x, y in [(-90, 0), (90, 0), (0, -90), (0, 90)]]
        >>> score = junction_score(RoadGraph.from_lines(cross), RoadGraph.from_lines(cross[:3]))
        >>> score.correct, score.error
        (0.75, 0.0)
    """
    if not scale > 0:
        raise UsageError(f"scale is {scale}; it must be above 0.")
    true_streets, streets = _Streets.of(truth), _Streets.of(predicted)
    wanted = _junctions(true_streets, scale)
    found = _junctions_beside(streets, wanted, scale) if wanted else _junctions(streets, scale)
    correct = extra = 0.0
    total, used = 0, set[int]()
    for junction in wanted:
        if not _inside(junction, bounds):
            continue
        total += 1
        best = _best_match(junction, found, used, MATCH_M * scale)
        if best is not None:
            used.add(best[0])
            correct, extra = correct + best[1], extra + best[2]
    unmatched = sum(index not in used and _inside(junction, bounds) for index, junction in enumerate(found))
    reasons = ["the truth has no junction"] * (not total) + ["no junction was found"] * (
        not correct + extra + unmatched
    )
    return JunctionScore(
        ratio(correct, total),
        ratio(extra + unmatched, correct + extra + unmatched),
        total,
        len(found),
        len(used),
        unmatched,
        "; ".join(reasons),
    )


@dataclass(frozen=True, eq=False)
class _Streets:
    """Straight streets between numbered nodes, metres."""

    points: Floats
    neighbours: Sequence[Sequence[int]]

    @classmethod
    def of(cls, graph: RoadGraph) -> _Streets:
        straight = graph.straight()
        neighbours: list[list[int]] = [[] for _ in straight.points]
        for first, last in straight.ends.tolist():
            neighbours[first].append(last)
            neighbours[last].append(first)
        return cls(straight.points, neighbours)

    @cached_property
    def junctions(self) -> list[int]:
        """Nodes with three neighbours or more."""
        return [node for node, others in enumerate(self.neighbours) if len(others) >= 3]

    def apart(self, node: int, other: int) -> float:
        """Return the straight distance of two nodes."""
        return math.dist(self.points[node], self.points[other])

    def follow(
        self, sources: Sequence[int], distance: float, *, stops: frozenset[int] = frozenset()
    ) -> tuple[list[tuple[float, float]], set[int]]:
        """Follow the streets from some nodes, each street once, depth first.

        Returns:
            Where one stands after ``distance``, or at a node of ``stops`` before, and the nodes passed.
        """
        ends, passed, used = [], set(sources), set[tuple[int, int]]()
        for source in sources:
            stack = [(source, there, distance) for there in reversed(self.neighbours[source])]
            while stack:
                here, there, left = stack.pop()
                if (here, there) in used or (there, here) in used:
                    continue
                used.add((here, there))
                length = self.apart(here, there)
                if left <= length:
                    share = left / length
                    x, y = (1 - share) * self.points[here] + share * self.points[there]
                    ends.append((float(x), float(y)))
                elif there in stops:
                    ends.append((float(self.points[there][0]), float(self.points[there][1])))
                else:
                    passed.add(there)
                    stack += [(there, other, left - length) for other in reversed(self.neighbours[there])]
        return ends, passed

    def junction(self, node: int, members: Sequence[int], arm: float) -> _Junction:
        """Return the junction of some nodes, at one of them, with its arms."""
        x, y = self.points[node].tolist()
        stops = frozenset(self.junctions) - set(members)
        ends, _ = self.follow(members, arm, stops=stops)
        return _Junction((x, y), tuple(math.atan2(end[1] - y, end[0] - x) for end in ends))


def _junctions(streets: _Streets, scale: float) -> list[_Junction]:
    """Join the junctions of the truth that are near each other."""
    seen: set[int] = set()
    found = []
    for node in streets.junctions:
        if node in seen:
            continue
        _, passed = streets.follow([node], 2 * CLUSTER_M * scale)
        near = [other for other in streets.junctions if other in passed]
        members = [other for other in near if streets.apart(node, other) < CLUSTER_M * scale]
        seen.update(members)
        found.append(streets.junction(node, members, ARM_M * scale))
    return found


def _junctions_beside(streets: _Streets, wanted: Sequence[_Junction], scale: float) -> list[_Junction]:
    """Join the predicted junctions that have the same true one as their nearest."""
    if not streets.junctions:
        return []
    targets = np.array([junction.at for junction in wanted])
    away = np.linalg.norm(streets.points[streets.junctions][:, None] - targets, axis=2)
    nearest = away.argmin(axis=1)
    found = []
    for index in np.unique(nearest).tolist():
        group = np.flatnonzero(nearest == index)
        nodes = [streets.junctions[number] for number in group]
        best = nodes[int(away[group, index].argmin())]
        _, passed = streets.follow([best], 3 * CLUSTER_M * scale)
        members = [node for node in nodes if node in passed]
        found.append(streets.junction(best, members, ARM_M * scale))
        found += [streets.junction(node, [node], ARM_M * scale) for node in nodes if node not in passed]
    return found


def _best_match(
    junction: _Junction, found: Sequence[_Junction], used: set[int], radius: float
) -> tuple[int, float, float] | None:
    """Return the free junction that suits best, its share of right arms and its share of wrong ones."""
    best, best_score = None, -math.inf
    for index, other in enumerate(found):
        away = math.dist(junction.at, other.at)
        if index in used or away > radius:
            continue
        correct, extra = _covered(junction.arms, other.arms), 1 - _covered(other.arms, junction.arms)
        score = correct - extra - away / radius
        if correct - extra > 0 and score > best_score:
            best, best_score = (index, correct, extra), score
    return best


def _covered(arms: Sequence[float], others: Sequence[float]) -> float:
    """Return the share of arms that have one of the others within 90 degrees; 0 where a side has none."""
    if not arms or not others:
        return 0.0
    turns = np.abs(np.subtract.outer(arms, others))
    near = np.minimum(turns, 2 * math.pi - turns) < math.pi / 2
    return float(near.any(axis=1).mean())


def _inside(junction: _Junction, bounds: Bounds | None) -> bool:
    if bounds is None:
        return True
    west, south, east, north = bounds
    return west <= junction.at[0] <= east and south <= junction.at[1] <= north
