"""A labelled image in memory, and the rules that say which of its pixels nobody may learn from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roadlift.errors import UsageError

IGNORE = 255
"""Label of pixels that neither loss nor score may look at."""


@dataclass(frozen=True)
class Sample:
    """A labelled image.

    Attributes:
        name: Stem of the file.
        image: uint8 (rows, cols, 3), stretched; the stretch's fill value where there is no image.
        label: uint8 (rows, cols): 0 background, 1 road, 255 ignore.
    """

    name: str
    image: np.ndarray
    label: np.ndarray

    @property
    def valid_share(self) -> float:
        """Share of the pixels that have a label."""
        return float((self.label != IGNORE).mean())


def with_ignore_rim(label: np.ndarray, pixels: int) -> np.ndarray:
    """Mark the pixels beside every edge between road and background to be ignored: there labels are least sure.

    A pixel is marked when a pixel of the other class lies at most ``pixels`` rows and ``pixels`` columns away, so that
    the rim is ``pixels`` wide on either side of the edge. A road narrower than twice that is all rim. Where road or
    background meet ignored pixels or the border of the image there is no edge.

    Args:
        label: uint8 (rows, cols): 0 background, 1 road, 255 ignore.
        pixels: Width of the rim on either side; 0 marks nothing.

    Returns:
        A new label, uint8 (rows, cols).

    Raises:
        UsageError: ``pixels`` is negative.

    Example:
        >>> with_ignore_rim(np.array([[0, 0, 0, 1, 1, 1, 1]], np.uint8), 2).tolist()
        [[0, 255, 255, 255, 255, 1, 1]]
    """
    if pixels < 0:
        raise UsageError(f"The ignore rim is {pixels} pixels; it must be 0 or more.")
    square = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    near_road, near_background = (
        cv2.dilate((label == value).astype(np.uint8), square) > 0 for value in (1, 0)
    )
    return np.where(near_road & near_background, np.uint8(IGNORE), label)
