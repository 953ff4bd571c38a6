"""What of a raster holds data, as polygons on the map."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import shapely
from affine import Affine
from rasterio.features import shapes

from roadlift.imagery.georef import Georef

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_PIXELS = 10_000
"""Smaller holes are not left out, smaller islands are."""
STAIRS_PX = 0.75
"""A slanted border is drawn in steps; the outline leaves out those that are no higher."""


def outline(strips: Iterable[NDArray[np.bool_]], georef: Georef) -> shapely.Geometry:
    """Draw the outline of where data are.

    Args:
        strips: bool (rows, cols), one below the other, all of one width.
        georef: Of the raster.

    Returns:
        Polygon or polygons in the georeference's CRS, along the outer edges of pixels; empty where there are no data.

    Example:
        >>> outline([np.ones((50, 300), bool)] * 2, Georef(None, Affine.translation(10, 0))).bounds
        (10.0, 0.0, 310.0, 100.0)
    """
    parts, top = [], 0
    for strip in strips:
        transform = georef.transform * Affine.translation(0, top)
        found = shapes(strip.astype(np.uint8), mask=strip, transform=transform)
        parts += [shapely.geometry.shape(polygon) for polygon, _ in found]
        top += len(strip)
    pixel = abs(georef.transform.determinant)
    whole = _large(shapely.union_all(parts), LEAST_PIXELS * pixel)
    drawn: shapely.Geometry = shapely.simplify(whole, STAIRS_PX * pixel**0.5)
    return drawn


def _large(areas: shapely.Geometry, least: float) -> shapely.Geometry:
    """Leave out small islands, and fill small holes."""
    islands = [one for one in shapely.get_parts(areas) if one.area >= least]
    return shapely.union_all([_without_small_holes(one, least) for one in islands])


def _without_small_holes(island: shapely.Polygon, least: float) -> shapely.Polygon:
    holes = [ring for ring in island.interiors if shapely.Polygon(ring).area >= least]
    return shapely.Polygon(island.exterior, holes)
