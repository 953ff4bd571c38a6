"""Exact geometry into pixels: which pixel centres lie inside polygons, and north-up grids to burn on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.features import rasterize

from roadlift.imagery.georef import Georef

if TYPE_CHECKING:
    from collections.abc import Iterable


def north_up(left: float, top: float, ground_resolution_m: float, *, crs: str | None = None) -> Georef:
    """Return the georeference of a north-up raster whose outer corner of the first pixel is (left, top).

    Without a CRS the y axis points down, as in a plain picture.

    Example:
        >>> north_up(330_000, 4_690_000, 0.5, crs="EPSG:32619").transform[5]
        4690000.0
    """
    down = -ground_resolution_m if crs else ground_resolution_m
    transform = Affine(float(ground_resolution_m), 0.0, float(left), 0.0, float(down), float(top))
    return Georef(CRS.from_user_input(crs) if crs else None, transform)


def burn(
    geometries: Iterable[Any],
    shape: tuple[int, int],
    georef: Georef,
    *,
    values: Iterable[int] | None = None,
    supersample: int = 1,
) -> np.ndarray:
    """Rasterise geometries given in map coordinates.

    A pixel belongs to a polygon when its centre lies inside.

    Args:
        geometries: shapely geometries in the map coordinates of ``georef``; empty ones are passed over.
        shape: rows, columns of the result.
        georef: georeference of the result.
        values: one integer in 1..65535 per geometry, later ones drawn over earlier ones; by default all 1.
        supersample: sub-pixels along each side of a pixel; above 1 the result is the share of them covered.

    Returns:
        uint8 (rows, cols) of 0 and 1; uint16 of the values when ``values`` is given; float32 coverage 0..1
        when ``supersample`` is above 1.

    Example:
        >>> import shapely
        >>> square = shapely.box(1, 1, 3, 2.6)
        >>> burn([square], (3, 4), north_up(0, 0, 1.0)).tolist()
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]]
        >>> burn([square], (3, 4), north_up(0, 0, 1.0), supersample=4)[2].tolist()
        [0.0, 0.5, 0.5, 0.0]
    """
    numbers = None if values is None else list(values)
    shapes = [
        (geometry, 1 if numbers is None else numbers[index])
        for index, geometry in enumerate(geometries)
        if not geometry.is_empty
    ]
    rows, cols = shape
    dtype = "uint8" if numbers is None else "uint16"
    fine = np.zeros((rows * supersample, cols * supersample), dtype)
    if shapes:
        a, b, c, d, e, f = (float(value) for value in georef.transform[:6])
        finer = Affine(a / supersample, b / supersample, c, d / supersample, e / supersample, f)
        rasterize(shapes, out=fine, transform=finer)
    if supersample == 1:
        return fine
    coverage = fine.reshape(rows, supersample, cols, supersample).mean(axis=(1, 3), dtype=np.float32)
    return np.asarray(coverage)
