"""Scores that forgive a few pixels of offset: relaxed precision and recall, correctness and completeness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from roadlift.errors import InputError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Booleans = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

NAN = float("nan")


@dataclass(frozen=True)
class RelaxedCounts:
    """Counts of relaxed precision and recall; those of several images add up with ``+`` (micro average).

    A predicted pixel is right when a road pixel of the truth lies in the square window of ``2 radius + 1`` pixels around
    it (Chebyshev distance, clipped at the border); a road pixel of the truth is found when a predicted one lies in its.

    Attributes:
        near_truth: Predicted pixels that are right.
        predicted: All predicted pixels.
        near_predicted: Road pixels of the truth that are found.
        truth: All road pixels of the truth.

    Source: V. Mnih, Machine Learning for Aerial Image Labeling, 2013, section 3.5.1; counts as in S. Saito's code.

    Example:
        >>> road = np.zeros((5, 5), bool)
        >>> road[1] = True
        >>> counts = RelaxedCounts.of(np.roll(road, 2, axis=0), road, radius_px=2)
        >>> counts.precision, counts.recall
        (1.0, 1.0)
    """

    near_truth: int = 0
    predicted: int = 0
    near_predicted: int = 0
    truth: int = 0

    @classmethod
    def of(
        cls, predicted: Booleans, truth: Booleans, *, radius_px: int = 3, valid: Booleans | None = None
    ) -> RelaxedCounts:
        """Count the pixels of one image; all arrays are bool (rows, cols).

        Args:
            predicted: Mask of the prediction.
            truth: Mask of the truth.
            radius_px: Radius of the window, pixels.
            valid: Where to look; elsewhere neither mask has road. None: everywhere.

        Raises:
            InputError: The shapes differ.
            UsageError: The radius is negative.
        """
        predicted, truth = _visible(predicted, truth, valid)
        return cls(
            int((predicted & _dilated(truth, radius_px)).sum()),
            int(predicted.sum()),
            int((truth & _dilated(predicted, radius_px)).sum()),
            int(truth.sum()),
        )

    def __add__(self, other: RelaxedCounts) -> RelaxedCounts:
        return RelaxedCounts(
            self.near_truth + other.near_truth,
            self.predicted + other.predicted,
            self.near_predicted + other.near_predicted,
            self.truth + other.truth,
        )

    @property
    def precision(self) -> float:
        """Share of the predicted pixels that are right; NaN where none is predicted (0 in Saito's code)."""
        return ratio(self.near_truth, self.predicted)

    @property
    def recall(self) -> float:
        """Share of the road pixels that are found; NaN where there is none (0 in Saito's code)."""
        return ratio(self.near_predicted, self.truth)

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 0 where only one side has road, NaN where neither has."""
        return harmonic_mean(self.precision, self.recall, empty=(not self.predicted, not self.truth))


@dataclass(frozen=True)
class Breakeven:
    """Where relaxed precision and recall meet.

    Attributes:
        precision: At that threshold.
        recall: At that threshold, the figure that is reported.
        threshold: The threshold, 0..1.

    All are NaN when no threshold has both between 0 and 1 (a perfect, an empty or a hopeless prediction).
    """

    precision: float
    recall: float
    threshold: float


@dataclass(frozen=True, eq=False)
class RelaxedCurve:
    """Relaxed precision and recall at every threshold ``t / steps``; curves of several images add up with ``+``.

    Attributes:
        near_truth: int64 (steps,), predicted pixels that are right, by threshold.
        predicted: int64 (steps,), predicted pixels.
        near_predicted: int64 (steps,), road pixels that are found.
        truth: Road pixels.

    Example:
        >>> probability = np.array([[0.9, 0.2, 0.6, 0.1]])
        >>> truth = np.array([[True, False, False, True]])
        >>> curve = RelaxedCurve.of(probability, truth, radius_px=0, steps=10)
        >>> [round(float(value), 2) for value in (curve.precision[6], curve.recall[6], curve.breakeven().recall)]
        [0.5, 0.5, 0.5]
    """

    near_truth: Integers
    predicted: Integers
    near_predicted: Integers
    truth: int

    @classmethod
    def of(
        cls,
        probability: NDArray[np.generic],
        truth: Booleans,
        *,
        radius_px: int = 3,
        steps: int = 256,
        valid: Booleans | None = None,
    ) -> RelaxedCurve:
        """Count the pixels of one image at every threshold.

        Args:
            probability: (rows, cols), float 0..1, or uint8 0..254 = p * 254 with 255 = no data.
            truth: bool (rows, cols).
            radius_px: Radius of the window, pixels.
            steps: Number of thresholds 0, 1 / steps, ...
            valid: bool (rows, cols), where to look. None: everywhere.

        Raises:
            InputError: The shapes differ.
            UsageError: The radius is negative, or there is no step.
        """
        if steps < 1:
            raise UsageError(f"steps is {steps}; at least 1 threshold is needed.")
        passed = _thresholds_passed(probability, steps)
        seen, truth = _visible(passed > 0, truth, valid if valid is None else valid & (passed > 0))
        truth = truth & (passed > 0)
        passed = np.where(seen, passed, 0)
        nearby = ndimage.maximum_filter(passed, size=_window(radius_px), mode="constant", cval=0)
        return cls(
            _at_least(passed[seen & _dilated(truth, radius_px)], steps),
            _at_least(passed[seen], steps),
            _at_least(nearby[truth], steps),
            int(truth.sum()),
        )

    def __add__(self, other: RelaxedCurve) -> RelaxedCurve:
        if self.predicted.size != other.predicted.size:
            raise UsageError(
                f"curves of {self.predicted.size} and {other.predicted.size} thresholds do not add up; use the same steps."
            )
        return RelaxedCurve(
            self.near_truth + other.near_truth,
            self.predicted + other.predicted,
            self.near_predicted + other.near_predicted,
            self.truth + other.truth,
        )

    @property
    def thresholds(self) -> Floats:
        """float64 (steps,), 0 .. 1 - 1 / steps."""
        return np.arange(self.predicted.size) / self.predicted.size

    @property
    def precision(self) -> Floats:
        """float64 (steps,); 0 where nothing is predicted, as in Saito's code."""
        return self.near_truth / np.maximum(self.predicted, 1)

    @property
    def recall(self) -> Floats:
        """float64 (steps,); 0 where there is no road, as in Saito's code."""
        return self.near_predicted / max(self.truth, 1)

    def breakeven(self) -> Breakeven:
        """Return the first of the thresholds whose precision and recall differ least, both above 0 and below 1.

        Saito's code fails when no threshold qualifies; here the result is NaN.
        """
        precision, recall = self.precision, self.recall
        between = (precision > 0) & (precision < 1) & (recall > 0) & (recall < 1)
        if not between.any():
            return Breakeven(NAN, NAN, NAN)
        best = int(np.where(between, np.abs(precision - recall), np.inf).argmin())
        return Breakeven(float(precision[best]), float(recall[best]), float(self.thresholds[best]))


@dataclass(frozen=True)
class BufferCounts:
    """Correctness, completeness and quality of centrelines; counts of several images add up with ``+``.

    Two pixels match within ``radius_px`` of each other, Euclidean, the radius included.

    Attributes:
        near_truth: Predicted centreline pixels that match the truth.
        predicted: All predicted centreline pixels.
        near_predicted: Centreline pixels of the truth that match the prediction.
        truth: All centreline pixels of the truth.

    Source: C. Wiedemann, C. Heipke, H. Mayer, O. Jamet, Empirical evaluation of automatically extracted road axes, 1998.

    Example:
        >>> line = np.zeros((4, 20), bool)
        >>> line[2] = True
        >>> half = line.copy()
        >>> half[:, 10:] = False
        >>> counts = BufferCounts.of(half, line, radius_px=3)
        >>> counts.correctness, counts.completeness, round(counts.quality, 3), round(counts.quality_wiedemann, 3)
        (1.0, 0.65, 0.65, 0.588)
    """

    near_truth: int = 0
    predicted: int = 0
    near_predicted: int = 0
    truth: int = 0

    @classmethod
    def of(
        cls, predicted: Booleans, truth: Booleans, *, radius_px: float = 3.0, valid: Booleans | None = None
    ) -> BufferCounts:
        """Count the pixels of one image; all arrays are bool (rows, cols).

        Args:
            predicted: Centrelines of the prediction, one pixel wide.
            truth: Centrelines of the truth, one pixel wide.
            radius_px: Width of the buffer to each side, pixels.
            valid: Where to look; elsewhere there is no line. None: everywhere.

        Raises:
            InputError: The shapes differ.
            UsageError: The radius is negative.
        """
        predicted, truth = _visible(predicted, truth, valid)
        _check_radius(radius_px)
        return cls(
            int((_distance_to(truth)[predicted] <= radius_px).sum()),
            int(predicted.sum()),
            int((_distance_to(predicted)[truth] <= radius_px).sum()),
            int(truth.sum()),
        )

    def __add__(self, other: BufferCounts) -> BufferCounts:
        return BufferCounts(
            self.near_truth + other.near_truth,
            self.predicted + other.predicted,
            self.near_predicted + other.near_predicted,
            self.truth + other.truth,
        )

    @property
    def correctness(self) -> float:
        """Share of the prediction that matches; 0 where only the truth has lines, NaN where neither has."""
        return ratio(self.near_truth, self.predicted) if self.predicted else (0.0 if self.truth else NAN)

    @property
    def completeness(self) -> float:
        """Share of the truth that is matched; NaN where the truth has no line (the reference refuses that)."""
        return ratio(self.near_predicted, self.truth)

    @property
    def quality(self) -> float:
        """Quality ``c p / (c + p - c p)`` of correctness p and completeness c; NaN where the truth has no line."""
        p, c = self.correctness, self.completeness
        return 0.0 if p == c == 0 else c * p / (c + p - c * p)

    @property
    def quality_wiedemann(self) -> float:
        """Wiedemann's quality: matched prediction over matched prediction, wrong prediction and missed truth.

        Differs from `quality` when the matched lengths differ; NaN where the truth has no line.
        """
        if not self.truth:
            return NAN
        return ratio(self.near_truth, self.predicted + self.truth - self.near_predicted)


def ratio(part: float, whole: float) -> float:
    """Divide, NaN where there is nothing to divide by."""
    return part / whole if whole else NAN


def harmonic_mean(first: float, second: float, *, empty: tuple[bool, bool] = (False, False)) -> float:
    """Return the harmonic mean: 0 where one is 0 or one side is empty, NaN where both are empty."""
    if all(empty):
        return NAN
    if any(empty) or first + second == 0:
        return 0.0
    return 2 * first * second / (first + second)


def _visible(predicted: Booleans, truth: Booleans, valid: Booleans | None) -> tuple[Booleans, Booleans]:
    shapes = {np.shape(array) for array in (predicted, truth, valid) if array is not None}
    if len(shapes) > 1:
        raise InputError(f"the arrays have shapes {sorted(shapes)}; all need the same (rows, cols).")
    predicted, truth = np.asarray(predicted, bool), np.asarray(truth, bool)
    return (predicted, truth) if valid is None else (predicted & valid, truth & valid)


def _check_radius(radius_px: float) -> None:
    if radius_px < 0:
        raise UsageError(f"radius_px is {radius_px}; it must be 0 or more.")


def _window(radius_px: int) -> int:
    _check_radius(radius_px)
    return 2 * int(radius_px) + 1


def _dilated(mask: Booleans, radius_px: int) -> Booleans:
    grown: Booleans = ndimage.maximum_filter(mask, size=_window(radius_px), mode="constant", cval=False)
    return grown


def _distance_to(mask: Booleans) -> Floats:
    if not mask.any():
        return np.full(mask.shape, np.inf)
    distance: Floats = ndimage.distance_transform_edt(~mask)
    return distance


def _thresholds_passed(probability: NDArray[np.generic], steps: int) -> Integers:
    """Count the thresholds at or below each probability; 0 where there is no data."""
    thresholds = np.arange(steps) / steps
    if probability.dtype == np.uint8:
        table = np.searchsorted(thresholds, np.arange(256) / 254, side="right")
        table[255] = 0
        return np.asarray(table[probability], np.int64)
    known = np.isfinite(probability)
    passed = np.searchsorted(thresholds, np.where(known, probability, 0), side="right")
    return np.where(known, passed, 0).astype(np.int64)


def _at_least(passed: Integers, steps: int) -> Integers:
    """Count for each threshold the pixels that pass it."""
    counts = np.bincount(passed, minlength=steps + 1)
    return counts[::-1].cumsum()[::-1][1:].astype(np.int64)
