from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import thin as reference

from roadlift.network import raster as raster_module
from roadlift.network.runs import Runs
from roadlift.network.skeleton import half_widths, skeletonise
from roadlift.network.thin import halo, thin

EIGHT = np.ones((3, 3))


def blobs(seed: int, shape: tuple[int, int] = (50, 60)) -> np.ndarray:
    generator = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(generator.random(shape), 3 * generator.random())
    return noise > np.quantile(noise, 0.2 + 0.7 * generator.random())


def draw(skeleton, shape: tuple[int, int]) -> np.ndarray:
    picture = np.zeros(shape, bool)
    picture[skeleton.row, skeleton.col] = True
    return picture


@pytest.mark.parametrize("seed", range(25))
def test_thinning_is_that_of_guo_and_hall(seed: int) -> None:
    mask = blobs(seed)
    np.testing.assert_array_equal(thin(mask, rounds=60), reference(mask))


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("rounds", [1, 3, 60])
def test_thinning_keeps_areas_and_holes(seed: int, rounds: int) -> None:
    """Where a wide area is hollowed, it has a hole more, and the outlines of its holes are on their own."""
    mask = blobs(seed)
    skeleton = thin(mask, rounds=rounds)
    areas, before = (ndimage.label(picture, EIGHT) for picture in (skeleton, mask))
    assert areas[1] >= before[1] if rounds < 60 else areas[1] == before[1]
    assert set(np.unique(before[0][skeleton])) == set(range(1, before[1] + 1))
    holes = [ndimage.label(~np.pad(picture, 1))[1] for picture in (skeleton, mask)]
    assert holes[0] >= holes[1] if rounds < 60 else holes[0] == holes[1]
    assert not (skeleton & ~mask).any()


@pytest.mark.parametrize("seed", range(20))
def test_a_pixel_depends_on_nothing_beyond_the_halo(seed: int) -> None:
    rounds = 1 + seed % 4
    mask = blobs(seed, (120, 60))
    top, bottom = 50, 70
    margin = halo(rounds)
    part = thin(mask[top - margin : bottom + margin], rounds=rounds)
    np.testing.assert_array_equal(thin(mask, rounds=rounds)[top:bottom], part[margin:-margin])


def test_of_an_area_that_is_too_wide_the_outline_of_its_core_is_left() -> None:
    mask = np.zeros((80, 160), bool)
    mask[38:43] = True  # a road through
    mask[10:70, 40:120] = True  # a square far wider than any road
    skeleton = thin(mask, rounds=10)
    assert not skeleton[22:58, 55:105].any()
    assert skeleton[40, 2:38].all()
    assert ndimage.label(skeleton, EIGHT)[1] == 1
    assert skeleton.sum() < 400


def test_roads_reach_all_four_borders() -> None:
    mask = np.zeros((40, 50), bool)
    mask[17:24] = mask[:, 20:27] = True
    skeleton = draw(skeletonise(Runs.of(mask), reach=20, max_run=12), mask.shape)
    assert np.flatnonzero(skeleton[:, 0]).tolist() == np.flatnonzero(skeleton[:, -1]).tolist() == [20]
    assert np.flatnonzero(skeleton[0]).tolist() == np.flatnonzero(skeleton[-1]).tolist() == [23]


def test_a_road_along_the_border_stays_in_the_image() -> None:
    mask = np.zeros((40, 80), bool)
    mask[:3, 10:70] = True
    skeleton = draw(skeletonise(Runs.of(mask), reach=20, max_run=12), mask.shape)
    assert skeleton[:3, 20:60].any(axis=0).all()


def test_no_road() -> None:
    assert len(skeletonise(Runs.of(np.zeros((5, 5), bool)), reach=2, max_run=2).row) == 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("pixels", [1, 700, 3000])
def test_strips_cannot_be_seen(seed: int, pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs.of(blobs(seed, (90, 70)))
    whole = skeletonise(runs, reach=6, max_run=12)
    monkeypatch.setattr(raster_module, "STRIP_PIXELS", pixels)
    strips = skeletonise(runs, reach=6, max_run=12)
    for name in ("row", "col", "radius"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(strips, name))


def test_half_width_is_the_distance_transform() -> None:
    mask = np.random.default_rng(2).random((90, 40)) < 0.97
    rows, cols = np.nonzero(mask)
    wide = ndimage.distance_transform_edt(mask)[rows, cols]
    expected = np.where(wide <= 12, wide - 0.5, 12)
    np.testing.assert_allclose(half_widths(mask, rows, cols, reach=12), expected)


def test_half_width_of_a_full_mask_is_the_reach() -> None:
    assert half_widths(np.ones((9, 9), bool), np.array([4]), np.array([4]), reach=6).tolist() == [6]
