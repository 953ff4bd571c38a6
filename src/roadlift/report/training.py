"""Pictures of a training run: its curves, and what the network sees on a few images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from roadlift.report.figures import FALSE, MISSED, PROBABILITY_COLOURS, RIGHT, new_figure, write_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#6e7781"
_CELL_PX = 320
CURVES = (
    ("loss", "loss", _ORANGE),
    ("dev_iou", "road IoU on dev", _BLUE),
    ("learning_rate", "learning rate", _GREY),
)
"""Column of the log, title, colour."""


def draw_curves(log: Mapping[str, Sequence[float]], path: str | Path) -> Path:
    """Draw loss, score on the development images and learning rate over the steps, as PNG.

    Args:
        log: Columns ``step``, ``loss``, ``dev_iou`` and ``learning_rate`` of a run's log.
        path: Picture to write; replaced when whole.
    """
    figure = new_figure(1080, 380)
    for axes, curve in zip(figure.subplots(1, len(CURVES)), CURVES, strict=True):
        draw_curve(axes, log, curve)
    figure.tight_layout()
    return write_figure(figure, path, overwrite=True)


def draw_curve(axes: Axes, log: Mapping[str, Sequence[float]], curve: tuple[str, str, str]) -> None:
    """Draw one of `CURVES` of a run's log on axes."""
    column, title, colour = curve
    axes.plot(log["step"], log[column], color=colour, marker="o", markersize=3)
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if column == "dev_iou":
        _mark_best(axes, log)


def _mark_best(axes: Axes, log: Mapping[str, Sequence[float]]) -> None:
    scores = np.asarray(log["dev_iou"], float)
    if not np.isfinite(scores).any():
        return
    best = int(np.nanargmax(scores))
    axes.annotate(
        f"best {scores[best]:.3f}",
        (log["step"][best], scores[best]),
        textcoords="offset points",
        xytext=(0, -14),
        ha="center",
        fontsize=9,
    )


Row = tuple[str, "NDArray[np.uint8]", "NDArray[np.uint8]", "NDArray[np.uint8]"]


def draw_predictions(rows: Sequence[Row], path: str | Path, *, threshold: float) -> Path:
    """Write the sheet of `prediction_sheet` as PNG; replaced when whole."""
    return write_figure(prediction_sheet(rows, threshold=threshold), path, overwrite=True)


def prediction_sheet(rows: Sequence[Row], *, threshold: float) -> Figure:
    """Draw image, probability and comparison with the label, a row an image.

    Args:
        rows: Name, image uint8 (rows, cols, 3), probability uint8 (rows, cols) 0..254, label uint8 (rows, cols) 0, 1, 255.
        threshold: Probability from which a pixel counts as road in the comparison.

    Returns:
        The figure; three axes a row.
    """
    figure = new_figure(3 * _CELL_PX, len(rows) * (_CELL_PX + 24))
    grid = figure.subplots(len(rows), 3, squeeze=False)
    for axes, (name, image, probability, label) in zip(grid, rows, strict=True):
        axes[0].imshow(image)
        axes[0].set_title(name, loc="left", fontsize=8)
        axes[1].imshow(np.ma.masked_equal(probability, 255), cmap=PROBABILITY_COLOURS, vmin=0, vmax=254)
        axes[1].set_title("probability", loc="left", fontsize=8)
        axes[2].imshow(error_map(image, probability >= threshold * 254, label))
        axes[2].set_title("right green, missed red, false blue", loc="left", fontsize=8)
        for each in axes:
            each.set_axis_off()
    figure.tight_layout(pad=0.4)
    return figure


def error_map(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], label: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Paint right, missed and false road over a greyed image; uint8 (rows, cols, 3).

    Args:
        image: uint8 (rows, cols, 3).
        mask: bool (rows, cols), the prediction.
        label: uint8 (rows, cols): 0, 1, and 255 where nothing is compared.

    Example:
        >>> image = np.zeros((1, 3, 3), np.uint8)
        >>> painted = error_map(image, np.array([[True, True, False]]), np.array([[1, 0, 1]], np.uint8))
        >>> [tuple(int(value) for value in pixel) for pixel in painted[0]]
        [(95, 224, 168), (58, 109, 240), (224, 48, 32)]
    """
    painted = np.repeat((image.mean(axis=2, keepdims=True) * 0.6 + 60).astype(np.uint8), 3, axis=2)
    counted = label != 255
    for where, colour in (
        (mask & (label == 1), RIGHT),
        (mask & (label == 0), FALSE),
        (~mask & (label == 1), MISSED),
    ):
        painted[where & counted] = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return painted
