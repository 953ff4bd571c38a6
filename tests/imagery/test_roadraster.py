"""Rasters of other tools: what is clear is recognised and said, what is not is refused with the way out."""

from __future__ import annotations

import numpy as np
import pytest
from rasterio.enums import ColorInterp

from roadlift.errors import InputError, UsageError
from roadlift.imagery import RoadRaster, Window

HALF = 127


def read(path, **options) -> tuple[list[int], str]:
    """All pixels in reading order, and what they were recognised as."""
    with RoadRaster(path, **options) as raster:
        return raster.read(Window(0, 0, *raster.shape)).ravel().tolist(), raster.meaning.text


@pytest.mark.parametrize(
    ("values", "dtype", "expected", "text"),
    [
        ([0, 1, 1, 0], "uint8", [0, 254, 254, 0], "mask, 0 and 1"),
        ([0, 1, 1, 0], "int32", [0, 254, 254, 0], "mask, 0 and 1"),
        ([0, 1, 1, 0], "float32", [0, 254, 254, 0], "mask, 0 and 1"),
        ([0, 255, 0, 255], "uint8", [0, 254, 0, 254], "mask, 0 and 255"),
        ([0, 255, 0, 255], "float32", [0, 254, 0, 254], "mask, 0 and 255"),
        ([0, 65535, 0, 0], "uint16", [0, 254, 0, 0], "mask, 0 and 65535"),
        ([0, 1, 255, 0], "uint8", [0, 254, 255, 0], "mask, 0 and 1; 255 is no data"),
        ([0, 0.5, 1, np.nan], "float32", [0, HALF, 254, 255], "probability from 0 to 1"),
        ([0, 0, 0, 0], "uint8", [0, 0, 0, 0], "mask, 0 and 1"),
        ([np.nan] * 4, "float32", [255] * 4, "nothing but no data"),
    ],
)
def test_what_is_clear_is_recognised(raster, values, dtype, expected, text) -> None:
    path = raster(np.array(values, dtype).reshape(2, 2))
    assert read(path) == (expected, text)


def test_bytes_of_many_values_are_probabilities(raster) -> None:
    values, text = read(raster(np.arange(256, dtype=np.uint8).reshape(16, 16)))
    assert text == "probability from 0 to 255"
    assert values == np.rint(np.arange(256) * 254 / 255).astype(int).tolist()


@pytest.mark.parametrize(
    ("values", "dtype", "way_out"),
    [
        ([0, 1, 2, 3], "uint8", "--class N"),
        ([0, 2, 2, 0], "uint8", "--class N"),
        (range(64), "uint8", "--scale 100 or --scale 255"),
        (range(0, 6400, 100), "uint16", "--scale N"),
        ([0, 50, 99.5, 100], "float32", "--scale 100"),
        ([-3, -1, 0.5, 4], "float32", "sigmoid"),
        ([-9999, 0, 0.5, 1], "float32", "--nodata"),
    ],
)
def test_what_may_mean_several_things_is_refused(raster, values, dtype, way_out) -> None:
    array = np.array(list(values), dtype)
    with pytest.raises(InputError, match=way_out):
        RoadRaster(raster(array.reshape(2, -1)))


def test_the_ways_out_lead_out(raster) -> None:
    classes = raster(np.array([[0, 1], [7, 3]], np.uint8), "classes.tif", nodata=3)
    assert read(classes, road_class=7) == ([0, 0, 254, 255], "class 7 of uint8: 0, 1, 7")
    percent = raster(np.array([[0, 50], [100, 10]], np.float32), "percent.tif")
    assert read(percent, scale=100) == ([0, HALF, 254, 25], "probability from 0 to 100")
    holes = raster(np.array([[-9999, 0], [0.5, 1]], np.float32), "holes.tif")
    assert read(holes, nodata=-9999) == ([255, 0, HALF, 254], "probability from 0 to 1")


def test_a_wrong_way_out_is_refused(raster) -> None:
    path = raster(np.array([[0, 1], [7, 3]], np.uint8))
    with pytest.raises(InputError, match="no class 2"):
        RoadRaster(path, road_class=2)
    with pytest.raises(InputError, match=r"does not lie in 0\.\.5"):
        RoadRaster(path, scale=5)
    with pytest.raises(UsageError, match="one of them"):
        RoadRaster(path, scale=5, road_class=7)
    with pytest.raises(UsageError, match="the bands 1 to 1"):
        RoadRaster(path, band=2, road_class=7)


def test_of_several_bands_one_is_named(raster) -> None:
    softmax = np.stack([np.full((2, 2), 0.25), np.full((2, 2), 0.75)]).astype(np.float32)
    path = raster(softmax)
    with pytest.raises(InputError, match="2 bands"):
        RoadRaster(path)
    assert read(path, band=2)[0] == [190] * 4


def test_a_grey_picture_is_one_band_and_a_colour_picture_is_none(raster) -> None:
    mask = np.array([[0, 255], [255, 0]], np.uint8)
    rgb = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    assert read(raster(np.stack([mask] * 3), "grey.tif", colours=rgb))[0] == [0, 254, 254, 0]
    with pytest.raises(InputError, match="colour picture"):
        RoadRaster(raster(np.stack([mask, mask, 255 - mask]), "colours.tif", colours=rgb))
    alpha = (ColorInterp.gray, ColorInterp.alpha)
    valid = np.array([[255, 255], [0, 255]], np.uint8)
    assert read(raster(np.stack([mask, valid]), "alpha.tif", colours=alpha))[0] == [0, 254, 255, 0]


def test_zero_is_not_road_also_where_the_file_calls_it_no_data(raster) -> None:
    path = raster(np.array([[0, 255], [255, 0]], np.uint8), nodata=0)
    assert read(path) == ([0, 254, 254, 0], "mask, 0 and 255")
    assert read(path, nodata=0)[0] == [255, 254, 254, 255]


def test_windows_are_parts_of_the_whole(raster) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    with RoadRaster(raster(values)) as source:
        whole = source.read(Window(0, 0, 16, 16))
        assert (source.read(Window(3, 5, 4, 6)) == whole[3:7, 5:11]).all()
