"""A model card as people read it: Markdown that also reads well in a terminal."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roadlift.model.card import ModelCard

WIDTH: Final = 110
_COLUMNS: Final = {
    "iou": "IoU",
    "precision": "precision",
    "recall": "recall",
    "average_precision": "average precision",
    "best_iou": "best IoU",
    "apls": "APLS (spacenet)",
    "topo_f1": "TOPO F1",
}


def describe(card: ModelCard) -> str:
    """Return a card as Markdown: what the model is, what it expects, its scores, weaknesses and making.

    Example:
        >>> from roadlift.model import find_card
        >>> describe(find_card("roadlift-1m")).splitlines()[0]
        '# roadlift-1m'
    """
    parts = [
        f"# {card.name}",
        fill(card.description, WIDTH),
        _bullets(_expectations(card)),
        _score_tables(card),
        _section("Weaknesses", _bullets(card.weaknesses)),
        _section("Halo", _halo_table(card)),
        _section("Training", _training(card)),
        _section("Credit and licence", fill(f"{card.credit} Weights: {card.licence}.", WIDTH)),
    ]
    return "\n\n".join(part for part in parts if part)


def _expectations(card: ModelCard) -> list[str]:
    stretch = (
        f"each channel of each image stretched from its {card.stretch_low_percent:g} % to its "
        f"{card.stretch_high_percent:g} % percentile"
        if card.stretch == "percentile"
        else "values as they are"
    )
    return [
        f"version {card.version}, architecture `{card.architecture}`",
        f"input: {', '.join(card.bands)} at {card.ground_resolution_m:g} m per pixel, {stretch}; sides are multiples of "
        f"{card.stride} px",
        f"thresholds: a road starts at {card.threshold:g} and is followed down to {card.threshold_low:g}",
        f"halo: {card.halo} px, exact {card.exact_halo} px",
    ]


def _score_tables(card: ModelCard) -> str:
    floats = {name: value for name, value in card.scores.items() if name not in ("halo", "int8")}
    tables = [_section("Scores", _score_table(floats))]
    if "int8" in card.scores:
        tables.append(_section("Scores in int8", _score_table(card.scores["int8"])))
    return "\n\n".join(table for table in tables if table)


def _score_table(scores: Mapping[str, Any]) -> str:
    """One row a data set; 95 % intervals over images in brackets."""
    if not scores:
        return ""
    shown = [name for name in _COLUMNS if any(name in values for values in scores.values())]
    rows = [
        [name, str(values.get("images", "")), *(_cell(values, column) for column in shown)]
        for name, values in scores.items()
    ]
    table = _table(["set", "images", *(_COLUMNS[column] for column in shown)], rows)
    if any(f"{column}_95" in values for column in shown for values in scores.values()):
        table += "\n\nIn brackets: 95 % bootstrap intervals over images."
    return table


def _cell(values: Mapping[str, Any], column: str) -> str:
    if column not in values:
        return ""
    text = f"{values[column]:.3f}"
    if column == "best_iou" and "best_threshold" in values:
        return f"{text} at {values['best_threshold']:.2f}"
    bounds = values.get(f"{column}_95")
    return f"{text} ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else text


def _halo_table(card: ModelCard) -> str:
    rows = [
        [str(row["halo"]), f"{100 * row['flipped_share']:.4f} %", str(row["largest_step"])]
        for row in card.scores.get("halo", [])
    ]
    return _table(["halo, px", "mask pixels that flip", "largest step of 254"], rows) if rows else ""


def _training(card: ModelCard) -> str:
    lines = []
    if "command" in card.training:
        lines.append(f"```\n{card.training['command']}\n```")
    if "minutes" in card.training:
        lines.append(f"Minutes of training: {card.training['minutes']:g}.")
    if "making" in card.training:
        lines.append(fill(card.training["making"], WIDTH))
    return "\n\n".join(lines)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _bullets(texts: Sequence[str]) -> str:
    return "\n".join(fill(text, WIDTH, initial_indent="* ", subsequent_indent="  ") for text in texts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (head, *rows)
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
