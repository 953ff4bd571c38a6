"""Images as they come: odd georeferences, odd pixels, holes. The roads are where they are, and as long as they are."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

from roadlift.imagery import Georef, ImagerySource, Window
from roadlift.model import load_model
from roadlift.network import vectorize
from roadlift.pipeline import ExtractOptions, extract, predict_image
from roadlift.scene import render

UTM, ANTIMERIDIAN, STATE_PLANE = "EPSG:32619", "EPSG:4326", "EPSG:2263"
BEND = ((-90.0, -70.0), (-20.0, 15.0), (85.0, 60.0))  # metres east and north of the image's centre
GEOREFS = {  # CRS, longitude and latitude of the centre, linear part (a, b, d, e), side in pixels
    "rotated": (UTM, (-71.4, 42.4), (0.866, 0.5, 0.5, -0.866), 300),
    "south-up": (UTM, (-71.4, 42.4), (1, 0, 0, 1), 220),
    "non-square": (UTM, (-71.4, 42.4), (1, 0, 0, -1.5), 220),
    "degrees": ("EPSG:4326", (-71.4, 42.4), (1.2e-5, 0, 0, -9e-6), 220),
    "feet": (STATE_PLANE, (-74.0, 40.7), (3.28, 0, 0, -3.28), 220),
    "antimeridian": (ANTIMERIDIAN, (179.9999, -17.0), (1.2e-5, 0, 0, -9e-6), 220),
}


def _place(kind):
    crs, centre, (a, b, d, e), side = GEOREFS[kind]
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(*centre)
    half = side / 2
    transform = Affine(a, b, x - (a + b) * half, d, e, y - (d + e) * half)
    metric = CRS.from_user_input(f"+proj=tmerc +lon_0={centre[0]} +lat_0={centre[1]} +datum=WGS84")
    return Georef(CRS.from_user_input(crs), transform), metric, (side, side)


def _draw(georef, metric, shape):
    """Draw the bend as a road of 6 m with soft edges; its distance is measured on the ground."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    x, y = georef.to_map(rows, cols)
    east, north = Transformer.from_crs(georef.crs.to_wkt(), metric.to_wkt(), always_xy=True).transform(x, y)
    distance = shapely.distance(shapely.points(east, north), shapely.LineString(BEND))
    road = np.clip(3.5 - distance, 0, 1)
    return np.repeat((40 + 180 * road).astype(np.uint8)[None], 3, axis=0)


@pytest.mark.parametrize("kind", GEOREFS)
def test_a_road_is_where_it_is_and_as_long(raster, kind):
    georef, metric, shape = _place(kind)
    path = raster(_draw(georef, metric, shape), crs=georef.crs, transform=georef.transform)
    with ImagerySource(path) as source:
        pixels = source.read(Window(0, 0, *source.shape))
        probability = np.where(
            pixels.valid, np.clip((pixels.values[0].astype(int) - 40) * 254 // 180, 0, 254), 255
        )
        roads = vectorize(
            probability.astype(np.uint8), source.georef, ground_resolution_m=source.ground_resolution_m
        ).reproject(source.native_georef.crs)
    truth = shapely.LineString(BEND)
    lines = gpd.GeoSeries(roads.edges.geometry.to_numpy(), crs=roads.edges.crs).to_crs(metric.to_wkt())
    found = shapely.union_all(lines.to_numpy())
    assert roads.edges.length_m.sum() == pytest.approx(truth.length, rel=0.01)
    assert found.hausdorff_distance(truth) < 1.2  # at an end, which thinning may move
    middle = shapely.LineString([truth.interpolate(d) for d in np.linspace(8, truth.length - 8, 60)])
    distances = [found.distance(shapely.Point(place)) for place in middle.coords]
    assert max(distances) < 1.0


@pytest.fixture(scope="module")
def model():
    """The built-in model in floats: int8 makes more of a difference of one grey level than that is worth."""
    return load_model(precision="f32", threads=1)


SCENE = np.moveaxis(render(5, shape=(192, 192)).image, -1, 0)
OPAQUE = np.full((1, 192, 192), 255, np.uint8)
BGRA = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.alpha]


@pytest.mark.parametrize(
    ("stored", "options", "profile"),
    [
        (SCENE.astype(np.uint16) * 257, {}, {}),
        ((SCENE / 255).astype(np.float32), {}, {}),
        (np.concatenate([SCENE[::-1], OPAQUE]), {}, {"colours": BGRA}),
        (np.concatenate([SCENE[::-1], OPAQUE, OPAQUE]), {"bands": (3, 2, 1)}, {}),
    ],
    ids=["uint16", "float32", "bgra", "five bands"],
)
def test_the_same_scene_in_other_pixels_gives_the_same_roads(raster, model, stored, options, profile):
    plain = predict_image(raster(SCENE, "plain.tif"), model).astype(int)
    other = predict_image(raster(stored, "other.tif", **profile), model, ExtractOptions(**options)).astype(
        int
    )
    assert (plain > 127).mean() > 0.02
    assert np.abs(other - plain).max() <= 2


def test_a_hole_of_nan_changes_nothing_around_it(raster, model):
    scene = SCENE.astype(np.float32)
    hole = np.zeros(SCENE.shape[1:], bool)
    hole[60:67, 50:90] = True
    filled, holed = scene.copy(), scene.copy()
    holed[:, hole] = np.nan
    filled[:, hole] = scene[:, ~hole].mean(axis=1, keepdims=True)
    options = ExtractOptions(stretch="none", nodata=None)
    found = predict_image(raster(holed / 255, "holed.tif"), model, options)
    assert (found[hole] == 255).all()
    assert (found[~hole] < 255).all()
    whole = predict_image(
        raster(np.where(hole, np.float32(127 / 255), scene / 255), "filled.tif"), model, options
    )
    np.testing.assert_array_equal(found[~hole], whole[~hole])


def test_an_image_of_nothing_has_no_roads_and_a_file_all_the_same(raster, tmp_path):
    path = raster(np.zeros((3, 90, 90), np.uint8), nodata=0)
    roads = extract(path)
    assert len(roads.edges) == 0
    roads.save(tmp_path / "roads.gpkg")
    assert len(gpd.read_file(tmp_path / "roads.gpkg", layer="edges")) == 0


def test_the_lowest_float_as_no_data_leaves_finite_values(raster, model):
    lowest = float(np.finfo(np.float32).min)
    scene = SCENE.astype(np.float32)
    scene[:, :40] = lowest
    for ground_resolution in (1.0, 1.5):
        with ImagerySource(raster(scene, nodata=lowest), ground_resolution=ground_resolution) as source:
            pixels = source.read(Window(0, 0, *source.shape))
            assert np.abs(pixels.values[:, pixels.valid]).max() < 300
            assert not pixels.valid[: int(38 / ground_resolution)].any()
    found = predict_image(raster(scene, nodata=lowest), model)
    assert (found[:40] == 255).all()
    assert (found[40:] < 255).all()
