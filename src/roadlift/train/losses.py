"""What training minimises: binary cross-entropy and Dice over the pixels that have a label."""

from __future__ import annotations

import tensorflow as tf

from roadlift.train.data import IGNORE


def road_loss(labels: tf.Tensor, logits: tf.Tensor, *, dice_weight: float) -> tf.Tensor:
    """Return ``(1 - w) * BCE + w * Dice`` over the labelled pixels of a batch.

    Dice is taken over the whole batch, not per crop, so that a crop without roads is no special case (Milletari et al.,
    V-Net, 3DV 2016, with squares in the denominator left out).

    Args:
        labels: uint8 (n, rows, cols): 0 background, 1 road, 255 ignore.
        logits: float32 (n, rows, cols, 1).
        dice_weight: Share ``w`` of the Dice loss.

    Returns:
        float32 scalar.

    Example:
        >>> labels = tf.constant([[[0, 1, 255]]], tf.uint8)
        >>> float(road_loss(labels, tf.constant([[[[-30.0], [30.0], [30.0]]]]), dice_weight=0.5)) < 1e-6
        True
    """
    logits = logits[..., 0]
    weight = tf.cast(labels != IGNORE, tf.float32)
    road = tf.cast(labels == 1, tf.float32)
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(road, logits)
    mean = tf.reduce_sum(cross_entropy * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)
    probability = tf.sigmoid(logits) * weight
    both = tf.reduce_sum(probability * road)
    dice = 1 - (2 * both + 1e-6) / (tf.reduce_sum(probability) + tf.reduce_sum(road) + 1e-6)
    return (1 - dice_weight) * mean + dice_weight * dice
