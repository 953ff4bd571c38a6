"""A probability from one grid onto another through their georeferences."""

from __future__ import annotations

import numpy as np
from rasterio.enums import Resampling
from rasterio.warp import reproject

from roadlift.errors import InputError
from roadlift.imagery.georef import Georef
from roadlift.imagery.masks import NO_DATA


def onto_grid(
    probability: np.ndarray,
    georef: Georef,
    target: Georef,
    shape: tuple[int, int],
    *,
    name: str = "the raster",
) -> np.ndarray:
    """Bring a probability onto another grid; where both grids are the same it is returned as it is.

    Without a CRS on both sides the rasters lie on the same grid if they have as many pixels. Coarser targets
    take the mean of the pixels, others interpolate between them.

    Args:
        probability: uint8 (rows, cols), 0..254 = p * 254, 255 = no data.
        georef: Its georeference.
        target: Georeference of the grid that is wanted.
        shape: (rows, cols) of that grid.
        name: What to call the raster in messages.

    Returns:
        uint8 of ``shape``; 255 also where the raster does not reach.

    Raises:
        InputError: The grids differ and one of them has no CRS.

    Example:
        >>> from roadlift.imagery.burn import north_up
        >>> fine, coarse = (north_up(0, 100, step, crs="EPSG:32619") for step in (1.0, 2.0))
        >>> onto_grid(np.full((4, 4), 100, np.uint8), fine, coarse, (2, 3)).tolist()
        [[100, 100, 255], [100, 100, 255]]
    """
    if georef.crs is None or target.crs is None:
        if probability.shape == shape:
            return probability
        raise InputError(
            f"{name} has {probability.shape} pixels, the other raster {shape}, and not both have a CRS: there is no telling "
            "how they lie. Give rasters of the same size, or GeoTIFFs with a CRS."
        )
    close = np.allclose(georef.transform[:6], target.transform[:6], rtol=0, atol=1e-9)
    if probability.shape == shape and close and georef.crs == target.crs:
        return probability
    values = probability.astype(np.float32)
    values[probability == NO_DATA] = np.nan
    aligned = np.full(shape, np.nan, np.float32)
    steps = [abs(at.determinant) for at in (georef.transform, target.transform)]
    coarser = georef.crs == target.crs and steps[1] > 2 * steps[0]
    reproject(
        values,
        aligned,
        src_transform=georef.transform,
        src_crs=georef.crs,
        src_nodata=np.nan,
        dst_transform=target.transform,
        dst_crs=target.crs,
        dst_nodata=np.nan,
        resampling=Resampling.average if coarser else Resampling.bilinear,
    )
    return np.where(np.isnan(aligned), NO_DATA, np.rint(np.nan_to_num(aligned))).astype(np.uint8)
