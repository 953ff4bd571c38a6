import numpy as np
import pytest
import tensorflow as tf

from roadlift.train.losses import road_loss


def _loss(labels, logits, weight):
    return float(
        road_loss(
            tf.constant(labels, tf.uint8), tf.constant(logits, tf.float32)[..., None], dice_weight=weight
        )
    )


def test_cross_entropy_of_undecided_logits_is_log_two():
    assert _loss([[[0, 1]]], [[[0.0, 0.0]]], 0.0) == pytest.approx(np.log(2))


def test_dice_of_undecided_logits():
    # p = .5 each: 2 * .5 / (1 + 1) = .5
    assert _loss([[[0, 1]]], [[[0.0, 0.0]]], 1.0) == pytest.approx(0.5, abs=1e-5)


def test_ignored_pixels_do_not_count():
    known = _loss([[[0, 1]]], [[[-1.0, 2.0]]], 0.5)
    assert _loss([[[0, 1, 255]]], [[[-1.0, 2.0, 9.0]]], 0.5) == pytest.approx(known)


def test_a_batch_with_nothing_to_learn_from_is_finite():
    assert np.isfinite(_loss([[[255, 255]]], [[[3.0, -3.0]]], 0.5))
