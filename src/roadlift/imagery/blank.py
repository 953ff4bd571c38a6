"""Blank areas: what an orthophoto shows in white where it has no image, without saying so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEVEL = 250
_MIN_PIXELS = 400


def blank_areas(
    values: NDArray[Any], min_pixels: int = _MIN_PIXELS, *, scale: float = 1.0
) -> NDArray[np.bool_]:
    """Find connected areas of white: what an orthophoto shows where it has no image.

    Args:
        values: uint8 (bands, rows, cols); other types have no blank areas.
        min_pixels: Smaller white areas are roofs and paint.
        scale: Share of the image's pixels that were read; areas are so much smaller.

    Returns:
        bool (rows, cols).

    Example:
        >>> blank_areas(np.full((3, 30, 30), 255, np.uint8)).all()
        np.True_
    """
    if values.dtype != np.uint8:
        return np.zeros(values.shape[1:], bool)
    white: NDArray[np.bool_] = np.all(values >= _LEVEL, axis=0)
    if not white.any():
        return np.zeros(values.shape[1:], bool)
    components, _ = ndimage.label(white)
    large = np.bincount(components.ravel()) >= max(1, min_pixels * scale)
    return np.asarray(white & large[components], bool)
