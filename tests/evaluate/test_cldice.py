import math

import numpy as np
import pytest

from roadlift.errors import InputError
from roadlift.evaluate.cldice import ClDice


def bar(begin=2, end=28, top=6, bottom=9):
    mask = np.zeros((15, 30), bool)
    mask[top:bottom, begin:end] = True
    return mask


def test_values_equal_the_reference(vectors, drawn):
    for name, case in vectors("cldice_jocpae").items():
        score = ClDice.of(drawn(case["pred"]), drawn(case["truth"]))
        for ours, theirs in (
            (score.sensitivity, case["tsens_pred_covers_truth_skel"]),
            (score.precision, case["tprec_truth_covers_pred_skel"]),
        ):
            assert math.isnan(ours) if theirs is None else ours == pytest.approx(theirs), name
        if case["cldice"] is not None:
            assert score.value == pytest.approx(case["cldice"]), name


def test_a_bar_against_itself():
    assert ClDice.of(bar(), bar()).value == 1


def test_a_gap_costs_only_sensitivity():
    broken = bar()
    broken[:, 14:17] = False
    score = ClDice.of(broken, bar())
    assert score.precision == 1
    assert score.covered_truth == score.truth - 3


def test_a_shift_off_the_road():
    score = ClDice.of(bar(top=10, bottom=13), bar())
    assert (score.sensitivity, score.precision, score.value) == (0, 0, 0)


def test_nothing_is_defined():
    nothing = np.zeros((15, 30), bool)
    assert ClDice.of(nothing, nothing).value == 1
    assert ClDice.of(nothing, bar()).value == 0
    assert ClDice.of(bar(), nothing).value == 0
    assert math.isnan(ClDice.of(nothing, bar()).precision)


def test_what_is_not_valid_is_left_out():
    valid = np.ones((15, 30), bool)
    valid[:, 15:] = False
    assert ClDice.of(bar(end=15), bar(), valid=valid).value == 1


def test_shapes_must_fit():
    with pytest.raises(InputError, match="same"):
        ClDice.of(bar(), np.zeros((3, 3), bool))
