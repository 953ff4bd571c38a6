"""Small whole images to GeoTIFF in one step; large ones stream through the writers of ``sink``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from roadlift.errors import OutputError
from roadlift.imagery.opening import gdal_opening

if TYPE_CHECKING:
    from roadlift.imagery.georef import Georef


def write_image(
    path: str | Path,
    image: np.ndarray,
    georef: Georef,
    *,
    valid: np.ndarray | None = None,
    nodata: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Write an image as a tiled, deflated GeoTIFF that is there complete or not at all.

    Args:
        path: where to.
        image: (rows, cols) or (rows, cols, 3) of an integer or float type.
        georef: its georeference.
        valid: bool (rows, cols), written as the file's mask where it is not true everywhere.
        nodata: value that means no data.
        overwrite: replace an existing file.

    Raises:
        OutputError: the file exists, or cannot be written.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already; choose another name, or allow it to be replaced")
    bands = np.atleast_3d(image)
    rows, cols, count = bands.shape
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    profile = {
        "driver": "GTiff", "height": rows, "width": cols, "count": count, "dtype": image.dtype, "crs": georef.crs,
        "transform": georef.transform, "compress": "deflate", "tiled": True, "blockxsize": 256,
        "blockysize": 256,
        "photometric": "RGB" if count == 3 else "MINISBLACK", "nodata": nodata,
    }  # fmt: skip
    try:
        with (
            gdal_opening(),
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(partial, "w", **profile) as target,
        ):
            target.write(np.moveaxis(bands, 2, 0))
            if valid is not None and not valid.all():
                target.write_mask(valid)
        partial.replace(path)
    except (OSError, RasterioError) as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"cannot write {path}: {error}; check that the folder exists and has room"
        ) from error
    return path
