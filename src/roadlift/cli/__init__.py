"""The command line: parses, calls, prints. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import click

from roadlift.cli.data import data
from roadlift.cli.evaluate import evaluate
from roadlift.cli.models import models
from roadlift.cli.roads import demo, extract, inspect, merge, predict, report, vectorize
from roadlift.cli.serve import serve
from roadlift.cli.train import train
from roadlift.errors import RoadliftError

HELP = """Imagery in, road map out.

\b
roadlift extract city.tif city.gpkg    the main job, with the built-in model
roadlift inspect city.tif              before: will it work, how long, how much memory
roadlift evaluate city.gpkg truth.gpkg  after: every road metric, explained
roadlift serve                         the same in a browser: drop an image, watch, download
roadlift report city.gpkg              after: one page with map, figures and what is worth a look
roadlift demo                          a rendered scene with known truth, extracted and scored
"""


@click.group(help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="roadlift")
def cli() -> None:
    """Collect the commands."""


for command in (
    inspect,
    extract,
    predict,
    vectorize,
    merge,
    report,
    demo,
    models,
    data,
    train,
    evaluate,
    serve,
):
    cli.add_command(command)


@contextmanager
def _without_failures_to_log() -> Iterator[None]:
    """Keep quiet where rasterio fails to log what GDAL says in no script: then Python prints that failure, and goes on.

    An error that ends the program is printed after this has ended.
    """
    hooks = sys.excepthook, sys.unraisablehook

    def printed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, UnicodeDecodeError):
            hooks[0](kind, error, trace)

    def unraisable(report: Any) -> None:
        if not isinstance(report.exc_value, UnicodeDecodeError):
            hooks[1](report)

    sys.excepthook, sys.unraisablehook = printed, unraisable
    try:
        yield
    finally:
        sys.excepthook, sys.unraisablehook = hooks


def main() -> None:
    """Run the command line; errors of ours become one line and their exit code."""
    try:
        with _without_failures_to_log():
            cli(standalone_mode=True)
    except RoadliftError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
