"""A run folder: what a training run was told, what it has done, and where it can go on.

::

    config.json      the options (TrainOptions)
    log.csv          one row an evaluation
    weights/best.keras   averaged weights with the best score on the development images
    weights/last.npz     everything that is needed to go on: weights, average, optimiser state, step
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roadlift.errors import InputError, UsageError
from roadlift.train.options import TrainOptions

COLUMNS = (
    "step",
    "epoch",
    "loss",
    "learning_rate",
    "dev_iou",
    "dev_threshold",
    "megapixels_per_second",
    "minutes",
)


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after ``step`` steps; arrays in the order of the model's and the optimiser's variables."""

    step: int
    best_iou: float
    minutes: float
    weights: list[np.ndarray]
    average: list[np.ndarray]
    optimizer: list[np.ndarray]


@dataclass(frozen=True)
class RunFolder:
    """The folder of one training run."""

    path: Path

    @property
    def best(self) -> Path:
        """File with the best averaged weights."""
        return self.path / "weights" / "best.keras"

    @property
    def last(self) -> Path:
        """File with the state to go on from."""
        return self.path / "weights" / "last.npz"

    def create(self, options: TrainOptions) -> None:
        """Begin a run.

        Raises:
            UsageError: The folder holds a run already.
        """
        if (self.path / "config.json").exists():
            raise UsageError(
                f"{self.path} holds a run already. Go on with --resume or choose another folder."
            )
        (self.path / "weights").mkdir(parents=True, exist_ok=True)
        _replace(self.path / "config.json", options.to_json().encode())

    def options(self) -> TrainOptions:
        """Return the options that the run was begun with."""
        return TrainOptions.from_json(self.path / "config.json")

    def append(self, row: Sequence[object]) -> None:
        """Add a row of :data:`COLUMNS` to the log."""
        log = self.path / "log.csv"
        begin = not log.exists()
        with log.open("a", newline="") as file:
            writer = csv.writer(file)
            if begin:
                writer.writerow(COLUMNS)
            writer.writerow(row)

    def trim_log(self, step: int) -> None:
        """Drop the rows after ``step``: a run that goes on from there writes them again."""
        log = self.path / "log.csv"
        if log.exists():
            head, *rows = log.read_text().splitlines()
            kept = [head, *(row for row in rows if int(row.split(",")[0]) <= step)]
            _replace(log, ("\n".join(kept) + "\n").encode())

    def save(self, checkpoint: Checkpoint) -> None:
        """Write the state to go on from; a kill meanwhile leaves the one before."""
        groups = {
            "weights": checkpoint.weights,
            "average": checkpoint.average,
            "optimizer": checkpoint.optimizer,
        }
        arrays: dict[str, Any] = {
            f"{name}/{index:04d}": array
            for name, group in groups.items()
            for index, array in enumerate(group)
        }
        part = self.last.with_suffix(".part.npz")
        state = np.array([checkpoint.step, checkpoint.best_iou, checkpoint.minutes], np.float64)
        np.savez(part, state=state, **arrays)
        part.replace(self.last)

    def load(self) -> Checkpoint:
        """Read the state to go on from.

        Raises:
            InputError: There is none, or it cannot be read.
        """
        try:
            with np.load(self.last, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path} holds no run that can go on: {error}.") from error
        step, best_iou, minutes = arrays.pop("state").tolist()

        def group(prefix: str) -> list[np.ndarray]:
            return [arrays[name] for name in sorted(arrays) if name.startswith(prefix + "/")]

        return Checkpoint(
            int(step), best_iou, minutes, group("weights"), group("average"), group("optimizer")
        )


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
