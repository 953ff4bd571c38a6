"""Where pixels lie on the ground: a CRS and an affine transform, used through pixel centres only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from pyproj import CRS as ProjCRS
from pyproj import Geod, Transformer
from rasterio.crs import CRS

from roadlift.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from roadlift.imagery.grid import Window

    Coordinates = tuple[NDArray[np.float64], NDArray[np.float64]]

_GEOD = Geod(ellps="WGS84")


@dataclass(frozen=True)
class Georef:
    """A CRS and the transform from pixel corners (col, row) to map coordinates (x, y).

    The centre of pixel (row, col) lies at ``transform * (col + 0.5, row + 0.5)``; bounds are never used, so rotated,
    south-up and sheared rasters need no special case. Without CRS the "map" is the source image's own pixel space.

    Example:
        >>> georef = Georef(CRS.from_epsg(32619), Affine(2.0, 0.0, 100.0, 0.0, -2.0, 500.0))
        >>> [float(value) for value in georef.to_map(0, 0)]
        [101.0, 499.0]
    """

    crs: CRS | None
    transform: Affine

    def to_map(self, rows: ArrayLike, cols: ArrayLike) -> Coordinates:
        """Return map (x, y) of pixel centres; (row 0, col 0) is the centre of the first pixel. Fractions are allowed."""
        col, row = np.asarray(cols, np.float64) + 0.5, np.asarray(rows, np.float64) + 0.5
        a, b, c, d, e, f = self.transform[:6]
        return a * col + b * row + c, d * col + e * row + f

    def to_pixel(self, x: ArrayLike, y: ArrayLike) -> Coordinates:
        """Return fractional (rows, cols) of map points, the inverse of :meth:`to_map`."""
        a, b, c, d, e, f = (~self.transform)[:6]
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        return d * x + e * y + f - 0.5, a * x + b * y + c - 0.5

    def at(self, window: Window) -> Georef:
        """Return the georeference of a window of this raster."""
        a, b, c, d, e, f = self.transform[:6]
        x, y = a * window.col + b * window.row + c, d * window.col + e * window.row + f
        return Georef(self.crs, Affine(a, b, x, d, e, y))

    def ground_resolution(self, shape: tuple[int, int]) -> tuple[float, float]:
        """Return metres on the ground of one step down a row and one step across a column, at the raster's centre.

        Args:
            shape: (rows, cols) of the raster.

        Raises:
            InputError: There is no CRS, or its coordinates cannot be turned into longitude and latitude.
        """
        if self.crs is None:
            raise InputError(
                "The raster has no CRS, so its ground resolution is unknown. Give it with --gsd in metres."
            )
        row, col = (shape[0] - 1) / 2, (shape[1] - 1) / 2
        x, y = self.to_map([row - 0.5, row + 0.5, row, row], [col, col, col - 0.5, col + 0.5])
        transformer = Transformer.from_crs(
            ProjCRS.from_user_input(self.crs.to_wkt()), "EPSG:4326", always_xy=True
        )
        longitude, latitude = transformer.transform(x, y)
        _, _, down = _GEOD.inv(longitude[0], latitude[0], longitude[1], latitude[1])
        _, _, across = _GEOD.inv(longitude[2], latitude[2], longitude[3], latitude[3])
        if not np.isfinite([*longitude, *latitude, down, across]).all():
            raise InputError(f"The raster's centre, map {x[0]:.6g}, {y[0]:.6g}, does not lie within its CRS.")
        return float(down), float(across)
