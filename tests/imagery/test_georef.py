import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from roadlift.errors import InputError
from roadlift.imagery import Georef, Window

numbers = st.floats(-1e3, 1e3)


def test_centres_go_through_the_transform():
    rotated = Georef(None, Affine(0.0, 2.0, 10.0, 3.0, 0.0, 20.0))
    assert [float(v) for v in rotated.to_map(1, 4)] == [10 + 2 * 1.5, 20 + 3 * 4.5]


@given(
    st.tuples(numbers, numbers, numbers, numbers).filter(lambda v: abs(v[0] * v[3] - v[1] * v[2]) > 1),
    numbers,
    numbers,
)
def test_pixel_and_map_are_inverse(linear, row, col):
    a, b, d, e = linear
    georef = Georef(None, Affine(a, b, 7.0, d, e, -3.0))
    back = georef.to_pixel(*georef.to_map(row, col))
    np.testing.assert_allclose([float(v) for v in back], [row, col], atol=1e-3)


def test_a_window_lies_where_it_lay():
    georef = Georef(None, Affine(2.0, 0.5, 10.0, -0.5, -2.0, 50.0))
    part = georef.at(Window(3, 5, 10, 10))
    assert part.to_map(2, 1) == georef.to_map(5, 6)


@pytest.mark.parametrize(
    ("crs", "transform", "expected"),
    [
        ("EPSG:32619", Affine(1, 0, 500_000, 0, -1, 4_700_000), 1 / 0.9996),
        ("EPSG:3857", Affine(1, 0, -8_000_000, 0, -1, 5_160_000), 0.7435),
        ("EPSG:2263", Affine(3.28, 0, 980_000, 0, -3.28, 200_000), 0.99975),
        ("EPSG:4326", Affine(1e-5, 0, 10, 0, -1e-5, 0), 1.11),
    ],
)
def test_ground_resolution_is_geodesic(crs, transform, expected):
    down, across = Georef(CRS.from_user_input(crs), transform).ground_resolution((100, 100))
    assert (down, across) == pytest.approx((expected, expected), rel=7e-3)


def test_ground_resolution_needs_a_crs():
    with pytest.raises(InputError, match="--gsd"):
        Georef(None, Affine.identity()).ground_resolution((2, 2))


def test_a_place_outside_its_crs_is_refused():
    with pytest.raises(InputError, match="within its CRS"):
        Georef(CRS.from_epsg(32619), Affine(1, 0, 1e12, 0, -1, 1e12)).ground_resolution((2, 2))
