"""Small whole images to GeoTIFF in one step; large ones stream through the writers of ``sink``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from roadlift.errors import OutputError

if TYPE_CHECKING:
    from roadlift.imagery.georef import Georef


def write_image(path: str | Path, image: np.ndarray, georef: Georef, *, overwrite: bool = False) -> Path:
    """Write a uint8 image as a tiled, deflated GeoTIFF that is there complete or not at all.

    Args:
        path: where to.
        image: uint8 (rows, cols) or (rows, cols, 3).
        georef: its georeference.
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
        "driver": "GTiff", "height": rows, "width": cols, "count": count, "dtype": "uint8", "crs": georef.crs,
        "transform": georef.transform, "compress": "deflate", "tiled": True, "blockxsize": 256,
        "blockysize": 256,
        "photometric": "RGB" if count == 3 else "MINISBLACK",
    }  # fmt: skip
    try:
        with rasterio.open(partial, "w", **profile) as target:
            target.write(np.moveaxis(bands, 2, 0))
        partial.replace(path)
    except (OSError, RasterioError) as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"cannot write {path}: {error}; check that the folder exists and has room"
        ) from error
    return path
