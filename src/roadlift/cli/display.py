"""What commands show while they work and when they are done."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from roadlift.pipeline import Progress


@contextmanager
def job_display(*, quiet: bool) -> Iterator[Progress | None]:
    """Show progress, and what a long job says: its plan, what it goes on from, what it leaves. Warnings even if quiet."""
    logger, handler = logging.getLogger("roadlift"), _Spoken()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    try:
        with progress_display(quiet=quiet) as progress:
            yield progress
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _Spoken(logging.Handler):
    """Print messages to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)


@contextmanager
def progress_display(*, quiet: bool, what: str = "tiles") -> Iterator[Progress | None]:
    """Show a bar with rate and remaining time on a terminal, a line every tenth in a log, nothing when quiet."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _progress_bar(what) as update:
            yield update
    else:
        yield partial(_progress_line, what)


@contextmanager
def _progress_bar(what: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
    )
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(what, rate="")

        def update(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:.1f} {what}/s" if speed else "")

        yield update


def _progress_line(what: str, done: int, total: int) -> None:
    if done == total or done * 10 // total != (done - 1) * 10 // total:
        click.echo(f"{done} of {total} {what}", err=True)


def print_receipt(output: Path, roads: Any, *, as_json: bool, quiet: bool) -> None:
    """Say what a finished road map is: as JSON, in one line after its notes, or not at all."""
    summary = {"output": str(output), **_receipt(roads)}
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    elif not quiet:
        for note in summary.get("notes", ()):
            click.echo(f"note: {note}")
        click.echo(f"{output}: {_figures(summary)}")


def _receipt(roads: Any) -> dict[str, Any]:
    """Return what is worth saying about a finished RoadMap: length, counts, time, memory, notes."""
    said = ("seconds", "peak_memory_mb", "notes")
    return {
        "length_km": round(roads.length_km, 3),
        "edges": len(roads.edges),
        "junctions": int((roads.nodes["kind"] == "junction").sum()),
        **{key: roads.provenance[key] for key in said if key in roads.provenance},
    }


def _figures(summary: dict[str, Any]) -> str:
    line = (
        f"{summary['length_km']:.2f} km of road, {summary['edges']} edges, {summary['junctions']} junctions"
    )
    if "seconds" in summary:
        line += f"; {summary['seconds']:.1f} s, {summary['peak_memory_mb']:.0f} MB peak"
    return line
