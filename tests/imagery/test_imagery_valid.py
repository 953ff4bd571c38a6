"""What is valid, exactly: a square hole said in every way, in every type, as it is and warped to half the resolution."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from roadlift.errors import UsageError
from roadlift.imagery import ImagerySource, Window

HALF_METRE = Affine(0.5, 0.0, 300_000.0, 0.0, -0.5, 4_690_000.0)
HOLE = np.zeros((80, 96), bool)
HOLE[20:40, 32:60] = True
COLOURS = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32"]
FLOATS = ["float32", "float64"]


def _scene(dtype, hole=None):
    image = np.random.default_rng(0).integers(50, 120, (3, *HOLE.shape)).astype(dtype)
    if hole is not None:
        image[:, HOLE] = hole
    return image


@pytest.fixture(params=[None, 1.0], ids=["as it is", "warped"])
def check(request, raster):
    """Return a function that writes an image and demands that exactly the hole is invalid."""

    def demand(image, *, nodata_given=None, slack=0, **profile):
        path = raster(image, transform=HALF_METRE, **profile)
        with ImagerySource(path, ground_resolution=request.param, nodata=nodata_given) as source:
            pixels = source.read(Window(0, 0, *source.shape))
            assert source.warped == (request.param is not None)
        step = 2 if source.warped else 1
        expected = ~HOLE[::step, ::step]
        if source.warped and slack:
            wrong = pixels.valid & ~expected
            assert not wrong.any()
            assert (expected & ~pixels.valid).sum() < slack
        else:
            np.testing.assert_array_equal(pixels.valid, expected)
        inside = pixels.values[:, pixels.valid]
        assert 40 <= inside.min() <= inside.max() <= 127  # nothing of the hole bleeds into the image

    return demand


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
class TestEveryType:
    def test_nodata_of_the_file(self, check, dtype):
        check(_scene(dtype, 0), nodata=0)

    def test_nodata_given(self, check, dtype):
        check(_scene(dtype, 3), nodata_given=3)

    def test_nodata_given_wins_over_the_file(self, check, dtype):
        check(_scene(dtype, 3), nodata=0, nodata_given=3)

    def test_internal_mask(self, check, dtype):
        check(_scene(dtype), mask=~HOLE)

    def test_internal_mask_beside_nodata_given(self, check, dtype):
        check(_scene(dtype), mask=~HOLE, nodata_given=3)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("nodata_given", [None, 3])
def test_alpha(check, dtype, nodata_given):
    alpha = np.where(HOLE, 0, np.iinfo(dtype).max).astype(dtype)
    check(np.concatenate([_scene(dtype), alpha[None]]), colours=COLOURS, nodata_given=nodata_given)


@pytest.mark.parametrize("dtype", FLOATS)
class TestFloats:
    @pytest.mark.parametrize("nodata", [None, np.nan])
    def test_not_a_number(self, check, dtype, nodata):
        check(_scene(dtype, np.nan), nodata=nodata)

    @pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
    def test_not_finite_beside_another_nodata(self, check, dtype, hole):
        check(_scene(dtype, hole), nodata=-9999.0, slack=300)

    def test_lowest_number_as_nodata(self, check, dtype):
        check(_scene(dtype, np.finfo(dtype).min), nodata=float(np.finfo(dtype).min))


@pytest.mark.parametrize("nodata", [-1, 256, 0.5, float("nan")])
def test_nodata_must_be_a_value_of_the_type(raster, nodata):
    with pytest.raises(UsageError, match="from 0 to 255"):
        ImagerySource(raster(_scene("uint8")), nodata=nodata)


def test_a_png_with_alpha(raster):
    image = np.concatenate([_scene("uint8"), np.where(HOLE, 0, 255).astype(np.uint8)[None]])
    with ImagerySource(raster(image, "a.png")) as source:
        pixels = source.read(Window(0, 0, *source.shape))
    np.testing.assert_array_equal(pixels.values, image[:3])
    np.testing.assert_array_equal(pixels.valid, ~HOLE)


@pytest.mark.parametrize("ground_resolution", [None, 2.0])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_clear_colours_of_a_palette_are_no_data(raster, ground_resolution, dtype):
    path = raster(HOLE.astype(dtype), "palette.tif", photometric="PALETTE")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (10, 20, 30, 255), 1: (40, 50, 60, 0)})
    palette = ImagerySource(path, ground_resolution=ground_resolution)
    with palette as source:
        pixels = source.read(Window(0, 0, *source.shape))
    assert pixels.values.dtype == np.uint8
    assert np.unique(pixels.values[:, pixels.valid], axis=1).tolist() in (
        [[10], [20], [30]],
        [[10, 40], [20, 50], [30, 60]],
    )


@pytest.mark.parametrize("west", [179.9994, -180.0006])
def test_an_image_across_the_date_line_is_whole(raster, west):
    image = np.full((3, 100, 100), 90, np.uint8)
    image[:, 48:52, 70:74] = 200
    transform = Affine(1.2e-5, 0, west, 0, -9e-6, -17.0)
    with ImagerySource(raster(image, crs="EPSG:4326", transform=transform)) as source:
        pixels = source.read(Window(0, 0, *source.shape))
    assert pixels.valid.mean() > 0.9
    rows, cols = np.nonzero(pixels.values[0] > 150)
    assert cols.mean() / source.shape[1] == pytest.approx(0.72, abs=0.01)
    assert rows.mean() / source.shape[0] == pytest.approx(0.5, abs=0.02)


def test_the_date_line_on_another_ellipsoid_is_refused(raster):
    from roadlift.errors import InputError

    transform = Affine(1.2e-5, 0, 179.9994, 0, -9e-6, -17.0)
    with pytest.raises(InputError, match="date line"):
        ImagerySource(raster(_scene("uint8"), crs="EPSG:4267", transform=transform))


def test_a_sample_of_a_warped_image_holds_picked_pixels_not_means(raster):
    noise = np.random.default_rng(0).choice([10, 240], (3, 400, 400)).astype(np.uint8)
    noise[:, :, :200] = 0
    with ImagerySource(raster(noise, transform=HALF_METRE, nodata=0)) as source:
        assert source.shape == (200, 200)
        sample = source.sample(max_pixels=2500)
    assert sample.valid.shape == (50, 50)
    assert not sample.valid[:, :25].any()
    assert sample.valid[:, 25:].all()
    assert np.unique(sample.values[:, sample.valid]).tolist() == [10, 240]
