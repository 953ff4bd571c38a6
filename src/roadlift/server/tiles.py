"""Map tiles of the rasters that child processes wrote; nothing that was uploaded is opened here."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

import numpy as np
from rio_tiler.errors import NoOverviewWarning, TileOutsideBounds
from rio_tiler.io import Reader

from roadlift.imagery import NO_DATA
from roadlift.imagery.opening import gdal_settings, open_raster
from roadlift.server.problems import Problem

SIZE: Final = 256
ZOOMS: Final = range(25)
_LOW, _HIGH, _OPACITY = (255, 237, 140), (214, 30, 90), 225
_VISIBLE = 12

Colour = tuple[int, int, int, int]


def colour_ramp() -> dict[int, Colour]:
    """Colours of probability 0..254: clear, yellow, red; no data is clear.

    Example:
        >>> colour_ramp()[0], colour_ramp()[254], colour_ramp()[255]
        ((0, 0, 0, 0), (214, 30, 90, 225), (0, 0, 0, 0))
    """
    share = np.arange(NO_DATA) / (NO_DATA - 1)
    rgb = np.rint(np.outer(1 - share, _LOW) + np.outer(share, _HIGH)).astype(int)
    opacity = np.rint(np.sqrt(share) * _OPACITY).astype(int) * (np.arange(NO_DATA) >= _VISIBLE)
    seen = [value for value in range(NO_DATA) if opacity[value]]
    ramp: dict[int, Colour] = dict.fromkeys(range(NO_DATA + 1), (0, 0, 0, 0))
    return ramp | {value: (*_colour(rgb[value]), int(opacity[value])) for value in seen}


def _colour(rgb: np.ndarray) -> tuple[int, int, int]:
    return int(rgb[0]), int(rgb[1]), int(rgb[2])


_RAMP: Final = colour_ramp()
# Once for all threads: a raster that is being filled has no overviews yet.
warnings.filterwarnings("ignore", category=NoOverviewWarning)


def picture_tile(path: Path, z: int, x: int, y: int) -> bytes:
    """Return a tile of a preview as PNG.

    Raises:
        Problem: The tile lies outside.
    """
    return _tile(path, z, x, y, None)


def probability_tile(path: Path, z: int, x: int, y: int) -> bytes:
    """Return a tile of a probability raster in colours as PNG.

    Raises:
        Problem: The tile lies outside.
    """
    return _tile(path, z, x, y, _RAMP)


def _tile(path: Path, z: int, x: int, y: int, ramp: dict[int, Colour] | None) -> bytes:
    try:
        with gdal_settings(), open_raster(path) as dataset, Reader(None, dataset=dataset) as reader:
            image = reader.tile(x, y, z, tilesize=SIZE, resampling_method="nearest" if ramp else "bilinear")
            png: bytes = image.render(img_format="PNG", colormap=ramp, ZLEVEL=1)
            return png
    except TileOutsideBounds:
        raise Problem(404, "outside", "The tile lies outside of the image.") from None
