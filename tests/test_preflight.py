import json

import numpy as np
import pytest
from affine import Affine

from roadlift.model import load_model
from roadlift.preflight import inspect


@pytest.fixture(scope="module")
def card():
    return load_model().card


def _image(rows=80, cols=90, bands=3):
    return np.random.default_rng(0).integers(1, 200, (bands, rows, cols)).astype(np.uint8)


def test_a_good_image_has_no_problems(raster, card):
    report = inspect(raster(_image(), photometric="RGB"), card=card)
    assert report.problems == ()
    assert (report.native_shape, report.bands, report.tiles, report.warped) == ((80, 90), (1, 2, 3), 1, False)
    assert report.crs == "EPSG:32619"
    assert report.valid_share == 1
    assert "problems           none" in report.render()
    assert json.loads(json.dumps(report.to_dict()))["working_resolution_m"] == pytest.approx(1, abs=0.01)


def test_no_crs_names_the_flags(raster, card):
    report = inspect(raster(_image(), "a.png"), card=card)
    assert "--gsd" in report.problems[0].remedy
    assert report.native_resolution_m is None
    assert "assumed" in report.render()
    assert inspect(raster(_image(), "a.png"), card=card, gsd=0.5).working_shape == (40, 45)


def test_coarse_imagery(raster, card):
    transform = Affine(10.0, 0.0, 300_000.0, 0.0, -10.0, 4_700_000.0)
    (problem,) = inspect(raster(_image(), transform=transform, photometric="RGB"), card=card).problems
    assert "narrow roads" in problem.what


def test_nameless_bands(raster, card):
    (problem,) = inspect(raster(_image(bands=5), photometric="MINISBLACK"), card=card).problems
    assert "--bands" in problem.remedy


@pytest.mark.parametrize(("value", "name"), [(0, "black"), (255, "white")])
def test_blank_areas_that_nothing_marks(raster, card, value, name):
    image = _image()
    image[:, :40] = value
    (problem,) = inspect(raster(image, photometric="RGB"), card=card).problems
    assert name in problem.what
    assert f"--nodata {value}" in problem.remedy
    assert inspect(raster(image, photometric="RGB"), card=card, nodata=value).problems == ()


def test_nothing_valid(raster, card):
    report = inspect(raster(np.zeros((3, 40, 40), np.uint8), nodata=0, photometric="RGB"), card=card)
    assert report.problems[0].what == "no pixel is valid"


def test_ranges_without_stretch(raster, card):
    report = inspect(raster(_image(), photometric="RGB"), card=card, stretch="none")
    assert (report.low, report.high) == ((0, 0, 0), (255, 255, 255))


def test_a_scale_that_is_given_is_no_problem(raster, card):
    report = inspect(raster(_image(), "a.png"), card=card, gsd=1.0)
    assert report.problems == ()
    assert "pixel coordinates" in report.render()


def test_a_coarse_scale_that_is_given(raster, card):
    (problem,) = inspect(raster(_image(), "a.png"), card=card, gsd=5.0).problems
    assert "a pixel is 5 m" in problem.what


def test_a_nearly_constant_image(raster, card):
    image = np.full((3, 80, 90), 90, np.uint8)
    image[:, :2, :20] = 7
    (problem,) = inspect(raster(image, photometric="RGB"), card=card).problems
    assert "--bands" in problem.remedy


def test_the_ranges_are_those_that_the_network_sees(raster, card):
    from roadlift.imagery import ImagerySource
    from roadlift.segment import PredictOptions
    from roadlift.segment.predict import fit_stretch

    path = raster(_image().astype(np.uint16) * 31, photometric="RGB")
    report = inspect(path, card=card)
    with ImagerySource(path) as source:
        stretch = fit_stretch(source, card, PredictOptions())
    assert (report.low, report.high) == (stretch.low, stretch.high)


def test_degrees_and_feet_tell_what_they_become(raster, card):
    report = inspect(
        raster(
            _image(), crs="EPSG:4326", transform=Affine(6e-6, 0, -71.0, 0, -4.5e-6, 42.0), photometric="RGB"
        ),
        card=card,
    )
    assert report.warped
    assert report.native_resolution_m == pytest.approx((0.5, 0.5), rel=0.01)
    assert (report.crs, report.working_resolution_m) == ("EPSG:4326", 1.0)
    assert "0.5 x 0.497 m" in report.render()
    assert report.expected_seconds > 2
    assert report.expected_memory_mb > 300


def test_a_crs_without_code_has_its_name(raster, card):
    crs = "+proj=tmerc +lat_0=42 +lon_0=-71 +ellps=GRS80 +units=m"
    report = inspect(
        raster(_image(), crs=crs, transform=Affine(1, 0, 0, 0, -1, 0), photometric="RGB"), card=card
    )
    assert report.crs
    assert report.crs.lower() == "unknown"


def test_it_fits_on_one_screen(raster, card):
    lines = (
        inspect(raster(_image(bands=5), "five.tif", crs=None, transform=None), card=card)
        .render()
        .splitlines()
    )
    assert len(lines) <= 24
