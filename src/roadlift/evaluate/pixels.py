"""Scores of masks and probabilities, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROBABILITY_STEPS = 254


@dataclass(frozen=True)
class Confusion:
    """Counts of pixels; counts of several images add up with ``+`` (micro average).

    Attributes:
        true_positive: Road in both.
        false_positive: Road in the prediction only.
        false_negative: Road in the truth only.
        true_negative: Road in neither.

    Example:
        >>> total = Confusion(3, 1, 0, 6) + Confusion(1, 0, 1, 8)
        >>> round(total.iou, 3), round(total.f1, 3)
        (0.667, 0.8)
    """

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    true_negative: int = 0

    @classmethod
    def of(
        cls, predicted: NDArray[np.bool_], truth: NDArray[np.bool_], *, valid: NDArray[np.bool_]
    ) -> Confusion:
        """Count pixels where ``valid``; all arrays are bool (rows, cols)."""
        predicted, truth = predicted[valid], truth[valid]
        both, either = int((predicted & truth).sum()), int((predicted | truth).sum())
        found, wanted = int(predicted.sum()), int(truth.sum())
        return cls(both, found - both, wanted - both, predicted.size - either)

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
            self.true_negative + other.true_negative,
        )

    @property
    def iou(self) -> float:
        """Intersection over union; NaN where there is road in neither."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive + self.false_negative)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where there is road in neither."""
        return _ratio(
            2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative
        )

    @property
    def precision(self) -> float:
        """Share of the predicted road that is road; NaN where none is predicted."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share of the road that is predicted; NaN where there is none."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)


@dataclass(frozen=True)
class ProbabilityHistogram:
    """How often each probability occurs on road and on background: all that threshold scores need.

    Attributes:
        road: int64 (255,), pixels of the truth by probability 0..254.
        background: int64 (255,), the others.

    Example:
        >>> probability, truth = np.array([[10, 200]], np.uint8), np.array([[False, True]])
        >>> ProbabilityHistogram.of(probability, truth, valid=np.ones((1, 2), bool)).best_iou()[0]
        1.0
    """

    road: NDArray[np.int64]
    background: NDArray[np.int64]

    @classmethod
    def empty(cls) -> ProbabilityHistogram:
        """Return the histogram of nothing, to add to."""
        return cls(np.zeros(PROBABILITY_STEPS + 1, np.int64), np.zeros(PROBABILITY_STEPS + 1, np.int64))

    @classmethod
    def of(
        cls, probability: NDArray[np.uint8], truth: NDArray[np.bool_], *, valid: NDArray[np.bool_]
    ) -> ProbabilityHistogram:
        """Count the pixels of one image.

        Args:
            probability: uint8 (rows, cols), 0..254 = p * 254, 255 = no data (left out).
            truth: bool (rows, cols).
            valid: bool (rows, cols), what to count.
        """
        seen = valid & (probability <= PROBABILITY_STEPS)
        road, background = probability[seen & truth], probability[seen & ~truth]
        size = PROBABILITY_STEPS + 1
        return cls(np.bincount(road, minlength=size), np.bincount(background, minlength=size))

    def __add__(self, other: ProbabilityHistogram) -> ProbabilityHistogram:
        return ProbabilityHistogram(self.road + other.road, self.background + other.background)

    def confusion(self, threshold: float) -> Confusion:
        """Return the counts of the mask ``p >= threshold`` (0..1)."""
        step = int(np.ceil(threshold * PROBABILITY_STEPS - 1e-9))
        found, wrong = int(self.road[step:].sum()), int(self.background[step:].sum())
        return Confusion(found, wrong, int(self.road.sum()) - found, int(self.background.sum()) - wrong)

    def best_iou(self) -> tuple[float, float]:
        """Return the highest IoU of any threshold and the lowest threshold that gives it; NaN without any pixel of road."""
        found, wrong = _from_above(self.road), _from_above(self.background)
        union = self.road.sum() + wrong
        if not union[0]:
            return float("nan"), float("nan")
        iou = found / np.maximum(union, 1)
        best = int(iou.argmax())
        return float(iou[best]), best / PROBABILITY_STEPS

    def average_precision(self) -> float:
        """Return the area under the precision-recall curve, as a sum over thresholds (no interpolation).

        As ``sklearn.metrics.average_precision_score`` defines it; NaN where the truth has no road.
        """
        found, wrong = _from_above(self.road)[::-1], _from_above(self.background)[::-1]
        if not found[-1]:
            return float("nan")
        precision = found / np.maximum(found + wrong, 1)
        gained = np.diff(found, prepend=0) / found[-1]
        return float((gained * precision).sum())


def _from_above(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return counts[::-1].cumsum()[::-1]


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
