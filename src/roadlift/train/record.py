"""How a run goes, written down for people: a CSV row, TensorBoard's scalars, curves, and what the network sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import tensorflow as tf

from roadlift.report.training import draw_curves, draw_predictions
from roadlift.train.data import IGNORE, Sample
from roadlift.train.run import RunFolder

_SHOWN = 6


@dataclass(frozen=True)
class Entry:
    """One row of ``log.csv``.

    Attributes:
        step: Gradient steps done.
        megapixels: Pixels seen, crops with all that they ignore.
        loss: Mean since the entry before; NaN before the first step.
        learning_rate: Of the next step.
        dev_iou: Road IoU of the averaged weights on the development images, at the best threshold.
        dev_threshold: That threshold.
        megapixels_per_second: Training speed since the entry before.
        minutes: Training time, without scoring.
    """

    step: int
    megapixels: float
    loss: float
    learning_rate: float
    dev_iou: float
    dev_threshold: float
    megapixels_per_second: float
    minutes: float


class Recorder:
    """Writes entries into a run folder."""

    def __init__(self, folder: RunFolder):
        self._folder = folder
        self._board = tf.summary.create_file_writer(str(folder.path / "tensorboard"))

    def write(self, entry: Entry, dev: Sequence[Sample], probabilities: Sequence[np.ndarray]) -> None:
        """Add an entry and draw the run as it stands.

        Args:
            entry: What to write down.
            dev: The development images.
            probabilities: uint8 (rows, cols), 0..254, of each.
        """
        self._folder.append(entry)
        with self._board.as_default():
            for name in ("loss", "dev_iou", "learning_rate", "megapixels_per_second"):
                tf.summary.scalar(name, getattr(entry, name), step=entry.step)
        self._board.flush()
        log = pd.read_csv(self._folder.log)
        draw_curves({str(name): log[name].to_list() for name in log}, self._folder.path / "curves.png")
        self._draw_samples(entry, dev, probabilities)

    def _draw_samples(self, entry: Entry, dev: Sequence[Sample], probabilities: Sequence[np.ndarray]) -> None:
        """Draw the images with the most road, the same ones every time."""
        order = sorted(range(len(dev)), key=lambda index: -int((dev[index].label == 1).sum()))
        chosen = order[:: max(1, len(order) // _SHOWN)][:_SHOWN]
        rows = [
            (
                dev[index].name,
                dev[index].image,
                np.where(dev[index].label == IGNORE, 255, probabilities[index]).astype(np.uint8),
                dev[index].label,
            )
            for index in chosen
        ]
        threshold = entry.dev_threshold if np.isfinite(entry.dev_threshold) else 0.5
        draw_predictions(rows, self._folder.samples / f"step_{entry.step:06d}.png", threshold=threshold)
