"""What the network is trained towards: the label, or the label mixed with what an earlier model sees.

A target is uint8 as a probability raster is: 0..254 = p * 254, 255 = nothing to learn from. Labels drawn from maps are a few
pixels off, miss driveways, and show roads that are gone. An earlier model has averaged such errors out, so half of its
opinion makes a better target than the label alone (self-distillation: Furlanello et al., Born-again neural networks, ICML
2018; for noisy labels: Reed et al., Training deep neural networks on noisy labels with bootstrapping, 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import cv2
import numpy as np

from roadlift.model import Model
from roadlift.train.data import IGNORE, Sample

CERTAIN = 254


_TABLE = np.arange(256, dtype=np.uint8)
_TABLE[1] = CERTAIN


def hard_target(label: np.ndarray) -> np.ndarray:
    """Turn a label (0, 1, 255) into a target (0, 254, 255); uint8 (rows, cols).

    Example:
        >>> hard_target(np.array([[0, 1, 255]], np.uint8)).tolist()
        [[0, 254, 255]]
    """
    return cv2.LUT(label, _TABLE)


def soft_target(label: np.ndarray, opinion: np.ndarray, share: float) -> np.ndarray:
    """Mix a label with the opinion of a model; what the label ignores stays ignored.

    Args:
        label: uint8 (rows, cols): 0, 1, 255.
        opinion: uint8 (rows, cols), 0..254.
        share: Share of the opinion, 0..1.

    Example:
        >>> soft_target(np.array([[0, 1, 255]], np.uint8), np.array([[100, 100, 100]], np.uint8), 0.5).tolist()
        [[50, 177, 255]]
    """
    mixed = np.rint((1 - share) * hard_target(label) + share * opinion.astype(np.float32))
    return np.where(label == IGNORE, IGNORE, mixed).astype(np.uint8)


def symmetric_opinion(model: Model, image: np.ndarray) -> np.ndarray:
    """Return the mean probability of a model over the eight turns and reflections of an image.

    Args:
        model: A model that is ready to run.
        image: uint8 (rows, cols, 3), as the network sees it.

    Returns:
        uint8 (rows, cols), 0..254.
    """
    turned = [(turns, mirrored) for turns in range(4) for mirrored in (False, True)]
    views = (
        _padded(np.rot90(image, turns)[:, :: -1 if mirrored else 1], model.card.stride)
        for turns, mirrored in turned
    )
    total = np.zeros(image.shape[:2], np.uint16)
    for (turns, mirrored), seen in zip(turned, model.predict_many(views), strict=True):
        rows, cols = image.shape[:2] if turns % 2 == 0 else image.shape[1::-1]
        total += np.rot90(seen[0, :rows, :cols][:, :: -1 if mirrored else 1], -turns)
    return np.rint(total / 8).astype(np.uint8)


@dataclass(frozen=True)
class Taught(Sequence[Sample]):
    """Samples whose label is the target.

    Attributes:
        samples: Labelled images.
        folder: Folder with the targets of the first of them, ``000000.npy`` and so on, mapped when they are drawn.
        taught: How many have a target there; those of the others are their labels.
    """

    samples: Sequence[Sample]
    folder: Path
    taught: int = 0

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...

    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        sample = self.samples[index]
        if index < self.taught:
            return Sample(sample.name, sample.image, np.load(_file(self.folder, index), mmap_mode="r"))
        return Sample(sample.name, sample.image, hard_target(sample.label))


def teach(
    samples: Sequence[Sample],
    model: Model,
    share: float,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the target of every sample into a folder; those that are there already are kept.

    Args:
        samples: Labelled images.
        model: The teacher.
        share: Share of its opinion in the targets, 0..1.
        folder: Where they go, see :class:`Taught`.
        progress: Called with the number of samples done and all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index, sample in enumerate(samples):
        path = _file(folder, index)
        if not path.exists():
            target = soft_target(sample.label, symmetric_opinion(model, sample.image), share)
            part = path.with_suffix(".part.npy")
            np.save(part, target, allow_pickle=False)
            part.replace(path)
        if progress:
            progress(index + 1, len(samples))


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.npy"


def _padded(image: np.ndarray, stride: int) -> np.ndarray:
    """Mirror the far edges up to a multiple of the stride: uint8 (1, rows, cols, 3)."""
    rows, cols = image.shape[:2]
    return np.pad(image, [(0, -rows % stride), (0, -cols % stride), (0, 0)], mode="symmetric")[None]
