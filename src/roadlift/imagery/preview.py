"""Rasters made to be looked at: a picture of an image for map tiles, and a raster that is read while it is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from roadlift.errors import OutputError
from roadlift.imagery.grid import Window
from roadlift.imagery.masks import NO_DATA
from roadlift.imagery.opening import gdal_opening, gdal_settings

if TYPE_CHECKING:
    from roadlift.imagery.georef import Georef
    from roadlift.imagery.scaling import Stretch
    from roadlift.imagery.source import ImagerySource

BLOCK = 256
_SMALLEST_OVERVIEW = 256
_ROWS = 512
_QUALITY = 85


def write_preview(source: ImagerySource, path: Path, georef: Georef, stretch: Stretch) -> None:
    """Write what the network will see as a picture: RGB, JPEG in blocks, with a mask and overviews.

    Args:
        source: the image on the grid on which it is to be shown.
        path: where to, ``.tif``; appears when it is complete.
        georef: where the picture lies on a map; the source's, or a made-up one of an image without.
        stretch: of the image's values.

    Raises:
        InputError: the image is damaged.
        OutputError: the picture cannot be written.
    """
    rows, cols = source.shape
    partial = path.with_suffix(".partial.tif")
    profile = {
        "driver": "GTiff", "height": rows, "width": cols, "count": 3, "dtype": "uint8", "crs": georef.crs,
        "transform": georef.transform, "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "jpeg",
        "photometric": "ycbcr", "jpeg_quality": _QUALITY,
    }  # fmt: skip
    try:
        with gdal_opening(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, JPEG_QUALITY_OVERVIEW=_QUALITY):
            with rasterio.open(partial, "w", **profile) as target:
                for top in range(0, rows, _ROWS):
                    window = Window(top, 0, min(_ROWS, rows - top), cols)
                    pixels = source.read(window)
                    place = RasterioWindow(0, top, cols, window.height)
                    target.write(np.moveaxis(stretch.apply(pixels), 2, 0), window=place)
                    target.write_mask(pixels.valid, window=place)
            with rasterio.open(partial, "r+") as target:
                target.build_overviews(overview_factors((rows, cols)), Resampling.average)
        partial.replace(path)
    except (RasterioError, CPLE_BaseError, OSError) as error:
        raise OutputError(f"{path} cannot be written: {error}.") from error
    finally:
        partial.unlink(missing_ok=True)


def overview_factors(shape: tuple[int, int]) -> list[int]:
    """Powers of two by which a raster is made smaller until it fits into a tile of a map.

    Example:
        >>> overview_factors((1500, 600))
        [2, 4, 8]
    """
    factors = [2]
    while max(shape) / factors[-1] > _SMALLEST_OVERVIEW:
        factors.append(2 * factors[-1])
    return factors if max(shape) > _SMALLEST_OVERVIEW else []


class OpenRaster:
    """A probability raster that anybody may read while it is written: nothing is packed, nothing is kept back.

    All is no data at first. Each window that was written is in the file when ``write`` returns.

    Example:
        >>> raster = OpenRaster("filling.tif", (512, 512), georef)               # doctest: +SKIP
        >>> raster.write(Window(0, 0, 256, 512), probability)                    # doctest: +SKIP
    """

    def __init__(self, path: str | Path, shape: tuple[int, int], georef: Georef) -> None:
        """Create the file, of the size that it will keep.

        Raises:
            OutputError: There is no room for it.
        """
        self._path = Path(path)
        profile = {
            "driver": "GTiff", "height": shape[0], "width": shape[1], "count": 1, "dtype": "uint8", "crs": georef.crs,
            "transform": georef.transform, "nodata": NO_DATA, "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK,
            "bigtiff": "if_safer",
        }  # fmt: skip
        try:
            with gdal_opening(), rasterio.open(self._path, "w", **profile) as target:
                for top in range(0, shape[0], BLOCK):
                    rows = min(BLOCK, shape[0] - top)
                    place = RasterioWindow(0, top, shape[1], rows)
                    target.write(np.full((rows, shape[1]), NO_DATA, np.uint8), 1, window=place)
            with self._path.open("rb") as file:
                os.fsync(file.fileno())  # a full disk says so now
        except (RasterioError, CPLE_BaseError, OSError) as error:
            raise OutputError(f"{path} cannot be written: {error}.") from error

    def write(self, window: Window, values: np.ndarray) -> None:
        """Write uint8 (rows, cols) of a window.

        Raises:
            OutputError: The disk is failing.
        """
        place = RasterioWindow(window.col, window.row, window.width, window.height)
        try:
            with gdal_settings(), gdal_opening(), rasterio.open(self._path, "r+") as target:
                target.write(values, 1, window=place)
        except (RasterioError, CPLE_BaseError) as error:
            raise OutputError(f"{self._path} cannot be written: {error}.") from error

    def read(self) -> np.ndarray:
        """Return all of it, uint8 (rows, cols)."""
        with gdal_opening(), rasterio.open(self._path) as source:
            values: np.ndarray = source.read(1)
            return values
