"""Damaged files: an error by default; squares of no data, counted, where that is allowed."""

import numpy as np
import pytest

from roadlift.errors import InputError, UsageError
from roadlift.imagery import ImagerySource, Window

BLOCKS = {"compress": "deflate", "tiled": True, "blockxsize": 128, "blockysize": 128}


@pytest.fixture
def damaged(raster, damage_block):
    """An image of 900 x 800 pixels whose block (3, 2) cannot be read, and its pixels."""
    image = np.random.default_rng(0).integers(10, 200, (3, 900, 800)).astype(np.uint8)
    path = raster(image, "damaged.tif", **BLOCKS)
    damage_block(path, 3, 2)
    return path, image


def test_an_error_names_window_band_and_cause_each_time(damaged):
    with ImagerySource(damaged[0]) as source:
        source.read(Window(0, 0, 128, 128))
        for _ in range(3):  # GDAL would hand out what it could not decode, from the second time on
            with pytest.raises(
                InputError, match=r"rows 300-399, columns 200-299 of bands 1, 2, 3 .*Decoding error"
            ):
                source.read(Window(300, 200, 100, 100))


def test_damage_is_no_data_where_that_is_allowed(damaged):
    path, image = damaged
    hole = np.zeros((900, 800), bool)
    hole[384:512, 256:384] = True
    with ImagerySource(path, on_read_error="nodata") as source:
        assert source.notes == ()
        assert source.sample(10_000).valid.mean() > 0.95
        assert source.sample(10_000).valid.mean() < 1
        assert source.notes == (f"{path} is damaged: parts of it cannot be read",)
        pixels = source.read(Window(0, 0, 900, 800))
        part = source.read(Window(450, 100, 333, 444))
        assert source.unreadable_pixels == 128 * 128
        assert any("16,384 pixels (2.28%)" in note for note in source.notes)
    np.testing.assert_array_equal(pixels.valid, ~hole)
    np.testing.assert_array_equal(pixels.values, np.where(hole, 0, image))
    np.testing.assert_array_equal(part.valid, ~hole[450:783, 100:544])
    np.testing.assert_array_equal(part.values, pixels.values[:, 450:783, 100:544])


def test_so_it_is_in_a_warped_image(raster, damage_block):
    path = raster(np.full((1, 2180, 2100), 99, np.uint8), "large.tif", **BLOCKS)
    damage_block(path, 3, 2)
    with ImagerySource(path, ground_resolution=1.25, on_read_error="nodata") as source:
        assert source.warped
        pixels = source.read(Window(0, 0, *source.shape))
        lost = source.unreadable_pixels
        part = source.read(Window(150, 60, 300, 300))
        assert lost == source.unreadable_pixels
    assert (~pixels.valid).sum() == lost
    assert lost == 2 * 128 * 512
    assert not pixels.valid[310:400, 210:300].any()
    np.testing.assert_array_equal(part.values, pixels.values[:, 150:450, 60:360])
    assert np.unique(pixels.values[:, pixels.valid]).tolist() == [99]


def test_blocks_larger_than_the_squares_are_lost_whole(raster, damage_block):
    path = raster(
        np.full((3, 2048, 2048), 99, np.uint8),
        "large.tif",
        **{**BLOCKS, "blockxsize": 256, "blockysize": 256},
    )
    damage_block(path, 1, 1)
    with ImagerySource(path, on_read_error="nodata") as source:
        pixels = source.read(Window(0, 0, *source.shape))
    assert (~pixels.valid).sum() == 256**2
    assert not pixels.valid[256:512, 256:512].any()


def test_too_much_damage_is_an_error_all_the_same(damaged, damage_block):
    path, _ = damaged
    for row, col in ((0, 0), (5, 5)):
        damage_block(path, row, col)
    with ImagerySource(path, on_read_error="nodata") as source:
        for _ in range(2):  # also where the error was passed over
            with pytest.raises(InputError, match=r"cannot be read.*7% .*at most 5%"):
                source.read(Window(0, 0, 900, 800))


def test_other_words_are_refused(damaged):
    with pytest.raises(UsageError, match="fail, nodata"):
        ImagerySource(damaged[0], on_read_error="ignore")
