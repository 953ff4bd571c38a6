"""Pictures of what a model does well and badly: its worst and its typical images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from roadlift.errors import OutputError
from roadlift.train.data import IGNORE, Sample

RIGHT, MISSED, FALSE = (60, 180, 60), (220, 40, 40), (60, 90, 230)
"""Colours in red, green, blue."""
_LIGHT = 0.55


def draw_worst_and_typical(
    masks: Sequence[np.ndarray],
    samples: Sequence[Sample],
    ious: Sequence[float],
    folder: str | Path,
    *,
    count: int = 4,
) -> list[Path]:
    """Write two sheets of images beside their result: right green, missed red, false blue.

    Args:
        masks: bool (rows, cols), predicted road, of each image.
        samples: The labelled images.
        ious: IoU of each image; those without a number are left out.
        folder: Where ``worst.jpg`` and ``typical.jpg`` go; created.
        count: Images on each sheet.

    Returns:
        The files.

    Raises:
        OutputError: A sheet cannot be written.
    """
    order = sorted(
        (index for index, iou in enumerate(ious) if np.isfinite(iou)), key=lambda index: ious[index]
    )
    middle = max(len(order) // 2 - count // 2, 0)
    chosen = {"worst": order[:count], "typical": order[middle : middle + count]}
    Path(folder).mkdir(parents=True, exist_ok=True)
    files = []
    for name, indices in chosen.items():
        rows = [np.hstack([samples[i].image, explain(masks[i], samples[i])]) for i in indices]
        files.append(_write(_sheet(rows), Path(folder) / f"{name}.jpg"))
    return files


def explain(mask: np.ndarray, sample: Sample) -> np.ndarray:
    """Return the image in pale grey with right, missed and false road in colour: uint8 (rows, cols, 3).

    Args:
        mask: bool (rows, cols), predicted road.
        sample: The labelled image.

    Example:
        >>> sample = Sample("a", np.zeros((1, 4, 3), np.uint8), np.array([[1, 1, 0, 255]], np.uint8))
        >>> explain(np.array([[True, False, True, True]]), sample)[0].tolist()
        [[60, 180, 60], [220, 40, 40], [60, 90, 230], [114, 114, 114]]
    """
    grey = sample.image.mean(axis=2, keepdims=True)
    picture = np.repeat(255 - _LIGHT * (255 - grey), 3, axis=2).astype(np.uint8)
    truth, valid = sample.label == 1, sample.label != IGNORE
    for colour, where in ((RIGHT, mask & truth), (MISSED, ~mask & truth), (FALSE, mask & ~truth & valid)):
        picture[where] = colour
    return picture


def _sheet(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Stack pictures of different sizes with white margins."""
    width = max(row.shape[1] for row in rows)
    margin = 6
    padded = [
        np.pad(row, [(0, margin), (0, width - row.shape[1]), (0, 0)], constant_values=255) for row in rows
    ]
    return np.concatenate(padded)


def _write(sheet: np.ndarray, path: Path) -> Path:
    done, data = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not done:
        raise OutputError(f"{path} cannot be encoded as JPEG.")
    path.write_bytes(data.tobytes())
    return path
