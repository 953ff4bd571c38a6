"""How good a finished model is, measured as users run it: pixels and the road network, with confidence intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine

from roadlift.evaluate import Confusion, RoadGraph, apls_spacenet, road_graph, topo
from roadlift.imagery import Georef
from roadlift.model import Model
from roadlift.network import NetworkOptions, road_mask, vectorize
from roadlift.train.data import IGNORE, Sample
from roadlift.train.score import histogram_of

THRESHOLDS = tuple(round(0.1 + 0.05 * step, 2) for step in range(13))
LOW_SHARES = (0.4, 0.6, 0.8, 1.0)
TIE = 0.005
RESAMPLES = 2000
_PIXELS = Georef(None, Affine.identity())


@dataclass(frozen=True)
class TruthNetwork:
    """The true roads of an image: a graph in metres, and west, south, east, north of the image, metres."""

    graph: RoadGraph
    bounds: tuple[float, float, float, float]


def predict_samples(model: Model, samples: Sequence[Sample]) -> list[np.ndarray]:
    """Return the probability uint8 (rows, cols), 0..254, of each image; far edges are mirrored up to the stride."""
    stride = model.card.stride

    def padded() -> Iterator[np.ndarray]:
        for sample in samples:
            rows, cols = sample.label.shape
            yield np.pad(sample.image, [(0, -rows % stride), (0, -cols % stride), (0, 0)], mode="symmetric")[
                None
            ]

    found = zip(model.predict_many(padded()), samples, strict=True)
    return [batch[0, : sample.label.shape[0], : sample.label.shape[1]] for batch, sample in found]


def choose_thresholds(probabilities: Sequence[np.ndarray], samples: Sequence[Sample]) -> tuple[float, float]:
    """Return hysteresis thresholds (high, low): the lowest pair whose micro IoU is within .005 of the best.

    The lowest, because a network gives lower probabilities on imagery that is unlike its training images. Half a
    point is far less than chance makes of a few dozen images.

    Args:
        probabilities: uint8 (rows, cols), 0..254, of each sample.
        samples: The labelled images.
    """
    ious = {
        (high, round(high * share, 3)): _iou_at(probabilities, samples, high, round(high * share, 3))
        for high in THRESHOLDS
        for share in LOW_SHARES
    }
    return min(pair for pair, iou in ious.items() if iou >= max(ious.values()) - TIE)


def _iou_at(probabilities: Sequence[np.ndarray], samples: Sequence[Sample], high: float, low: float) -> float:
    """Micro IoU; 0 where there is no road at all."""
    iou = sum(confusions(probabilities, samples, high, low), Confusion()).iou
    return iou if np.isfinite(iou) else 0.0


def confusions(
    probabilities: Sequence[np.ndarray], samples: Sequence[Sample], high: float, low: float
) -> list[Confusion]:
    """Count the pixels of each image at the given thresholds, ignored pixels left out."""
    return [
        Confusion.of(road_pixels(probability, high, low), sample.label == 1, valid=sample.label != IGNORE)
        for probability, sample in zip(probabilities, samples, strict=True)
    ]


def pixel_scores(
    probabilities: Sequence[np.ndarray], samples: Sequence[Sample], *, high: float, low: float
) -> dict[str, Any]:
    """Return the pixel scores of a model card: at the card's thresholds, and what a better threshold would have given.

    ``iou_95`` is the 95 % bootstrap interval over images of ``iou``.
    """
    each = confusions(probabilities, samples, high, low)
    counts = sum(each, Confusion())
    histogram = histogram_of(probabilities, samples)
    best, threshold = histogram.best_iou()
    values = {
        "iou": counts.iou,
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "average_precision": histogram.average_precision(),
        "best_iou": best,
        "best_threshold": threshold,
    }
    right = np.array([one.true_positive for one in each])
    either = right + [one.false_positive + one.false_negative for one in each]
    return {
        "images": len(samples),
        **{name: round(value, 4) for name, value in values.items()},
        "iou_95": ratio_interval(right, either),
    }


def true_networks(samples: Sequence[Sample], *, ground_resolution_m: float) -> list[TruthNetwork | None]:
    """Return the roads that the labels draw; None for an image without any."""

    def of(sample: Sample) -> TruthNetwork | None:
        rows, cols = sample.label.shape
        graph = RoadGraph.from_mask(
            sample.label == 1, ground_resolution_m=ground_resolution_m, valid=sample.label != IGNORE
        )
        bounds = (0.0, 0.0, cols * ground_resolution_m, rows * ground_resolution_m)
        return TruthNetwork(graph, bounds) if len(graph.lines) else None

    return [of(sample) for sample in samples]


def network_scores(
    probabilities: Sequence[np.ndarray],
    truths: Sequence[TruthNetwork | None],
    *,
    high: float,
    low: float,
    ground_resolution_m: float,
) -> dict[str, Any]:
    """Return APLS (spacenet) and TOPO F1 of the final networks, means over the images that have roads.

    ``apls_95`` and ``topo_f1_95`` are 95 % bootstrap intervals over images.
    """
    options = NetworkOptions(threshold=high, threshold_low=low)
    values: dict[str, list[float]] = {"apls": [], "topo_f1": []}
    for probability, truth in zip(probabilities, truths, strict=True):
        if truth is not None:
            roads = vectorize(probability, _PIXELS, ground_resolution_m=ground_resolution_m, options=options)
            graph = road_graph(roads, ground_resolution_m=ground_resolution_m)
            values["apls"].append(apls_spacenet(truth.graph, graph).value)
            values["topo_f1"].append(topo(truth.graph, graph, bounds=truth.bounds).f1)
    return {
        key: value for name, each in values.items() for key, value in _mean_with_interval(name, each).items()
    }


def _mean_with_interval(name: str, values: Sequence[float]) -> dict[str, Any]:
    """Mean and interval of the values that are numbers; nothing where none is."""
    numbers = np.array([value for value in values if np.isfinite(value)])
    if not numbers.size:
        return {}
    return {
        name: round(float(numbers.mean()), 4),
        f"{name}_95": ratio_interval(numbers, np.ones(numbers.size)),
    }


def ratio_interval(numerators: np.ndarray, denominators: np.ndarray, *, seed: int = 0) -> list[float]:
    """Return the 95 % interval of a ratio of sums over images: percentiles of a bootstrap (Efron, 1979).

    Args:
        numerators: (images,), such as pixels that are road in both.
        denominators: (images,), such as pixels that are road in either; ones for a mean.
        seed: Seed of the resampling.

    Returns:
        Lower and upper bound; two zeros where all denominators are zero.

    Example:
        >>> ratio_interval(np.array([1.0, 1.0, 1.0]), np.array([2.0, 2.0, 2.0]))
        [0.5, 0.5]
    """
    drawn = np.random.default_rng(seed).integers(0, len(numerators), (RESAMPLES, len(numerators)))
    below = denominators[drawn].sum(axis=1)
    ratios = numerators[drawn].sum(axis=1) / np.where(below == 0, 1, below)
    return [round(float(bound), 4) for bound in np.percentile(ratios, (2.5, 97.5))]


def road_pixels(probability: np.ndarray, high: float, low: float) -> np.ndarray:
    """Return the mask that extract begins with, before it drops specks and fills holes."""
    options = NetworkOptions(threshold=high, threshold_low=low, min_object_m2=0, max_hole_m2=0)
    return road_mask(probability, ground_resolution_m=1.0, options=options)
