"""Blank areas: what an image shows in white or black where there is nothing, without saying so."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from roadlift.imagery.scaling import Pixels

if TYPE_CHECKING:
    from typing import Protocol

    from numpy.typing import NDArray

    class Sampled(Protocol):
        """An image that can be read coarsely."""

        @property
        def shape(self) -> tuple[int, int]:
            """Rows and columns."""
            ...

        def sample(self, max_pixels: int = ...) -> Pixels:
            """Read the whole raster, decimated."""
            ...


_LEVEL = 250
_BLACK = 2
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
    return _large(np.all(values >= _LEVEL, axis=0), min_pixels * scale)


def sample_of_image(source: Sampled) -> Pixels:
    """Read an image coarsely for its statistics; large areas of white or black, which fill it up, are not valid.

    Black are 0 in all bands, up to 2 in uint8, which compression makes of it.

    Args:
        source: The raster.
    """
    pixels = source.sample()
    return without_filling(pixels, scale=pixels.valid.size / math.prod(source.shape))


def without_filling(pixels: Pixels, *, scale: float = 1.0) -> Pixels:
    """Return the same pixels; large areas of white or black are not valid.

    Args:
        pixels: Of any type; white is looked for in uint8 only.
        scale: Share of the image's pixels that were read.

    Example:
        >>> values = np.full((3, 30, 60), 90, np.uint8)
        >>> values[:, :, :30] = 0
        >>> without_filling(Pixels(values, np.ones((30, 60), bool))).valid.mean()
        np.float64(0.5)
    """
    values = pixels.values
    black = _large(
        np.all((values >= 0) & (values <= (_BLACK if values.dtype == np.uint8 else 0)), axis=0)
        & pixels.valid,
        _MIN_PIXELS * scale,
    )
    return Pixels(values, pixels.valid & ~black & ~blank_areas(values, scale=scale))


def _large(areas: NDArray[np.bool_], min_pixels: float) -> NDArray[np.bool_]:
    """Keep the connected areas that are so large."""
    if not areas.any():
        return areas
    components, _ = ndimage.label(areas)
    large = np.bincount(components.ravel()) >= max(1, min_pixels)
    return np.asarray(areas & large[components], bool)
