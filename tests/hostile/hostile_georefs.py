"""Georeferences that cannot be right, and values that are no numbers."""

from __future__ import annotations

import math

import numpy as np
import rasterio
from kinds import INPUT, LIMIT, USAGE, Place, kind
from rasterio import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rpc import RPC
from tiffs import DOUBLE, tiff

DATA = bytes(range(1, 201)) * 6


def _placed(name: str, code: int, says: str, **place_of: object) -> None:
    @kind(code, says, name)
    def placed(place: Place) -> list[str]:
        return place.extract(place.file("image.tif", tiff(20, 20, data=DATA, **place_of)))


_placed("pixels_of_nothing", INPUT, "without area", scale=(1e-20, 1e-20))
_placed("pixels_that_are_no_number", INPUT, r"without area.*nan", scale=(math.nan, 1.0))
_placed("pixels_without_end", INPUT, r"without area.*inf", scale=(math.inf, 1.0))
_placed("a_place_that_is_no_number", INPUT, r"without area.*nan", origin=(math.nan, 0.0))
_placed("a_place_beyond_the_universe", INPUT, "does not lie within its CRS", origin=(1e30, 1e30))
_placed("degrees_taken_for_metres", INPUT, r"pixels are .*e-05 m .* at least 0\.001 m", scale=(1e-5, 1e-5))
_placed("pixels_of_nine_kilometres", LIMIT, r"check its georeference", scale=(9000.0, 9000.0))


@kind(INPUT, "without area")
def a_transform_without_area(place: Place) -> list[str]:
    return place.extract(place.image(transform=Affine(1, 1, 5, 1, 1, 7)))


@kind(INPUT, "does not lie within its CRS|latitude|cannot be projected")
def beyond_the_pole(place: Place) -> list[str]:
    return place.extract(place.image(crs="EPSG:4326", transform=Affine(1e-5, 0, 10, 0, -1e-5, 95)))


@kind(INPUT, r"latitude 8\d\.\d; between -84 and 84")
def at_the_pole(place: Place) -> list[str]:
    return place.extract(place.image(crs="EPSG:4326", transform=Affine(1e-5, 0, 10, 0, -1e-5, 89)))


@kind(INPUT, "has a CRS that cannot be used")
def on_the_moon(place: Place) -> list[str]:
    datum = 'DATUM["D_Moon",SPHEROID["Moon",1737400,0]],PRIMEM["Reference_Meridian",0]'
    moon = f'GEOGCS["Moon",{datum},UNIT["Degree",0.0174532925199433]]'
    return place.extract(place.image(crs=CRS.from_wkt(moon), transform=Affine(1e-5, 0, 10, 0, -1e-5, 20)))


@kind(INPUT, "control points.*gdalwarp")
def control_points_only(place: Place) -> list[str]:
    path = place.image(crs=None, transform=Affine.identity())
    points = [GroundControlPoint(r, c, -71 + c / 1e4, 42 - r / 1e4) for r, c in ((0, 0), (0, 9), (9, 0))]
    with rasterio.open(path, "r+") as file:
        file.gcps = (points, CRS.from_epsg(4326))
    return place.extract(path)


@kind(INPUT, "sensor model.*gdalwarp")
def a_sensor_model_only(place: Place) -> list[str]:
    path = place.image(crs=None, transform=Affine.identity())
    numbers = [1.0] + [0.0] * 19
    model = RPC(
        height_off=1, height_scale=1, lat_off=42, lat_scale=1, line_den_coeff=numbers, line_num_coeff=numbers,
        line_off=1, line_scale=1, long_off=-71, long_scale=1, samp_den_coeff=numbers, samp_num_coeff=numbers,
        samp_off=1, samp_scale=1,
    )  # fmt: skip
    with rasterio.open(path, "r+") as file:
        file.rpcs = model
    return place.extract(path)


@kind(USAGE, "no CRS|has no CRS|GeoJSON")
def no_crs_where_degrees_are_needed(place: Place) -> list[str]:
    path = place.image(crs=None, transform=Affine.identity())
    return ["extract", str(path), "roads.geojson", "--model", str(place.model)]


@kind(USAGE, "'EPSG:-7' is not a CRS")
def a_crs_that_is_none(place: Place) -> list[str]:
    return place.extract(place.image(crs=None, transform=Affine.identity()), "--crs", "EPSG:-7")


@kind(USAGE, r"--gsd is (nan|-1)")
def a_scale_that_is_no_number(place: Place) -> list[str]:
    return place.extract(place.image(crs=None, transform=Affine.identity()), "--gsd", "nan")


@kind(INPUT, "has no CRS")
def a_mosaic_without_crs(place: Place) -> list[str]:
    (place.folder / "tiles").mkdir()
    place.image("tiles/a.tif")
    place.image("tiles/b.tif", crs=None, transform=Affine.identity())
    return place.extract("tiles")


@kind(LIMIT, "far apart")
def a_mosaic_around_the_world(place: Place) -> list[str]:
    (place.folder / "tiles").mkdir()
    place.image("tiles/a.tif")
    place.image("tiles/b.tif", transform=Affine(1, 0, 700_000, 0, -1, 100_000))
    return place.extract("tiles")


@kind(INPUT, "uint16 pixels.*uint8")
def a_mosaic_of_two_types(place: Place) -> list[str]:
    (place.folder / "tiles").mkdir()
    place.image("tiles/a.tif")
    place.image("tiles/b.tif", dtype="uint16")
    return place.extract("tiles")


# Values of masks and probabilities that mean nothing


@kind(INPUT, r"float32 from -?[\d.e+]+ to")
def a_probability_beyond_all_bounds(place: Place) -> list[str]:
    path = place.folder / "p.tif"
    profile = {
        "driver": "GTiff",
        "width": 40,
        "height": 40,
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:32619",
    }
    values = np.linspace(-1e38, 1e38, 1600, dtype=np.float32).reshape(40, 40)
    with rasterio.open(path, "w", transform=Affine(1, 0, 300_000, 0, -1, 4_700_000), **profile) as file:
        file.write(values, 1)
    return ["vectorize", str(path), "roads.gpkg"]


@kind(INPUT, "3 bands")
def a_picture_taken_for_a_mask(place: Place) -> list[str]:
    return ["vectorize", str(place.image()), "roads.gpkg"]


@kind(INPUT, "p.tif is damaged|cannot be opened")
def a_mask_cut_short(place: Place) -> list[str]:
    path = place.image("p.tif", count=1)
    path.write_bytes(path.read_bytes()[:-9000])
    return ["vectorize", str(path), "roads.gpkg"]


@kind(INPUT, "without area|does not lie|ground resolution|finite")
def a_mask_whose_pixels_are_no_number(place: Place) -> list[str]:
    content = tiff(20, 20, bands=1, photometric=1, data=bytes([0, 255] * 200), scale=(math.nan, 1.0), extra={
        33922: (DOUBLE, [0.0, 0.0, 0.0, 3e5, 4.7e6, 0.0])
    })  # fmt: skip
    return ["vectorize", str(place.file("p.tif", content)), "roads.gpkg"]
