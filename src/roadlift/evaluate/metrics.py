"""Every score as sums over images and what is made of the sums: the same rule for one image, for all, and for resamples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roadlift.errors import LimitError
from roadlift.evaluate.apls import Apls, apls_sat2graph, apls_spacenet
from roadlift.evaluate.buffers import NAN, BufferCounts, RelaxedCounts, RelaxedCurve
from roadlift.evaluate.causes import Causes
from roadlift.evaluate.cldice import ClDice, centreline
from roadlift.evaluate.junctions import JunctionScore, junction_score
from roadlift.evaluate.marbles import Topo, topo
from roadlift.evaluate.network import NetworkScore, network_score
from roadlift.evaluate.pixels import Confusion, ProbabilityHistogram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.evaluate.pairs import Pair

    Floats = NDArray[np.float64]

RADIUS_PX = 3
SMALL_TILE_M = 1111.0
SMALL_TILE: dict[str, Any] = {"interval_m": 30.0, "min_way_m": 30.0, "margin_m": 30.0, "cover_hops": 3}
_STEPS = 256


@dataclass(frozen=True, eq=False)
class Scores:
    """All scores of one image.

    Attributes:
        confusion: Pixels at the threshold.
        histogram: Pixels by probability; None where the prediction has none.
        relaxed: Relaxed counts at the threshold.
        curve: Relaxed counts at every threshold; None where the prediction has no probabilities.
        buffers: Centreline pixels of both masks within 3 pixels of each other.
        cldice: Centreline Dice.
        spacenet: APLS as in SpaceNet, on graphs without nodes of degree two.
        sat2graph: APLS as in Sat2Graph, with its settings for small tiles where the image is under 1111 m high.
        topo: TOPO.
        junctions: Junction score.
        network: The networks as wholes.
        causes: What costs the score.
    """

    confusion: Confusion
    histogram: ProbabilityHistogram | None
    relaxed: RelaxedCounts
    curve: RelaxedCurve | None
    buffers: BufferCounts
    cldice: ClDice
    spacenet: Apls
    sat2graph: Apls
    topo: Topo
    junctions: JunctionScore
    network: NetworkScore
    causes: Causes

    @classmethod
    def of(cls, pair: Pair) -> Scores:
        """Compute all scores of a pair."""
        valid, predicted, truth = pair.valid, pair.predicted, pair.truth
        histogram = curve = None
        if pair.graded:
            histogram = ProbabilityHistogram.of(pair.probability, truth, valid=valid)
            curve = RelaxedCurve.of(pair.probability, truth, radius_px=RADIUS_PX, steps=_STEPS, valid=valid)
        roads, true_roads, bounds = pair.roads, pair.true_roads, pair.bounds
        small = SMALL_TILE if bounds[3] - bounds[1] < SMALL_TILE_M else {}
        return cls(
            Confusion.of(predicted, truth, valid=valid),
            histogram,
            RelaxedCounts.of(predicted, truth, radius_px=RADIUS_PX),
            curve,
            BufferCounts.of(centreline(predicted), centreline(truth), radius_px=RADIUS_PX),
            ClDice.of(predicted, truth),
            _within_limits("spacenet", lambda: apls_spacenet(true_roads.simplified(), roads.simplified())),
            _within_limits("sat2graph", lambda: apls_sat2graph(true_roads, roads, bounds=bounds, **small)),
            topo(true_roads, roads, bounds=bounds),
            junction_score(true_roads, roads),
            network_score(true_roads, roads, bounds=bounds),
            Causes.of(pair),
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why values are not numbers, in words."""
        named = {
            "APLS spacenet": self.spacenet.reason,
            "APLS sat2graph": self.sat2graph.reason,
            "TOPO": self.topo.reason,
            "junctions": self.junctions.reason,
            "network": self.network.reason,
            "thresholds": "" if self.histogram else "the prediction has no probabilities",
        }
        return tuple(f"{name}: {reason}" for name, reason in named.items() if reason)


@dataclass(frozen=True)
class Metric:
    """A score of images.

    Attributes:
        name: Column of the table.
        group: ``pixel``, ``relaxed``, ``centreline``, ``graph`` or ``network``.
        better: ``higher``, ``lower``, or empty where neither is.
        parts: What of the scores of an image is summed up over images.
        value: What is made of sums, float64 (sets, parts) to (sets,); NaN where it is not defined.
    """

    name: str
    group: str
    better: str
    parts: Callable[[Scores], tuple[float, ...]]
    value: Callable[[Floats], Floats]


def _within_limits(variant: str, compute: Callable[[], Apls]) -> Apls:
    """Compute APLS, or say why it is not computed where a network is too large for it."""
    try:
        return compute()
    except LimitError as error:
        return Apls(NAN, NAN, NAN, 0, 0, variant, str(error))


def _over(sums: Floats) -> Floats:
    """Divide the first sum by the second; NaN where that is 0."""
    return _divided(sums[:, 0], sums[:, 1])


def _divided(part: Floats, whole: Floats) -> Floats:
    result = np.full(part.shape, np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def _mean(get: Callable[[Scores], float]) -> Callable[[Scores], tuple[float, ...]]:
    """Return parts whose ratio is the mean of a value over the images where it is defined."""

    def parts(scores: Scores) -> tuple[float, ...]:
        value = get(scores)
        return (value, 1.0) if np.isfinite(value) else (0.0, 0.0)

    return parts


def _histogram(scores: Scores) -> tuple[float, ...]:
    made = scores.histogram or ProbabilityHistogram.empty()
    return (*made.road.tolist(), *made.background.tolist())


def _at_each_threshold(sums: Floats) -> tuple[Floats, Floats]:
    """Return road and background pixels at or above each probability: float64 (sets, 255) each."""
    road, background = np.split(sums, 2, axis=1)
    return road[:, ::-1].cumsum(axis=1)[:, ::-1], background[:, ::-1].cumsum(axis=1)[:, ::-1]


def _average_precision(sums: Floats) -> Floats:
    found, wrong = (at[:, ::-1] for at in _at_each_threshold(sums))
    precision = found / np.maximum(found + wrong, 1)
    gained = np.diff(found, prepend=0, axis=1)
    return _divided((gained * precision).sum(axis=1), found[:, -1])


def _ious(sums: Floats) -> Floats:
    found, wrong = _at_each_threshold(sums)
    union = found[:, :1] + wrong
    return np.where(union[:, :1] > 0, found / np.maximum(union, 1), np.nan)


def _best_iou(sums: Floats) -> Floats:
    return np.asarray(_ious(sums).max(axis=1))


def _best_threshold(sums: Floats) -> Floats:
    ious = _ious(sums)
    known = np.isfinite(ious[:, 0])
    return np.where(known, np.where(known[:, None], ious, 0).argmax(axis=1) / (ious.shape[1] - 1), np.nan)


def _curve(scores: Scores) -> tuple[float, ...]:
    made = scores.curve
    if made is None:
        return (0.0,) * (3 * _STEPS + 1)
    return (*made.near_truth.tolist(), *made.predicted.tolist(), *made.near_predicted.tolist(), made.truth)


def _breakeven(sums: Floats) -> Floats:
    found = []
    for row in np.rint(sums).astype(np.int64):
        near_truth, predicted, near_predicted = np.split(row[:-1], 3)
        curve = RelaxedCurve(near_truth, predicted, near_predicted, int(row[-1]))
        found.append(curve.breakeven().recall)
    return np.array(found)


def _buffers(scores: Scores) -> tuple[float, ...]:
    made = scores.buffers
    return made.near_truth, made.predicted, made.near_predicted, made.truth


def _correctness(sums: Floats) -> Floats:
    near, predicted, _, truth = sums.T
    return np.where((predicted == 0) & (truth > 0), 0.0, _divided(near, predicted))


def _completeness(sums: Floats) -> Floats:
    return _divided(sums[:, 2], sums[:, 3])


def _quality(sums: Floats) -> Floats:
    p, c = _correctness(sums), _completeness(sums)
    return np.where((p == 0) & (c == 0), 0.0, _divided(c * p, c + p - c * p))


def _quality_wiedemann(sums: Floats) -> Floats:
    near, predicted, near_predicted, truth = sums.T
    return np.where(truth > 0, _divided(near, predicted + truth - near_predicted), np.nan)


def _relaxed_f1(sums: Floats) -> Floats:
    near, predicted, found, truth = sums.T
    precision, recall = near / np.maximum(predicted, 1), found / np.maximum(truth, 1)
    both = np.where(precision + recall > 0, _divided(2 * precision * recall, precision + recall), 0.0)
    return np.where((predicted > 0) | (truth > 0), both, np.nan)


def _relaxed(scores: Scores) -> tuple[float, ...]:
    made = scores.relaxed
    return made.near_truth, made.predicted, made.near_predicted, made.truth


def _union(scores: Scores) -> float:
    counts = scores.confusion
    return counts.true_positive + counts.false_positive + counts.false_negative


METRICS: tuple[Metric, ...] = (
    Metric("iou", "pixel", "higher", lambda s: (s.confusion.true_positive, _union(s)), _over),
    Metric(
        "f1",
        "pixel",
        "higher",
        lambda s: (2 * s.confusion.true_positive, _union(s) + s.confusion.true_positive),
        _over,
    ),
    Metric(
        "precision",
        "pixel",
        "higher",
        lambda s: (s.confusion.true_positive, s.confusion.true_positive + s.confusion.false_positive),
        _over,
    ),
    Metric(
        "recall",
        "pixel",
        "higher",
        lambda s: (s.confusion.true_positive, s.confusion.true_positive + s.confusion.false_negative),
        _over,
    ),
    Metric("average_precision", "pixel", "higher", _histogram, _average_precision),
    Metric("best_iou", "pixel", "higher", _histogram, _best_iou),
    Metric("best_threshold", "pixel", "", _histogram, _best_threshold),
    Metric("relaxed_precision", "relaxed", "higher", lambda s: _relaxed(s)[:2], _over),
    Metric("relaxed_recall", "relaxed", "higher", lambda s: _relaxed(s)[2:], _over),
    Metric("relaxed_f1", "relaxed", "higher", _relaxed, _relaxed_f1),
    Metric("breakeven", "relaxed", "higher", _curve, _breakeven),
    Metric("correctness", "centreline", "higher", _buffers, _correctness),
    Metric("completeness", "centreline", "higher", _buffers, _completeness),
    Metric("quality", "centreline", "higher", _buffers, _quality),
    Metric("quality_wiedemann", "centreline", "higher", _buffers, _quality_wiedemann),
    Metric("cldice", "centreline", "higher", _mean(lambda s: s.cldice.value), _over),
    Metric(
        "apls_spacenet",
        "graph",
        "higher",
        _mean(lambda s: s.spacenet.value if s.spacenet.truth_points else NAN),
        _over,
    ),
    Metric("apls_sat2graph", "graph", "higher", _mean(lambda s: s.sat2graph.value), _over),
    Metric("topo_precision", "graph", "higher", _mean(lambda s: s.topo.precision), _over),
    Metric("topo_recall", "graph", "higher", _mean(lambda s: s.topo.recall), _over),
    Metric("topo_f1", "graph", "higher", _mean(lambda s: s.topo.f1), _over),
    Metric("junction_correct", "graph", "higher", _mean(lambda s: s.junctions.correct), _over),
    Metric("junction_error", "graph", "lower", _mean(lambda s: s.junctions.error), _over),
    Metric(
        "components_per_km",
        "network",
        "",
        lambda s: (s.network.predicted.components, s.network.predicted.length_km),
        _over,
    ),
    Metric(
        "components_per_km_truth",
        "network",
        "",
        lambda s: (s.network.truth.components, s.network.truth.length_km),
        _over,
    ),
    Metric(
        "dead_ends_per_km",
        "network",
        "",
        lambda s: (s.network.predicted.dead_ends, s.network.predicted.length_km),
        _over,
    ),
    Metric(
        "dead_ends_per_km_truth",
        "network",
        "",
        lambda s: (s.network.truth.dead_ends, s.network.truth.length_km),
        _over,
    ),
    Metric(
        "length_ratio",
        "network",
        "",
        lambda s: (s.network.predicted.length_km, s.network.truth.length_km),
        _over,
    ),
    Metric("offset_m", "network", "lower", _mean(lambda s: s.network.offset_m), _over),
    Metric("width_error_m", "network", "lower", _mean(lambda s: s.network.width_error_m), _over),
    Metric("width_bias_m", "network", "", _mean(lambda s: s.network.width_bias_m), _over),
)
