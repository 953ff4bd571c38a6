import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadlift.train.augment import _random_place, _warp_image, random_crop, random_light, random_sharpness
from roadlift.train.data import IGNORE, Sample


def _sample(rows=90, cols=120):
    rng = np.random.default_rng(0)
    label = (rng.random((rows, cols)) < 0.2).astype(np.uint8) * 254
    return Sample("a", rng.integers(0, 256, (rows, cols, 3), np.uint8), label)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([32, 64, 96]))
def test_a_crop_is_a_pure_function_of_its_seed(seed, size):
    first = random_crop(_sample(), size, np.random.default_rng(seed))
    second = random_crop(_sample(), size, np.random.default_rng(seed))
    assert first[0].shape == (size, size, 3)
    assert first[0].dtype == np.uint8
    assert set(np.unique(first[1])) <= {0, 254, IGNORE}
    for ours, theirs in zip(first, second, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def _band(rows=200, cols=200):
    """An image that is white on its road and black elsewhere."""
    label = np.zeros((rows, cols), np.uint8)
    label[80:120, :] = 254
    return Sample("a", np.repeat((label > 0)[..., None] * np.uint8(255), 3, axis=2), label)


@pytest.mark.parametrize("scale_octaves", [0.0, 0.5, 1.0])
def test_image_and_label_stay_together(scale_octaves):
    for seed in range(20):
        part, matrix, crop = _random_place(_band(), 96, np.random.default_rng(seed), scale_octaves, 1.0)
        image = _warp_image(part.image, matrix, 96)
        known = crop != IGNORE
        agree = (image[..., 0] > 127) == (crop == 254)
        assert agree[known].mean() > 0.98


def test_light_is_changed_on_its_share_of_the_crops_only():
    grey = Sample("a", np.full((160, 160, 3), 127, np.uint8), np.zeros((160, 160), np.uint8))

    def untouched(light_share):
        crops = (
            random_crop(grey, 32, np.random.default_rng(seed), scale_octaves=0.0, light_share=light_share)
            for seed in range(30)
        )
        return sum(bool((image == 127).all()) for image, _ in crops)

    assert untouched(0.0) == 30
    assert untouched(1.0) < 8


def test_crops_without_road_are_drawn_again():
    label = np.zeros((300, 300), np.uint8)
    label[:, :60] = 254
    sample = Sample("a", np.zeros((300, 300, 3), np.uint8), label)

    def share_with_road(roadless_share):
        crops = [
            random_crop(sample, 64, np.random.default_rng(seed), roadless_share=roadless_share)[1]
            for seed in range(40)
        ]
        return np.mean([(crop == 254).any() for crop in crops])

    assert share_with_road(0.0) > 0.9
    assert share_with_road(1.0) < 0.7


def test_a_crop_is_never_larger_than_the_image():
    sample = Sample("a", np.zeros((100, 100, 3), np.uint8), np.zeros((100, 100), np.uint8))
    for seed in range(20):
        _, matrix, _ = _random_place(sample, 96, np.random.default_rng(seed), 1.0, 1.0)
        assert np.hypot(*matrix[:, 0]) <= 100 / 96 + 1e-9


def test_ignored_pixels_are_filled():
    label = np.full((100, 100), IGNORE, np.uint8)
    label[:, 50:] = 0
    sample = Sample("a", np.full((100, 100, 3), 200, np.uint8), label)
    image, crop = random_crop(sample, 64, np.random.default_rng(3))
    assert (crop == IGNORE).any()
    assert (image[crop == IGNORE] == 127).all()


def test_light_and_sharpness_change_pixels_but_keep_the_type():
    image = _sample().image
    rng = np.random.default_rng(5)
    changed = [change(image, rng) for change in (random_light, random_sharpness) for _ in range(10)]
    assert all(result.shape == image.shape and result.dtype == np.uint8 for result in changed)
    assert sum(not np.array_equal(result, image) for result in changed) > 10
