"""Pictures, masks and roads of small data sets, written to order."""

import json
import warnings

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning


@pytest.fixture
def write_raster():
    """Return a function that writes an array as PNG, JPEG or GeoTIFF by suffix, with all folders it needs."""

    def write(path, array, *, crs=None, transform=None, **profile):
        path.parent.mkdir(parents=True, exist_ok=True)
        array = array if array.ndim == 3 else array[None]
        driver = {".tif": "GTiff", ".tiff": "GTiff", ".png": "PNG", ".jpg": "JPEG"}[path.suffix]
        count, rows, cols = array.shape
        place = {"crs": crs, "transform": transform or Affine.identity()} if driver == "GTiff" else {}
        with warnings.catch_warnings(), rasterio.Env(GDAL_PAM_ENABLED="NO"):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(
                path,
                "w",
                driver=driver,
                count=count,
                height=rows,
                width=cols,
                dtype=array.dtype,
                **place,
                **profile,
            ) as file:
                file.write(array)
        return path

    return write


@pytest.fixture
def write_pair(write_raster):
    """Return a function that writes ``images/STEM.png`` and ``masks/STEM.png``."""

    def write(folder, stem, image, mask, masks="masks"):
        write_raster(folder / "images" / f"{stem}.png", image)
        write_raster(folder / masks / f"{stem}.png", mask)

    return write


@pytest.fixture
def write_roads():
    """Return a function that writes lines as GeoJSON: a list of (coordinates, properties)."""

    def write(path, lines, *, crs=None):
        path.parent.mkdir(parents=True, exist_ok=True)
        features = [
            {"type": "Feature", "properties": tags, "geometry": {"type": "LineString", "coordinates": line}}
            for line, tags in lines
        ]
        document = {"type": "FeatureCollection", "features": features}
        if crs is not None:
            document["crs"] = {"type": "name", "properties": {"name": crs}}
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture
def picture():
    """Return a function that makes a noisy image uint8 (3, rows, cols) without blank areas."""

    def make(rows=40, cols=50, seed=0):
        return np.random.default_rng(seed).integers(0, 200, (3, rows, cols)).astype(np.uint8)

    return make
