"""A run folder: what a training run was told, what it has done, and where it can go on.

::

    config.json          the options (TrainOptions)
    log.csv              one row a score (Entry)
    curves.png           the log, drawn
    cache/               images that do not fit into memory, as they are drawn from
    targets/             labels mixed with the teacher's opinion, where there is one
    samples/             what the network sees on some development images, a picture a score
    tensorboard/         the log for TensorBoard
    weights/best.keras   averaged weights with the best score on the development images
    weights/last.npz     everything that is needed to go on: weights, average, optimiser state, step
"""

from __future__ import annotations

import csv
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roadlift.errors import InputError, UsageError
from roadlift.train.options import TrainOptions

if TYPE_CHECKING:
    import keras

    from roadlift.train.record import Entry


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after ``step`` steps; arrays in the order of the model's and the optimiser's variables."""

    step: int
    best_iou: float
    best_step: int
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

    @property
    def log(self) -> Path:
        """File with a row a score."""
        return self.path / "log.csv"

    @property
    def cache(self) -> Path:
        """Folder of samples that do not fit into memory."""
        return self.path / "cache"

    @property
    def targets(self) -> Path:
        """Folder of what the images are trained towards."""
        return self.path / "targets"

    @property
    def samples(self) -> Path:
        """Folder of pictures."""
        return self.path / "samples"

    def check_new(self) -> None:
        """Refuse a folder that holds a run.

        Raises:
            UsageError: It does.
        """
        if (self.path / "config.json").exists():
            raise UsageError(
                f"{self.path} holds a run already. Go on with --resume or choose another folder."
            )

    def create(self, options: TrainOptions) -> None:
        """Begin a run.

        Raises:
            UsageError: The folder holds a run already.
        """
        self.check_new()
        for folder in (self.best.parent, self.samples):
            folder.mkdir(parents=True, exist_ok=True)
        _replace(self.path / "config.json", options.to_json().encode())

    def options(self) -> TrainOptions:
        """Return the options that the run was begun with."""
        return TrainOptions.from_json(self.path / "config.json")

    def append(self, entry: Entry) -> None:
        """Add a row to the log."""
        begin = not self.log.exists()
        with self.log.open("a", newline="") as file:
            writer = csv.DictWriter(file, [each.name for each in fields(entry)])
            if begin:
                writer.writeheader()
            writer.writerow({name: f"{value:.6g}" for name, value in asdict(entry).items()})

    def save_best(self, model: keras.Model) -> None:
        """Write the weights that are the best so far; a kill meanwhile leaves those before."""
        part = self.best.with_name("best.part.keras")
        model.save(part)
        part.replace(self.best)

    def trim_log(self, step: int) -> None:
        """Drop the rows after ``step``: a run that goes on from there writes them again."""
        if self.log.exists():
            head, *rows = self.log.read_text().splitlines()
            kept = [head, *(row for row in rows if int(row.split(",")[0]) <= step)]
            _replace(self.log, ("\n".join(kept) + "\n").encode())

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
        state = np.array(
            [checkpoint.step, checkpoint.best_iou, checkpoint.best_step, checkpoint.minutes], np.float64
        )
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
        step, best_iou, best_step, minutes = arrays.pop("state").tolist()

        def group(prefix: str) -> list[np.ndarray]:
            return [arrays[name] for name in sorted(arrays) if name.startswith(prefix + "/")]

        return Checkpoint(
            int(step),
            best_iou,
            int(best_step),
            minutes,
            group("weights"),
            group("average"),
            group("optimizer"),
        )


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
