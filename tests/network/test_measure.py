from __future__ import annotations

import numpy as np
import pytest
from pyproj import CRS, Geod

from roadlift.network.measure import geodesic_lengths
from roadlift.network.measure import measure_lines as measure
from roadlift.network.polylines import Polylines
from roadlift.network.raster import ArrayRaster

NOTHING = np.zeros(1)


def measure_lines(lines: Polylines, probability: np.ndarray, **options):
    return measure(lines, ArrayRaster(probability), **options)


def band(width: int, size: int = 61, value: int = 254) -> np.ndarray:
    raster = np.zeros((size, size), np.uint8)
    top = size // 2 - width // 2
    raster[top : top + width] = value
    return raster


def middle(width: int, size: int = 61) -> Polylines:
    row = size // 2 - width // 2 + (width - 1) / 2
    return Polylines.of([[(row, 5), (row, size - 6)]])


@pytest.mark.parametrize("width", [3, 4, 7, 12])
@pytest.mark.parametrize("value", [254, 120])
def test_width_of_a_band_is_exact(width: int, value: int) -> None:
    measured = measure_lines(
        middle(width), band(width, value=value), max_width=40, skip_u=NOTHING, skip_v=NOTHING
    )
    np.testing.assert_allclose(measured.width, width, atol=1e-9)
    np.testing.assert_allclose(measured.width_spread, 0, atol=1e-9)
    np.testing.assert_allclose(measured.probability, value / 254)


def test_width_of_a_soft_profile_is_its_full_width_at_half_maximum() -> None:
    sigma = 4.0
    profile = np.exp(-0.5 * ((np.arange(61) - 30) / sigma) ** 2)
    raster = np.round(np.tile(profile[:, None], (1, 61)) * 200).astype(np.uint8)
    measured = measure_lines(
        Polylines.of([[(30, 5), (30, 55)]]), raster, max_width=40, skip_u=NOTHING, skip_v=NOTHING
    )
    np.testing.assert_allclose(measured.width, 2 * np.sqrt(2 * np.log(2)) * sigma, atol=0.1)


def test_width_ends_at_the_largest_and_at_no_data() -> None:
    raster = np.full((61, 61), 254, np.uint8)
    line = Polylines.of([[(30, 5), (30, 55)]])
    assert measure_lines(line, raster, max_width=20, skip_u=NOTHING, skip_v=NOTHING).width[
        0
    ] == pytest.approx(20.5, abs=0.6)
    raster[:25] = 255
    narrow = measure_lines(line, raster, max_width=20, skip_u=NOTHING, skip_v=NOTHING).width[0]
    assert 14.5 <= narrow <= 16


def test_width_is_not_measured_inside_junctions() -> None:
    raster = band(7)
    raster[:, :12] = 254
    measured = measure_lines(middle(7), raster, max_width=40, skip_u=np.array([10.0]), skip_v=NOTHING)
    np.testing.assert_allclose([measured.width[0], measured.width_spread[0]], [7, 0], atol=1e-9)


def test_a_line_all_inside_its_junctions_is_measured_anyway() -> None:
    measured = measure_lines(
        middle(7), band(7), max_width=40, skip_u=np.array([99.0]), skip_v=np.array([99.0])
    )
    np.testing.assert_allclose(measured.width, 7, atol=1e-9)


def test_probability_minimum_and_tenth_percentile() -> None:
    raster = band(7)
    raster[:, 10:13] = 25
    measured = measure_lines(middle(7), raster, max_width=40, skip_u=NOTHING, skip_v=NOTHING)
    assert measured.probability_min[0] == pytest.approx(25 / 254)
    assert measured.probability_p10[0] == pytest.approx(1.0)
    assert 0.9 < measured.probability[0] < 0.96


def test_nothing_valid_gives_nan() -> None:
    measured = measure_lines(
        middle(7), np.full((61, 61), 255, np.uint8), max_width=9, skip_u=NOTHING, skip_v=NOTHING
    )
    assert np.isnan([measured.width, measured.probability, measured.probability_min]).all()


def test_no_lines() -> None:
    none = np.empty(0)
    measured = measure_lines(Polylines.of([]), band(7), max_width=9, skip_u=none, skip_v=none)
    assert measured.width.shape == measured.probability.shape == (0,)
    assert geodesic_lengths(Polylines.of([]), CRS("EPSG:4326")).shape == (0,)


@pytest.mark.parametrize(
    ("crs", "line", "metres"),
    [
        ("EPSG:32619", [(500_000, 4_600_000), (500_000, 4_601_000)], 1000 / 0.9996),
        ("EPSG:2263", [(1_000_000, 200_000), (1_000_000, 201_000)], 1000 * 1200 / 3937),
        ("EPSG:4326", [(-71, 42), (-70, 42)], Geod(ellps="WGS84").inv(-71, 42, -70, 42)[2]),
    ],
)
def test_lengths_are_metres_on_the_ground(crs: str, line: list, metres: float) -> None:
    np.testing.assert_allclose(geodesic_lengths(Polylines.of([line, line]), CRS(crs)), metres, rtol=1e-4)
