import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roadlift.errors import UsageError
from roadlift.train.data import IGNORE, with_ignore_rim

LABELS = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.sampled_from([0, 1, IGNORE])
)


def test_a_rim_of_one_pixel_lies_on_both_sides_of_an_edge_and_around_its_corners():
    label = np.zeros((6, 7), np.uint8)
    label[:4, :4] = 1
    x = IGNORE
    assert with_ignore_rim(label, 1).tolist() == [
        [1, 1, 1, x, x, 0, 0],
        [1, 1, 1, x, x, 0, 0],
        [1, 1, 1, x, x, 0, 0],
        [x, x, x, x, x, 0, 0],
        [x, x, x, x, x, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]


def test_a_seven_pixel_road_keeps_its_middle():
    label = np.zeros((3, 15), np.uint8)
    label[:, 4:11] = 1
    assert with_ignore_rim(label, 2)[1].tolist() == [0, 0] + [IGNORE] * 4 + [1] * 3 + [IGNORE] * 4 + [0, 0]


def test_there_is_no_edge_beside_ignored_pixels_or_the_border():
    label = np.array([[1, 1, IGNORE, 0, 0]], np.uint8)
    assert with_ignore_rim(label, 1).tolist() == label.tolist()


def test_a_negative_rim_is_refused():
    with pytest.raises(UsageError, match="-1 pixels"):
        with_ignore_rim(np.zeros((2, 2), np.uint8), -1)


@given(LABELS, st.integers(0, 3))
def test_the_rim_is_what_the_definition_says(label, pixels):
    rim = with_ignore_rim(label, pixels)
    for row, col in np.ndindex(label.shape):
        around = label[max(row - pixels, 0) : row + pixels + 1, max(col - pixels, 0) : col + pixels + 1]
        mixed = label[row, col] in (0, 1) and (around == 1 - label[row, col]).any()
        assert rim[row, col] == (IGNORE if mixed else label[row, col])
