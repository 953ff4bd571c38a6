"""Scores of a Keras network on labelled images, whole image at a time."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from scipy.special import expit

from roadlift.evaluate.pixels import ProbabilityHistogram
from roadlift.train.data import IGNORE, Sample


def predict_sample(model: keras.Model, sample: Sample, *, stride: int) -> np.ndarray:
    """Return the probability uint8 (rows, cols), 0..254, of one image; its far edges are mirrored up to the stride."""
    rows, cols = sample.label.shape
    padding = [(0, -rows % stride), (0, -cols % stride), (0, 0)]
    image = np.pad(sample.image, padding, mode="symmetric")[None].astype(np.float32) / 255
    logits = model.predict_on_batch(image)[0, :rows, :cols, 0].astype(
        np.float32
    )  # a call keeps every layer's output
    return np.rint(254 * expit(logits)).astype(np.uint8)


def histogram_of(probabilities: Sequence[np.ndarray], samples: Sequence[Sample]) -> ProbabilityHistogram:
    """Count road and background pixels by probability over all ``samples``, ignored pixels left out.

    Args:
        probabilities: uint8 (rows, cols), 0..254, of each sample.
        samples: The labelled images.
    """
    total = ProbabilityHistogram.empty()
    for probability, sample in zip(probabilities, samples, strict=True):
        total = total + ProbabilityHistogram.of(probability, sample.label == 1, valid=sample.label != IGNORE)
    return total
