from __future__ import annotations

import numpy as np
import pytest

from roadlift.errors import UsageError
from roadlift.network import NetworkOptions
from roadlift.network.mask import road_mask

PLAIN = NetworkOptions(min_object_m2=0, max_hole_m2=0)


def test_hysteresis_reaches_down_only_from_a_seed() -> None:
    row = np.array([[100, 100, 200, 0, 100, 100, 255, 200]], np.uint8)
    mask = road_mask(row, ground_resolution_m=1.0, options=PLAIN)
    assert mask.astype(int).tolist() == [[1, 1, 1, 0, 0, 0, 0, 1]]


def test_a_threshold_counts_itself() -> None:
    row = np.array([[127, 126]], np.uint8)
    options = NetworkOptions(threshold=0.5, threshold_low=0.5, min_object_m2=0)
    assert road_mask(row, ground_resolution_m=1.0, options=options).tolist() == [[True, False]]


@pytest.mark.parametrize(("resolution", "kept"), [(1.0, False), (2.0, True)])
def test_areas_are_square_metres(resolution: float, kept: bool) -> None:
    raster = np.zeros((9, 9), np.uint8)
    raster[2:5, 2:5] = 254  # 9 pixels
    options = NetworkOptions(min_object_m2=20, max_hole_m2=0)
    assert road_mask(raster, ground_resolution_m=resolution, options=options).any() == kept


def test_small_holes_are_filled_but_not_bays_at_the_border() -> None:
    raster = np.full((9, 9), 254, np.uint8)
    raster[4, 4] = raster[0, 4] = 0
    mask = road_mask(raster, ground_resolution_m=1.0, options=NetworkOptions(min_object_m2=0, max_hole_m2=2))
    assert mask[4, 4]
    assert not mask[0, 4]


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 1.2},
        {"threshold": 0.3, "threshold_low": 0.4},
        {"threshold_low": 0.0},
        {"min_spur_m": -1},
    ],
)
def test_options_out_of_range_say_what_is_allowed(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"must (be 0|satisfy)"):
        NetworkOptions(**wrong)
