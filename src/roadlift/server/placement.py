"""Where things lie on the page's map: where they are, or, without CRS, in a made-up box around 0, 0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS, Transformer

from roadlift.errors import InputError
from roadlift.imagery import Georef
from roadlift.imagery.burn import north_up

if TYPE_CHECKING:
    import geopandas as gpd

    from roadlift.network import RoadMap

WGS84 = "EPSG:4326"
MERCATOR = "EPSG:3857"
_MERCATOR_LIMIT = 85.05
_EDGE_POINTS = 65

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Placement:
    """From the coordinates of a road map to the page's map and back.

    Attributes:
        shape: (rows, cols) of an image without CRS, whose road maps are in its pixels; None where there is a CRS.

    Example:
        >>> Placement((100, 200)).origin
        (-100.0, 50.0)
    """

    shape: tuple[int, int] | None = None

    @classmethod
    def of(cls, georef: Georef, shape: tuple[int, int]) -> Placement:
        """Return the placement of an image by its own georeference."""
        return cls(shape if georef.crs is None else None)

    @property
    def origin(self) -> tuple[float, float]:
        """Where the upper left corner of an image without CRS lies: one pixel a metre, its middle at 0, 0."""
        rows, cols = self.shape or (0, 0)
        return -cols / 2, rows / 2

    def georef(self, georef: Georef) -> Georef:
        """Return where a raster lies on the map."""
        if self.shape is None:
            return georef
        base = north_up(*self.origin, 1.0, crs=MERCATOR)
        a, b, c, d, e, f = georef.transform[:6]
        left, top = self.origin
        return Georef(base.crs, Affine(a, b, left + c, -d, -e, top - f))

    def table(self, table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        """Return a table with its geometry in longitude and latitude."""
        if self.shape is not None:
            placed = shapely.transform(
                table.geometry.to_numpy(), lambda points: points * (1, -1) + self.origin
            )
            table = table.set_geometry(placed, crs=MERCATOR)
        return table.to_crs(WGS84)

    def to_road_map(self, points: np.ndarray, crs: Any) -> np.ndarray:
        """Turn longitudes and latitudes (n, 2) into coordinates of a road map in ``crs``."""
        target = MERCATOR if self.shape is not None else crs
        x, y = Transformer.from_crs(WGS84, target, always_xy=True).transform(points[:, 0], points[:, 1])
        if self.shape is not None:
            left, top = self.origin
            x, y = x - left, top - y
        return np.stack([x, y], axis=1)


def bounds(georef: Georef, shape: tuple[int, int]) -> Bounds:
    """West, south, east, north in degrees of all of a raster's edge.

    Raises:
        InputError: It lies where the page's map (Web Mercator) does not reach, or nowhere.
    """
    rows, cols = (np.linspace(-0.5, extent - 0.5, _EDGE_POINTS) for extent in shape)
    top, left = np.full(_EDGE_POINTS, -0.5), np.full(_EDGE_POINTS, -0.5)
    edge_rows = np.concatenate([top, top + shape[0], rows, rows])
    edge_cols = np.concatenate([cols, cols, left, left + shape[1]])
    x, y = georef.to_map(edge_rows, edge_cols)
    crs = CRS.from_user_input(MERCATOR if georef.crs is None else georef.crs.to_wkt())
    longitude, latitude = Transformer.from_crs(crs, WGS84, always_xy=True).transform(x, y)
    if not (np.isfinite(longitude).all() and np.isfinite(latitude).all()):
        raise InputError("The image's border has no longitude and latitude; its transform or CRS is wrong.")
    if np.abs(latitude).max() > _MERCATOR_LIMIT:
        raise InputError(
            f"The image reaches latitude {np.abs(latitude).max():.2f}; the map of the page ends at {_MERCATOR_LIMIT}. "
            "Use the command line: roadlift extract."
        )
    west, east = (float(value) for value in (longitude.min(), longitude.max()))
    return west, float(latitude.min()), east, float(latitude.max())


def in_degrees(roads: RoadMap, placement: Placement) -> RoadMap:
    """Return a road map in longitude and latitude as the page shows it."""
    return replace(
        roads,
        edges=placement.table(roads.edges),
        nodes=placement.table(roads.nodes),
        issues=placement.table(roads.issues),
    )
