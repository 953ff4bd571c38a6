import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from roadlift.evaluate import Confusion, ProbabilityHistogram

EVERYWHERE = np.ones((2, 3), bool)


def test_counts_of_a_small_case():
    predicted = np.array([[1, 1, 0], [0, 1, 0]], bool)
    truth = np.array([[1, 0, 0], [1, 1, 0]], bool)
    counts = Confusion.of(predicted, truth, valid=EVERYWHERE)
    assert counts == Confusion(2, 1, 1, 2)
    assert (counts.iou, counts.f1, counts.precision, counts.recall) == (0.5, 2 / 3, 2 / 3, 2 / 3)


def test_what_is_not_valid_is_left_out():
    predicted, truth = np.ones((2, 3), bool), np.zeros((2, 3), bool)
    valid = np.zeros((2, 3), bool)
    valid[0, 0] = True
    assert Confusion.of(predicted, truth, valid=valid) == Confusion(0, 1, 0, 0)


def test_undefined_is_not_a_number():
    nothing = Confusion(0, 0, 0, 5)
    assert all(math.isnan(value) for value in (nothing.iou, nothing.f1, nothing.precision, nothing.recall))
    empty = ProbabilityHistogram.empty()
    assert all(math.isnan(value) for value in (*empty.best_iou(), empty.average_precision()))


def test_micro_average_adds_counts():
    assert Confusion(1, 2, 3, 4) + Confusion(10, 20, 30, 40) == Confusion(11, 22, 33, 44)


def test_histogram_leaves_no_data_out():
    probability = np.array([[0, 127, 254], [255, 200, 10]], np.uint8)
    truth = np.array([[0, 1, 1], [1, 0, 0]], bool)
    histogram = ProbabilityHistogram.of(probability, truth, valid=EVERYWHERE)
    assert histogram.road.sum() == 2
    assert histogram.background.sum() == 3
    assert histogram.confusion(0.5) == Confusion(2, 1, 0, 2)
    assert histogram.confusion(0.0) == Confusion(2, 3, 0, 0)


def test_best_threshold_is_the_lowest_of_the_best():
    probability = np.array([[10, 100, 200]], np.uint8)
    truth = np.array([[False, True, True]])
    iou, threshold = ProbabilityHistogram.of(probability, truth, valid=np.ones((1, 3), bool)).best_iou()
    assert iou == 1
    assert threshold == pytest.approx(11 / 254)


def test_average_precision_of_a_hand_made_ranking():
    # ranked: road, background, road -> precision 1 at recall 1/2, 2/3 at recall 1
    probability = np.array([[250, 200, 100, 0]], np.uint8)
    truth = np.array([[True, False, True, False]])
    histogram = ProbabilityHistogram.of(probability, truth, valid=np.ones((1, 4), bool))
    assert histogram.average_precision() == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


@given(
    arrays.arrays(np.uint8, (4, 5)),
    arrays.arrays(bool, (4, 5)),
    arrays.arrays(bool, (4, 5)),
    st.floats(0.01, 1),
)
def test_histogram_agrees_with_masks(probability, truth, valid, threshold):
    histogram = ProbabilityHistogram.of(probability, truth, valid=valid)
    seen = valid & (probability < 255)
    expected = Confusion.of(probability >= threshold * 254, truth, valid=seen)
    assert histogram.confusion(threshold) == expected
    iou, _ = histogram.best_iou()
    assert math.isnan(iou) or math.isnan(expected.iou) or iou >= expected.iou


@given(arrays.arrays(np.uint8, (2, 3)), arrays.arrays(bool, (2, 3)))
def test_histograms_add_up(probability, truth):
    both = ProbabilityHistogram.of(np.tile(probability, 2), np.tile(truth, 2), valid=np.tile(EVERYWHERE, 2))
    one = ProbabilityHistogram.of(probability, truth, valid=EVERYWHERE)
    total = one + one
    np.testing.assert_array_equal(both.road, total.road)
    np.testing.assert_array_equal(both.background, total.background)
