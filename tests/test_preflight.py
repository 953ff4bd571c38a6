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
