"""Pictures of the images that cost a score most: right, missed and false road over the image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from roadlift.errors import OutputError, UsageError
from roadlift.evaluate import Evaluation, Pair, Scores, load_pair
from roadlift.report.figures import FALSE, MISSED, RIGHT, Backdrop, backdrop_of, new_figure, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_LEFT_OUT = "#969696"
_LONGEST_SIDE = 1000
_OPACITY = 0.8


def draw_worst(
    evaluation: Evaluation, count: int, folder: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Draw the images with the most wrong pixels, each into a PNG: right green, missed red, false blue.

    Args:
        evaluation: What `roadlift.evaluate` returned.
        count: How many images.
        folder: Where they go; made if it is not there.
        overwrite: Replace files that exist.

    Returns:
        The files, the worst first.

    Raises:
        UsageError: ``count`` is not positive.
        OutputError: A file exists, or cannot be written.
    """
    if count < 1:
        raise UsageError(f"{count} images are to be drawn; give 1 or more.")
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made: {error}") from error
    written = []
    for place, index in enumerate(evaluation.worst(count), start=1):
        source = evaluation.sources[index]
        pair = load_pair(
            source.prediction, source.truth, image=source.image, name=source.name, **evaluation.options
        )
        figure = _figure(pair, evaluation.scores[index], source.image)
        written.append(write_figure(figure, folder / f"{place:02d}_{source.name}.png", overwrite=overwrite))
    return written


def _figure(pair: Pair, scores: Scores, image: Any) -> Figure:
    rows, cols = pair.truth.shape
    scale = _LONGEST_SIDE / max(rows, cols)
    width, height = max(cols * scale, 640.0), rows * scale
    upper, lower = 60.0, 56.0
    total = upper + height + lower
    figure = new_figure(width, total)
    axes = figure.add_axes(
        ((1 - cols * scale / width) / 2, lower / total, cols * scale / width, height / total)
    )
    axes.imshow(coloured(pair, image), interpolation="nearest" if scale >= 1 else "antialiased")
    axes.set_axis_off()
    figures = (
        f"IoU {scores.confusion.iou:.2f}   APLS {scores.spacenet.value:.2f}   TOPO F1 {scores.topo.f1:.2f}"
    )
    figure.text(16 / width, 1 - 38 / total, pair.name, fontsize=15, fontweight="bold")
    figure.text(1 - 16 / width, 1 - 38 / total, figures.replace("nan", "-"), fontsize=13, ha="right")
    legend = {"right": RIGHT, "missed": MISSED, "false": FALSE, "left out": _LEFT_OUT}
    handles = [
        Patch(facecolor=colour, edgecolor="black", linewidth=0.5, label=name)
        for name, colour in legend.items()
        if name != "left out" or not pair.valid.all()
    ]
    figure.legend(handles=handles, loc="lower center", ncol=len(handles), frameon=False, fontsize=13)
    return figure


def coloured(pair: Pair, image: Any = None) -> NDArray[np.uint8]:
    """Return the picture of a pair: uint8 (rows, cols, 3).

    Args:
        pair: The prediction and its truth.
        image: Their image, drawn in grey beneath where it has as many pixels; None: white.
    """
    drawn = _grey(
        None if image is None else backdrop_of(image, None, None, max(pair.truth.shape)), pair.truth.shape
    )
    predicted, truth = pair.predicted, pair.truth
    parts = ((predicted & truth, RIGHT), (truth & ~predicted, MISSED), (predicted & ~truth, FALSE))
    for mask, colour in (*parts, (~pair.valid, _LEFT_OUT)):
        drawn[mask] = (1 - _OPACITY) * drawn[mask] + _OPACITY * 255 * np.array(to_rgb(colour), np.float32)
    return np.rint(drawn).astype(np.uint8)


def _grey(backdrop: Backdrop | None, shape: tuple[int, int]) -> NDArray[np.float32]:
    if backdrop is None or backdrop.pixels.shape[:2] != shape:
        return np.full((*shape, 3), 255, np.float32)
    grey = backdrop.pixels.astype(np.float32).mean(axis=2, keepdims=True)
    return np.repeat(0.75 * grey + 0.25 * 255, 3, axis=2).astype(np.float32)
