"""clDice: how well each mask covers the other's centreline, a score of connectedness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from skimage.morphology import skeletonize

from roadlift.errors import InputError
from roadlift.evaluate.buffers import harmonic_mean, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class ClDice:
    """Centreline Dice of one image; over several images take the mean of ``value``.

    Attributes:
        covered_truth: Centreline pixels of the truth inside the predicted mask.
        truth: All centreline pixels of the truth.
        covered_predicted: Centreline pixels of the prediction inside the true mask.
        predicted: All centreline pixels of the prediction.

    Source: S. Shit et al., clDice, a novel topology-preserving loss function for tubular structure segmentation, CVPR 2021;
    centrelines by Zhang and Suen's thinning, as in its code.

    Example:
        >>> bar = np.zeros((9, 30), bool)
        >>> bar[3:6, 2:28] = True
        >>> ClDice.of(bar, bar).value
        1.0
    """

    covered_truth: int
    truth: int
    covered_predicted: int
    predicted: int

    @classmethod
    def of(cls, predicted: Booleans, truth: Booleans, *, valid: Booleans | None = None) -> ClDice:
        """Compare two masks, bool (rows, cols).

        Args:
            predicted: Mask of the prediction.
            truth: Mask of the truth.
            valid: Where to look; elsewhere neither mask has road. None: everywhere.

        Raises:
            InputError: The shapes differ.
        """
        shapes = {np.shape(array) for array in (predicted, truth, valid) if array is not None}
        if len(shapes) > 1:
            raise InputError(f"the arrays have shapes {sorted(shapes)}; all need the same (rows, cols).")
        if valid is not None:
            predicted, truth = predicted & valid, truth & valid
        line, true_line = centreline(predicted), centreline(truth)
        return cls(
            int((true_line & predicted).sum()),
            int(true_line.sum()),
            int((line & truth).sum()),
            int(line.sum()),
        )

    @property
    def sensitivity(self) -> float:
        """Share of the true centreline that the prediction covers; NaN where there is none."""
        return ratio(self.covered_truth, self.truth)

    @property
    def precision(self) -> float:
        """Share of the predicted centreline that lies on road; NaN where there is none."""
        return ratio(self.covered_predicted, self.predicted)

    @property
    def value(self) -> float:
        """Harmonic mean of both; 1 where neither mask has road, 0 where only one has (NaN in the reference)."""
        if not self.truth and not self.predicted:
            return 1.0
        return harmonic_mean(self.sensitivity, self.precision, empty=(not self.truth, not self.predicted))


def centreline(mask: Booleans) -> Booleans:
    """Thin a mask, bool (rows, cols), to lines one pixel wide (Zhang and Suen).

    Example:
        >>> int(centreline(np.ones((3, 9), bool)).sum(axis=0).max())
        1
    """
    thinned: Booleans = skeletonize(mask)  # type: ignore[no-untyped-call]
    return thinned
