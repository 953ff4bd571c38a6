"""Road maps with one of everything: a crossing, a ring, a gap that is bridged and an issue."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from roadlift.imagery.georef import Georef
from roadlift.network import RoadMap, vectorize


@pytest.fixture(scope="session")
def make_roads():
    """Return a function that makes the road map in a CRS, or in pixel coordinates for None."""

    def make(epsg: int | None) -> RoadMap:
        raster = np.zeros((120, 120), np.uint8)
        raster[57:64] = raster[:, 57:64] = 254
        raster[57:64, 80:86] = 0
        rows, cols = np.mgrid[:120, :120]
        raster[np.abs(np.hypot(rows - 28, cols - 28) - 15) < 3] = 254
        crs = CRS.from_epsg(epsg) if epsg else None
        georef = Georef(crs, Affine(1, 0, 100_000, 0, -1, 900_000))
        return vectorize(raster, georef, ground_resolution_m=1.0, provenance={"input": "a.tif"})

    return make


@pytest.fixture(scope="session")
def roads(make_roads) -> RoadMap:
    """The road map in EPSG:26986, metres."""
    return make_roads(26986)
