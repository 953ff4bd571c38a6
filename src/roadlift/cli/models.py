"""Models: list, show, export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from roadlift.cli.options import PATH, json_option, need_training_room


def _parse_data_sets(
    _: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[Path, float | None]]:
    """Return folder and ground resolution by name from texts like ``vegas=FOLDER`` or ``japan=FOLDER@0.4``."""
    found = {}
    for value in values:
        name, folder = value.partition("=")[::2]
        place, gsd = folder.rpartition("@")[::2] if "@" in folder else (folder, "")
        try:
            found[name] = (Path(place), float(gsd) if gsd else None)
        except ValueError:
            message = f"{value!r} is not NAME=FOLDER or NAME=FOLDER@METRES."
            raise click.BadParameter(message, param=parameter) from None
    return found


@click.group()
def models() -> None:
    """List, show and export models."""


@models.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the built-in models."""
    from roadlift.model import list_models

    cards = list_models()
    if as_json:
        click.echo(json.dumps([json.loads(card.to_json()) for card in cards], indent=2))
        return
    for card in cards:
        click.echo(
            f"{card.name:<16} {card.architecture:<12} {card.ground_resolution_m:g} m   {card.description}"
        )


@models.command()
@click.argument("model", default="roadlift-1m")
@json_option
def show(model: str, as_json: bool) -> None:
    """Show the card of a built-in model or an .onnx file."""
    from roadlift.model import find_card

    card = find_card(model)
    if as_json:
        click.echo(json.dumps(json.loads(card.to_json()), indent=2))
        return
    for name, value in json.loads(card.to_json()).items():
        click.echo(f"{name:<22} {json.dumps(value, indent=2) if isinstance(value, dict) else value}")


@models.command("export")
@click.argument("run", type=PATH)
@click.argument("output", type=PATH)
@click.option(
    "--data",
    type=PATH,
    required=True,
    help="Folder that the run was trained on; thresholds come from DATA/dev.",
)
@click.option("--description", required=True, help="One or two sentences for the card.")
@click.option("--credit", required=True, help="Whom to credit for data and pretrained weights.")
@click.option("--licence", default="Apache-2.0", show_default=True, help="SPDX expression.")
@click.option("--model-version", "version", default="1", show_default=True, help="Version of the model.")
@click.option(
    "--evaluate",
    "elsewhere",
    multiple=True,
    callback=_parse_data_sets,
    metavar="NAME=FOLDER[@GSD]",
    help="Further labelled images to score, resampled from GSD metres per pixel; may be repeated.",
)
def export_command(
    run: Path, output: Path, elsewhere: dict[str, tuple[Path, float | None]], **texts: Any
) -> None:
    """Turn the best weights of a run into an .onnx file that knows its thresholds, halos and scores."""
    need_training_room()
    from roadlift.train.data import read_samples
    from roadlift.train.publish import publish

    samples = {name: read_samples(folder, gsd=gsd) for name, (folder, gsd) in elsewhere.items()}
    card = publish(run, output=output, elsewhere=samples, **texts)
    for name, scores in card.scores.items():
        if name != "halo":
            click.echo(
                f"{name:<12} {scores['images']:>4} images   IoU {scores['iou']:.3f}   best {scores['best_iou']:.3f}"
            )
    click.echo(
        f"thresholds {card.threshold}, {card.threshold_low}; halo {card.halo} px, exact {card.exact_halo} px; {output}"
    )
