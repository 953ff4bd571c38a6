"""Training."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from roadlift.cli.display import progress_display
from roadlift.cli.options import PATH, need_training_room
from roadlift.train.options import SCHEDULES, TrainOptions

_TYPES: dict[str, Any] = {"int": int, "float": float, "str": str}


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a flag for every field of TrainOptions; what is not given is None."""
    for field in reversed(fields(TrainOptions)):
        text = field.metadata["help"]
        if field.default != "":
            text += f"  [default: {field.default}]"
        kind = click.Choice(SCHEDULES) if field.name == "schedule" else _TYPES[str(field.type)]
        names = [
            f"--{field.name.replace('_', '-')}",
            *(["--from"] if field.name == "start" else []),
            field.name,
        ]
        command = click.option(*names, type=kind, default=None, help=text)(command)
    return command


@click.command()
@click.argument("data", type=PATH)
@click.option("--run", "folder", type=PATH, required=True, help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
@run_options
def train(data: Path, folder: Path, resume: bool, quiet: bool, **options: Any) -> None:
    r"""Train a network on DATA/train, select it on DATA/dev (each with images/ and masks/, or in another layout).

    \b
    roadlift train mydata --run runs/mine                       from pretrained weights
    roadlift train mydata --run runs/mine --resume              go on after a stop
    roadlift train mydata --run runs/mine --from roadlift-1m    fine-tune the built-in model
    """
    need_training_room()
    from roadlift.train.fit import train

    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    chosen = {name: value for name, value in options.items() if value is not None}
    with progress_display(quiet=quiet, what="steps") as progress:
        best = train(
            data,
            folder,
            None if resume and not chosen else TrainOptions(**chosen),
            resume=resume,
            progress=progress,
        )
    if not quiet:
        click.echo(f"best weights: {best}")
