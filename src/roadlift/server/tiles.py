"""Map tiles of the rasters that child processes wrote; nothing that was uploaded is opened here."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from typing import Final

import numpy as np
from rio_tiler.errors import NoOverviewWarning, TileOutsideBounds
from rio_tiler.io import Reader

from roadlift.imagery import NO_DATA
from roadlift.imagery.opening import gdal_settings, open_raster
from roadlift.server.problems import Problem

SIZE: Final = 256
CACHE_BYTES: Final = 64 * 2**20
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


class TileCache:
    """Tiles that were drawn lately, up to so many bytes; the one that was asked for longest ago goes first.

    Example:
        >>> cache = TileCache(5)
        >>> cache.keep("a", b"123"), cache.keep("b", b"456")
        (None, None)
        >>> cache.get("a"), cache.get("b")
        (None, b'456')
    """

    def __init__(self, largest: int = CACHE_BYTES) -> None:
        self._tiles: OrderedDict[Hashable, bytes] = OrderedDict()
        self._largest = largest
        self._size = 0

    def get(self, key: Hashable) -> bytes | None:
        """Return a tile that is kept."""
        if key in self._tiles:
            self._tiles.move_to_end(key)
        return self._tiles.get(key)

    def keep(self, key: Hashable, png: bytes) -> None:
        """Keep a tile."""
        self._size += len(png) - len(self._tiles.get(key, b""))
        self._tiles[key] = png
        while self._size > self._largest and self._tiles:
            self._size -= len(self._tiles.popitem(last=False)[1])


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
