"""A contact sheet: many small labelled pictures on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from roadlift.errors import UsageError
from roadlift.export.atomic import replacing

_ROAD, _UNKNOWN, _WRONG = (230, 85, 13), (86, 180, 233), "#c1121f"
_INK, _SOFT = "#1b1f24", "#57606a"
_CELL_INCHES, _CAPTION_INCHES, _TITLE_INCHES = 1.75, 0.62, 0.75
_DPI = 110
_CAPTION_CHARACTERS = 26


@dataclass(frozen=True)
class Cell:
    """One picture of a sheet.

    Attributes:
        pixels: uint8 (rows, cols, 3).
        label: uint8 (rows, cols): 0 background, 1 road, 255 unknown; None draws none.
        title: Its name.
        caption: What is known of it, one or two lines.
        problem: What is wrong with it; it gets a red frame.
    """

    pixels: np.ndarray
    label: np.ndarray | None
    title: str
    caption: str = ""
    problem: str = ""


def contact_sheet(
    cells: Sequence[Cell], path: str | Path, *, title: str, subtitle: str = "", overwrite: bool = False
) -> Path:
    """Draw pictures with their labels: roads orange, what nobody learns from blue, problems framed in red.

    Args:
        cells: The pictures, in reading order.
        path: ``.png`` file to write.
        title: Heading of the page.
        subtitle: Line below it.
        overwrite: Replace an existing file.

    Raises:
        UsageError: There is no picture, or the suffix is not .png.
        OutputError: The file exists, or cannot be written.
    """
    if not cells:
        raise UsageError("There is no picture to put on a sheet.")
    if Path(path).suffix.lower() != ".png":
        raise UsageError(f"{path} must end in .png: sheets are written as PNG.")
    columns = min(10, max(4, round(len(cells) ** 0.5 * 1.2)))
    rows = -(-len(cells) // columns)
    width = columns * _CELL_INCHES + 0.3
    height = rows * (_CELL_INCHES + _CAPTION_INCHES) + _TITLE_INCHES
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.15 / width, 1 - 0.30 / height, title, fontsize=13, weight="bold", color=_INK, va="center")
    figure.text(0.15 / width, 1 - 0.55 / height, subtitle, fontsize=8.5, color=_SOFT, va="center")
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        top = _TITLE_INCHES + row * (_CELL_INCHES + _CAPTION_INCHES)
        _draw_cell(figure, cell, 0.15 + column * _CELL_INCHES, top)
    with replacing(path, overwrite=overwrite) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": "roadlift"})
    return Path(path)


def _draw_cell(figure: Figure, cell: Cell, left: float, top: float) -> None:
    """Draw a picture whose upper left corner lies so many inches from that of the page."""
    width, height = figure.get_size_inches()
    side = _CELL_INCHES - 0.12
    axes = figure.add_axes((left / width, 1 - (top + side) / height, side / width, side / height))
    axes.imshow(with_label(cell.pixels, cell.label), interpolation="nearest", aspect="equal")
    axes.set_anchor("NW")
    axes.set_axis_off()
    rows, cols = cell.pixels.shape[:2]
    if cell.problem:
        frame = Rectangle((-0.5, -0.5), cols, rows, fill=False, edgecolor=_WRONG, linewidth=3)
        axes.add_patch(frame)
    lines = [(cell.title, _INK, "bold"), *((line, _SOFT, "normal") for line in cell.caption.splitlines())]
    if cell.problem:
        lines.append((cell.problem, _WRONG, "bold"))
    for number, (text, colour, weight) in enumerate(lines[:4]):
        place = (left / width, 1 - (top + side + 0.09 + 0.13 * number) / height)
        figure.text(*place, _cut(text), fontsize=6.3, color=colour, weight=weight, va="center")


def with_label(pixels: np.ndarray, label: np.ndarray | None) -> np.ndarray:
    """Return the picture uint8 (rows, cols, 3) with its label laid over it, so that both can be seen."""
    if label is None:
        return pixels
    drawn = pixels.astype(np.float32)
    for value, colour, share in ((1, _ROAD, 0.55), (255, _UNKNOWN, 0.35)):
        there = label == value
        drawn[there] = drawn[there] * (1 - share) + np.array(colour, np.float32) * share
    return np.rint(drawn).astype(np.uint8)


def _cut(text: str) -> str:
    """Shorten a line in its middle: names differ at their ends."""
    if len(text) <= _CAPTION_CHARACTERS:
        return text
    half = (_CAPTION_CHARACTERS - 1) // 2
    return f"{text[:half]}…{text[-half:]}"
