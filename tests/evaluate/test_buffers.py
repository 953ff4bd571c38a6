import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from roadlift.errors import InputError, UsageError
from roadlift.evaluate.buffers import BufferCounts, RelaxedCounts, RelaxedCurve, harmonic_mean, ratio


def same(ours, theirs, tolerance=1e-9):
    """Whether two values agree, where null is NaN."""
    return math.isnan(ours) if theirs is None else ours == pytest.approx(theirs, abs=tolerance)


def row(shape, at, begin=0, end=None):
    mask = np.zeros(shape, bool)
    mask[at, begin:end] = True
    return mask


def test_relaxed_counts_equal_the_reference(vectors, drawn):
    cases = {name: case for name, case in vectors("relaxed_pr_mnih_saito").items() if "curve" not in case}
    assert cases
    for name, case in cases.items():
        counts = RelaxedCounts.of(drawn(case["pred"]), drawn(case["truth"]), radius_px=case["rho"])
        assert counts == RelaxedCounts(
            case["tp_precision"], case["n_pred"], case["tp_recall"], case["n_truth"]
        ), name
        assert same(counts.precision, case["precision"]), name
        assert same(counts.recall, case["recall"]), name


def test_relaxed_curves_equal_the_reference(vectors, drawn):
    cases = {name: case for name, case in vectors("relaxed_pr_mnih_saito").items() if "curve" in case}
    assert cases
    for name, case in cases.items():
        curves = [
            RelaxedCurve.of(np.array(tile), drawn(truth), radius_px=case["rho"], steps=case["steps"])
            for tile, truth in zip(case["preds"], case["truths"], strict=True)
        ]
        total = curves[0] + curves[1]
        ours = np.stack([total.precision, total.recall], axis=1)
        np.testing.assert_allclose(ours, case["curve"], atol=1e-9, err_msg=name)
        found = total.breakeven()
        assert (found.precision, found.recall) == pytest.approx(tuple(case["breakeven"])), name


@pytest.mark.parametrize(("shift", "expected"), [(3, 1.0), (4, 0.0)])
def test_a_shift_is_forgiven_up_to_the_radius(shift, expected):
    truth = row((12, 12), 4)
    counts = RelaxedCounts.of(row((12, 12), 4 + shift), truth, radius_px=3)
    assert (counts.precision, counts.recall, counts.f1) == (expected, expected, expected)


def test_the_window_is_square():
    one, other = row((9, 9), 2, 2, 3), row((9, 9), 5, 5, 6)
    assert RelaxedCounts.of(one, other, radius_px=3).precision == 1
    assert BufferCounts.of(one, other, radius_px=3).correctness == 0


def test_half_a_row():
    counts = RelaxedCounts.of(row((12, 12), 5, 0, 6), row((12, 12), 5), radius_px=3)
    assert (counts.precision, counts.recall) == (1, 0.75)


def test_a_false_column():
    predicted = row((12, 12), 5) | row((12, 12), 2).T
    counts = RelaxedCounts.of(predicted, row((12, 12), 5), radius_px=3)
    assert (counts.near_truth, counts.predicted, counts.recall) == (18, 23, 1)


def test_relaxed_of_nothing():
    nothing, road = np.zeros((5, 5), bool), row((5, 5), 2)
    assert math.isnan(RelaxedCounts.of(nothing, road).precision)
    assert RelaxedCounts.of(nothing, road).f1 == 0
    assert math.isnan(RelaxedCounts.of(road, nothing).recall)
    assert RelaxedCounts.of(road, nothing).f1 == 0
    assert math.isnan(RelaxedCounts.of(nothing, nothing).f1)


def test_what_is_not_valid_is_left_out():
    truth, predicted = row((6, 6), 1), row((6, 6), 4)
    valid = np.ones((6, 6), bool)
    valid[4] = False
    assert RelaxedCounts.of(predicted, truth, radius_px=3, valid=valid) == RelaxedCounts(0, 0, 0, 6)
    assert BufferCounts.of(predicted, truth, radius_px=3, valid=valid) == BufferCounts(0, 0, 0, 6)
    probability = np.where(predicted, 200, 0).astype(np.uint8)
    curve = RelaxedCurve.of(probability, truth, radius_px=3, steps=4, valid=valid)
    assert curve.predicted.tolist() == [30, 0, 0, 0]
    assert curve.truth == 6


def test_no_data_is_left_out_of_the_curve():
    probability = np.array([[255, 254, 0]], np.uint8)
    truth = np.array([[True, True, False]])
    curve = RelaxedCurve.of(probability, truth, radius_px=0, steps=2)
    assert curve.truth == 1
    assert (curve.predicted.tolist(), curve.near_truth.tolist()) == ([2, 1], [1, 1])
    floats = np.array([[np.nan, 1.0, 0.0]])
    assert RelaxedCurve.of(floats, truth, radius_px=0, steps=2).predicted.tolist() == [2, 1]


def test_no_breakeven_without_a_threshold_between():
    truth = row((5, 5), 2)
    found = RelaxedCurve.of(truth.astype(float), truth).breakeven()
    assert all(math.isnan(value) for value in (found.precision, found.recall, found.threshold))


@given(
    arrays.arrays(np.uint8, (6, 7)),
    arrays.arrays(bool, (6, 7)),
    st.integers(0, 3),
    st.integers(0, 9),
)
def test_the_curve_agrees_with_masks(probability, truth, radius_px, step):
    curve = RelaxedCurve.of(probability, truth, radius_px=radius_px, steps=10)
    seen = probability < 255
    mask = seen & (probability / 254 >= step / 10)
    counts = RelaxedCounts.of(mask, truth, radius_px=radius_px, valid=seen)
    assert counts == RelaxedCounts(
        curve.near_truth[step], curve.predicted[step], curve.near_predicted[step], curve.truth
    )


@given(arrays.arrays(bool, (5, 6)), arrays.arrays(bool, (5, 6)), st.integers(0, 2))
def test_precision_and_recall_change_places(one, other, radius_px):
    for kind in (RelaxedCounts, BufferCounts):
        there = kind.of(one, other, radius_px=radius_px)
        back = kind.of(other, one, radius_px=radius_px)
        assert (there.near_truth, there.predicted) == (back.near_predicted, back.truth)


def test_buffer_counts_equal_the_reference(vectors, drawn):
    for name, case in vectors("ccq_metrics_delin").items():
        counts = BufferCounts.of(drawn(case["pred"]), drawn(case["truth"]), radius_px=case["slack"])
        if "error" in case:
            assert counts.truth == 0, name
            continue
        assert (counts.near_truth, counts.near_predicted) == (case["TP_g"], case["TP_p"]), name
        ours = (counts.correctness, counts.completeness, counts.quality, counts.quality_wiedemann)
        theirs = [case[key] for key in ("correctness", "completeness", "quality", "quality_wiedemann_length")]
        assert ours == pytest.approx(theirs, abs=1e-9), name


def test_half_a_line_tells_the_qualities_apart():
    counts = BufferCounts.of(row((5, 20), 2, 0, 10), row((5, 20), 2), radius_px=3)
    assert (counts.correctness, counts.completeness) == (1, 13 / 20)
    assert counts.quality == pytest.approx(0.65)
    assert counts.quality_wiedemann == pytest.approx(10 / 17)


def test_a_false_spur():
    line = row((12, 20), 2)
    spur = line.copy()
    spur[3:9, 10] = True
    counts = BufferCounts.of(spur, line, radius_px=3)
    assert (counts.correctness, counts.completeness) == (23 / 26, 1)
    assert counts.quality == pytest.approx(23 / 26)


def test_buffers_of_nothing():
    nothing, line = np.zeros((5, 5), bool), row((5, 5), 2)
    no_truth, no_prediction = BufferCounts.of(line, nothing), BufferCounts.of(nothing, line)
    assert no_truth.correctness == 0
    assert all(
        math.isnan(value) for value in (no_truth.completeness, no_truth.quality, no_truth.quality_wiedemann)
    )
    assert (no_prediction.correctness, no_prediction.completeness, no_prediction.quality) == (0, 0, 0)
    assert math.isnan(BufferCounts.of(nothing, nothing).correctness)


def test_counts_add_up():
    assert RelaxedCounts(1, 2, 3, 4) + RelaxedCounts(1, 1, 1, 1) == RelaxedCounts(2, 3, 4, 5)
    assert BufferCounts(1, 2, 3, 4) + BufferCounts(1, 1, 1, 1) == BufferCounts(2, 3, 4, 5)


def test_what_does_not_fit_is_refused():
    mask, other = np.zeros((3, 3), bool), np.zeros((3, 4), bool)
    with pytest.raises(InputError, match="same"):
        RelaxedCounts.of(mask, other)
    with pytest.raises(UsageError, match="radius_px is -1"):
        BufferCounts.of(mask, mask, radius_px=-1)
    with pytest.raises(UsageError, match="steps is 0"):
        RelaxedCurve.of(mask.astype(float), mask, steps=0)
    with pytest.raises(UsageError, match="do not add up"):
        RelaxedCurve.of(mask.astype(float), mask, steps=3) + RelaxedCurve.of(
            mask.astype(float), mask, steps=4
        )


def test_means_of_undefined():
    assert math.isnan(ratio(0, 0))
    assert harmonic_mean(0, 0) == 0
    assert harmonic_mean(0.5, 1) == pytest.approx(2 / 3)
    assert math.isnan(harmonic_mean(float("nan"), 1))
