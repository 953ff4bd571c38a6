"""The stream of training batches: batch ``k`` is a pure function of the seed and ``k``, so a run can go on anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from roadlift.errors import InputError
from roadlift.train.augment import random_crop
from roadlift.train.data import Sample

_SMALL_PIXELS = 10**6


@dataclass(frozen=True)
class BatchStream:
    """Batches of augmented crops.

    Attributes:
        samples: Labelled images.
        weights: float64 (samples,): how often each is drawn, sums to 1.
        batch_size: Crops in a batch.
        crop: Side of a crop in pixels.
        seed: Seed of everything random.
        scale_octaves: Largest change of scale, as a power of two.
        roadless_share: Share of the crops without road that is kept.
        light_share: Share of the crops whose light and sharpness are changed.
    """

    samples: Sequence[Sample]
    weights: np.ndarray
    batch_size: int
    crop: int
    seed: int
    scale_octaves: float = 0.5
    roadless_share: float = 1.0
    light_share: float = 0.9

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch number ``step``: images uint8 (n, crop, crop, 3) and labels uint8 (n, crop, crop)."""
        rng = np.random.default_rng([self.seed, step])
        chosen = rng.choice(len(self.samples), self.batch_size, p=self.weights)
        choices = {
            "scale_octaves": self.scale_octaves,
            "roadless_share": self.roadless_share,
            "light_share": self.light_share,
        }
        crops = [random_crop(self.samples[index], self.crop, rng, **choices) for index in chosen]
        return np.stack([image for image, _ in crops]), np.stack([label for _, label in crops])

    def dataset(self, first: int, last: int) -> tf.data.Dataset:
        """Return the batches ``first`` to ``last - 1`` as a dataset that is prepared while the network trains."""
        shape = (self.batch_size, self.crop, self.crop)

        def load(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            images, labels = tf.numpy_function(lambda k: self.batch(int(k)), [step], [tf.uint8, tf.uint8])
            return tf.ensure_shape(images, (*shape, 3)), tf.ensure_shape(labels, shape)

        return (
            tf.data.Dataset.range(first, last).map(load, num_parallel_calls=2, deterministic=True).prefetch(4)
        )


def sampling_weights(
    images: Sequence[Sample], scenes: Sequence[Sample], *, small_image_boost: float, scene_share: float
) -> np.ndarray:
    """Weigh images by their labelled area, small ones more, and give the scenes their share.

    Args:
        images: Labelled images.
        scenes: Rendered scenes, drawn equally often.
        small_image_boost: Factor for images under one megapixel.
        scene_share: Share of the scenes, where there are any.

    Returns:
        float64 (images + scenes,), sums to 1.

    Raises:
        InputError: No image has a labelled pixel.
    """
    area = np.array([sample.label.size * sample.valid_share for sample in images], np.float64)
    area *= [small_image_boost if sample.label.size < _SMALL_PIXELS else 1.0 for sample in images]
    if not area.sum() > 0:
        raise InputError(f"None of the {len(images)} images has a labelled pixel that is not blank.")
    if not scenes:
        return area / area.sum()
    return np.concatenate(
        [area / area.sum() * (1 - scene_share), np.full(len(scenes), scene_share / len(scenes))]
    )
