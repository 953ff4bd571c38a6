"""What the page's map shows: where things lie, pictures of images, tiles that fill in."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image as Picture
from rasterio.crs import CRS
from rio_tiler.constants import WEB_MERCATOR_TMS

from roadlift.errors import InputError
from roadlift.imagery import Georef, Window
from roadlift.imagery.preview import OpenRaster, overview_factors
from roadlift.model import find_card
from roadlift.server import intake
from roadlift.server.placement import Placement, bounds
from roadlift.server.problems import Problem
from roadlift.server.tiles import picture_tile, probability_tile

UTM = CRS.from_epsg(32619)
CARD = find_card("roadlift-1m")


def rgba(png):
    return np.asarray(Picture.open(io.BytesIO(png)).convert("RGBA"))


def map_of(path, draw, where):
    """Four tiles that hold all of a box, at the largest zoom at which four do, as one picture."""
    west, south, east, north = where
    for zoom in range(22, -1, -1):
        first, last = WEB_MERCATOR_TMS.tile(west, north, zoom), WEB_MERCATOR_TMS.tile(east, south, zoom)
        if last.x - first.x <= 1 and last.y - first.y <= 1:
            rows = [[_tile(path, draw, zoom, first.x + x, first.y + y) for x in (0, 1)] for y in (0, 1)]
            return np.vstack([np.hstack(row) for row in rows])
    raise AssertionError(where)


def _tile(path, draw, z, x, y):
    try:
        return rgba(draw(path, z, x, y))
    except Problem:
        return np.zeros((256, 256, 4), np.uint8)


def test_bounds_of_a_turned_raster_hold_all_of_it():
    turned = Georef(UTM, Affine.translation(300_000, 4_700_000) @ Affine.rotation(30) @ Affine.scale(1, -1))
    straight = Georef(UTM, Affine.translation(300_000, 4_700_000) @ Affine.scale(1, -1))
    west, south, east, north = bounds(turned, (100, 200))
    assert east - west > 1.02 * (bounds(straight, (100, 200))[2] - bounds(straight, (100, 200))[0])
    assert south < north


def test_bounds_at_the_pole_are_refused():
    with pytest.raises(InputError, match="85"):
        bounds(Georef(CRS.from_epsg(4326), Affine(0.01, 0, 10, 0, -0.01, 89.9)), (50, 50))


def test_pixels_lie_around_zero_one_metre_each():
    placement = Placement((100, 200))
    west, south, east, north = bounds(placement.georef(Georef(None, Affine.scale(2.0))), (50, 100))
    assert (west, south) == pytest.approx((-east, -north))
    back = placement.to_road_map(np.array([[west, north], [0, 0], [east, south]]), None)
    assert back == pytest.approx(np.array([[0, 0], [100, 50], [200, 100]]), abs=1e-6)


@pytest.mark.parametrize("crs", ["EPSG:32619", None])
@pytest.mark.parametrize("most", [10**9, 20_000])
def test_picture(raster, tmp_path, monkeypatch, crs, most):
    """Red left, green right, a hole without data; also with fewer pixels than the image."""
    pixels = np.zeros((3, 200, 300), np.uint16)
    pixels[0, :, :150], pixels[1, :, 150:] = 4000, 4000
    pixels[2] = np.linspace(1, 4000, 300).astype(np.uint16)
    pixels[:, 80:120, 130:170] = 0
    raster(pixels, "image.tif", crs=crs, nodata=0, **({} if crs else {"transform": Affine.identity()}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(intake, "PREVIEW_PIXELS", most)
    intake._write_picture(Path("image.tif"), (200, 300), CARD)
    with rasterio.open("preview.tif") as preview:
        assert preview.width * preview.height <= most * 1.1
        assert preview.crs is not None
        assert preview.overviews(1) == overview_factors(preview.shape)
        where = bounds(Georef(preview.crs, preview.transform), preview.shape)
    tile = map_of(Path("preview.tif"), picture_tile, where)
    seen = tile[..., 3] == 255
    assert 0.05 < seen.mean() < 1
    rows, cols = np.nonzero(seen)
    left = tile[rows, cols][cols < np.quantile(cols, 0.3)].mean(axis=0)
    right = tile[rows, cols][cols > np.quantile(cols, 0.7)].mean(axis=0)
    assert left[0] > 200 > 50 > left[1]
    assert right[1] > 200 > 50 > right[0]
    middle = tile[int(rows.mean()), int(cols.mean())]
    assert middle[3] == 0


def test_probability_fills_in(tmp_path):
    georef = Georef(UTM, Affine(1, 0, 300_000, 0, -1, 4_700_000))
    path = tmp_path / "filling.tif"
    filling = OpenRaster(path, (300, 400), georef)
    where = bounds(georef, (300, 400))
    assert (map_of(path, probability_tile, where)[..., 3] == 0).all()
    filling.write(Window(0, 0, 300, 200), np.full((300, 200), 254, np.uint8))
    half = (map_of(path, probability_tile, where)[..., 3] > 0).sum()
    assert half > 0
    filling.write(Window(0, 200, 300, 200), np.full((300, 200), 200, np.uint8))
    assert (map_of(path, probability_tile, where)[..., 3] > 0).sum() == pytest.approx(2 * half, rel=0.05)
    with rasterio.open(path) as written:
        assert (written.read(1) == np.repeat([254, 200], 200)).all()
    with pytest.raises(Problem, match="outside"):
        probability_tile(path, 17, 0, 0)
