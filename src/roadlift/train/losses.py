"""What training minimises: cross-entropy and overlap of regions, and of centrelines, over the pixels that have a label."""

from __future__ import annotations

import tensorflow as tf

from roadlift.train.data import IGNORE
from roadlift.train.targets import CERTAIN

_SMOOTH = 1e-6
_SKELETON_STEPS = 5


def road_loss(
    labels: tf.Tensor,
    logits: tf.Tensor,
    *,
    dice_weight: float,
    focal_gamma: float = 0.0,
    cldice_weight: float = 0.0,
) -> tf.Tensor:
    """Return ``(1 - d) * BCE + d * ((1 - c) * Dice + c * clDice)`` over the labelled pixels of a batch.

    Args:
        labels: uint8 (n, rows, cols), targets: 0..254 = probability * 254, 255 ignore.
        logits: float32 (n, rows, cols, 1).
        dice_weight: Share ``d`` of the overlap losses beside cross-entropy.
        focal_gamma: Pixels weigh ``|target - probability|`` to this power in the cross-entropy (Lin et al., Focal loss,
            ICCV 2017; for soft targets Li et al., Generalized focal loss, NeurIPS 2020); 0 is plain cross-entropy.
        cldice_weight: Share ``c`` of the centreline Dice beside Dice.

    Returns:
        float32 scalar.

    Example:
        >>> labels = tf.constant([[[0, 254, 255]]], tf.uint8)
        >>> float(road_loss(labels, tf.constant([[[[-30.0], [30.0], [30.0]]]]), dice_weight=0.5)) < 1e-6
        True
    """
    logits = logits[..., 0]
    weight = tf.cast(labels != IGNORE, tf.float32)
    road = tf.cast(labels, tf.float32) / CERTAIN * weight
    probability = tf.sigmoid(logits) * weight
    overlap = dice_loss(road, probability)
    if cldice_weight:
        overlap = (1 - cldice_weight) * overlap + cldice_weight * cldice_loss(road, probability)
    entropy = cross_entropy(road, logits, weight, focal_gamma=focal_gamma)
    return (1 - dice_weight) * entropy + dice_weight * overlap


def cross_entropy(
    road: tf.Tensor, logits: tf.Tensor, weight: tf.Tensor, *, focal_gamma: float = 0.0
) -> tf.Tensor:
    """Return the mean binary cross-entropy where ``weight`` is 1; all float32 (n, rows, cols)."""
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(road, logits)
    if focal_gamma:
        entropy *= tf.abs(road - tf.sigmoid(logits)) ** focal_gamma
    return tf.reduce_sum(entropy * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)


def dice_loss(road: tf.Tensor, probability: tf.Tensor) -> tf.Tensor:
    """Return 1 - Dice of the whole batch; both float32 (n, rows, cols), 0 where ignored.

    Dice is taken over the batch, not per crop, so that a crop without roads is no special case (Milletari et al., V-Net,
    3DV 2016, with squares in the denominator left out).
    """
    both = tf.reduce_sum(probability * road)
    return 1 - (2 * both + _SMOOTH) / (tf.reduce_sum(probability) + tf.reduce_sum(road) + _SMOOTH)


def cldice_loss(road: tf.Tensor, probability: tf.Tensor) -> tf.Tensor:
    """Return 1 - soft centreline Dice of the whole batch; both float32 (n, rows, cols), 0 where ignored.

    Source: Shit et al., clDice, CVPR 2021, with the two-dimensional erosion that its text describes.
    """
    found, wanted = soft_skeleton(probability), soft_skeleton(road)
    precision = (tf.reduce_sum(found * road) + _SMOOTH) / (tf.reduce_sum(found) + _SMOOTH)
    sensitivity = (tf.reduce_sum(wanted * probability) + _SMOOTH) / (tf.reduce_sum(wanted) + _SMOOTH)
    return 1 - 2 * precision * sensitivity / (precision + sensitivity)


def soft_skeleton(probability: tf.Tensor) -> tf.Tensor:
    """Return the soft skeleton, float32 (n, rows, cols): what each of five erosions takes from what an opening keeps.

    Five steps thin bands of up to ten pixels.

    Example:
        >>> band = tf.pad(tf.ones((1, 3, 9)), [[0, 0], [3, 3], [3, 3]])
        >>> soft_skeleton(band)[0, :, 7].numpy().tolist()
        [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    x = probability[..., None]
    skeleton = tf.nn.relu(x - _opened(x))
    for _ in range(_SKELETON_STEPS):
        x = _eroded(x)
        ridge = tf.nn.relu(x - _opened(x))
        skeleton = skeleton + tf.nn.relu(ridge - skeleton * ridge)
    return skeleton[..., 0]


def _eroded(x: tf.Tensor) -> tf.Tensor:
    """Return the minimum over a cross of five pixels."""
    upright, level = (-tf.nn.max_pool2d(-x, size, 1, "SAME") for size in ((3, 1), (1, 3)))
    return tf.minimum(upright, level)


def _opened(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.max_pool2d(_eroded(x), 3, 1, "SAME")
