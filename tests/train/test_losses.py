import numpy as np
import pytest
import tensorflow as tf

from roadlift.train.losses import cldice_loss, road_loss, soft_skeleton


def _loss(labels, logits, weight, **options):
    labels, logits = tf.constant(labels, tf.uint8), tf.constant(logits, tf.float32)[..., None]
    return float(road_loss(labels, logits, dice_weight=weight, **options))


def test_cross_entropy_of_undecided_logits_is_log_two():
    assert _loss([[[0, 254]]], [[[0.0, 0.0]]], 0.0) == pytest.approx(np.log(2))


def test_dice_of_undecided_logits():
    # p = .5 each: 2 * .5 / (1 + 1) = .5
    assert _loss([[[0, 254]]], [[[0.0, 0.0]]], 1.0) == pytest.approx(0.5, abs=1e-5)


def test_ignored_pixels_do_not_count():
    known = _loss([[[0, 254]]], [[[-1.0, 2.0]]], 0.5)
    assert _loss([[[0, 254, 255]]], [[[-1.0, 2.0, 9.0]]], 0.5) == pytest.approx(known)


def test_a_batch_with_nothing_to_learn_from_is_finite():
    assert np.isfinite(_loss([[[255, 255]]], [[[3.0, -3.0]]], 0.5))


def test_a_soft_target_is_met_by_its_own_probability():
    # entropy of a target of one half is least, and log 2, at a logit of 0
    at_half = _loss([[[127]]], [[[0.0]]], 0.0)
    assert at_half == pytest.approx(np.log(2), abs=1e-5)
    assert _loss([[[127]]], [[[1.0]]], 0.0) > at_half


def test_focal_weights_by_how_wrong_a_pixel_is():
    # |t - p| = .5 for both pixels: half to the power of two times log 2
    assert _loss([[[0, 254]]], [[[0.0, 0.0]]], 0.0, focal_gamma=2.0) == pytest.approx(np.log(2) / 4)


def test_a_skeleton_is_one_pixel_wide():
    band = np.zeros((1, 21, 40), np.float32)
    band[:, 7:14] = 1
    skeleton = soft_skeleton(tf.constant(band)).numpy()[0]
    assert (skeleton[10, 6:-6] == 1).all()
    assert skeleton[[8, 9, 11, 12], 8:-8].sum() == 0


def _band(gap=0):
    band = np.zeros((1, 24, 48), np.float32)
    band[:, 9:16] = 1
    if gap:
        band[:, :, 20 : 20 + gap] = 0
    return tf.constant(band)


def test_centreline_dice_is_nothing_for_the_truth_and_grows_with_a_gap():
    losses = [float(cldice_loss(_band(), _band(gap))) for gap in (0, 4, 8)]
    assert losses[0] == pytest.approx(0, abs=1e-5)
    assert losses[0] < losses[1] < losses[2]


def test_a_shift_within_the_road_costs_centreline_dice_nothing():
    shifted = tf.roll(_band(), 2, axis=1)
    assert float(cldice_loss(_band(), shifted)) == pytest.approx(0, abs=1e-5)
