import numpy as np
import pytest

from roadlift.errors import UsageError
from roadlift.imagery import Pixels, Stretch


def _pixels(values, valid=None):
    values = np.asarray(values)
    return Pixels(values, np.ones(values.shape[1:], bool) if valid is None else np.asarray(valid))


def test_the_range_of_each_channel_is_fitted_to_its_valid_pixels():
    ramp = np.arange(101, dtype=np.uint8)[None]
    valid = np.ones((1, 101), bool)
    values = np.stack([ramp, ramp + 100, np.where(ramp > 50, 255, ramp).astype(np.uint8)])
    valid[:, 51:] = False
    stretch = Stretch.fit(_pixels(values, valid), low_percent=0, high_percent=100)
    assert stretch.low == (0, 100, 0)
    assert stretch.high == (50, 150, 50)
    scaled = stretch.apply(_pixels(values, valid))
    assert scaled[0, 50].tolist() == [255, 255, 255]
    assert (scaled[0, 51:] == 127).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int8", "uint32", "float32", "float64"])
def test_every_type_gives_the_same_picture(dtype):
    picture = np.random.default_rng(0).integers(0, 101, (3, 8, 8))
    expected = Stretch((0.0,) * 3, (100.0,) * 3).apply(_pixels(picture.astype(np.uint8)))
    offset = -50 if np.dtype(dtype).kind != "u" else 20
    values = (picture + offset).astype(dtype)
    found = Stretch((float(offset),) * 3, (100.0 + offset,) * 3).apply(_pixels(values))
    # float32 may round a tie to the other side
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= (
        1 if dtype in ("float32", "uint32") else 0
    )


def test_none_leaves_uint8_alone_and_takes_whole_ranges():
    values = np.random.default_rng(0).integers(0, 256, (3, 5, 5)).astype(np.uint8)
    np.testing.assert_array_equal(Stretch.none(np.uint8).apply(_pixels(values)), np.moveaxis(values, 0, 2))
    assert Stretch.none(np.float32).high == (1.0,) * 3
    assert Stretch.none(np.int16).low == (-32768.0,) * 3


def test_infinite_and_missing_numbers_become_fill_or_ends():
    values = np.array([[[np.nan, np.inf, -np.inf]]] * 3, np.float32)
    assert Stretch.none(np.float32).apply(_pixels(values))[0, :, 0].tolist() == [127, 255, 0]


def test_a_constant_channel_becomes_the_fill():
    values = np.full((3, 2, 2), 9, np.uint8)
    assert (Stretch.fit(_pixels(values)).apply(_pixels(values)) == 127).all()


def test_nothing_valid_is_harmless():
    values = np.zeros((3, 2, 2), np.uint16)
    stretch = Stretch.fit(_pixels(values, np.zeros((2, 2), bool)))
    assert stretch == Stretch.none(np.uint16)


def test_percentiles_must_be_in_order():
    with pytest.raises(UsageError, match="low < high"):
        Stretch.fit(_pixels(np.zeros((3, 1, 1))), low_percent=90, high_percent=10)
