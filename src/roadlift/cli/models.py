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
@click.option("--stac", is_flag=True, help="Print a STAC item with the Machine Learning Model extension.")
def show(model: str, as_json: bool, stac: bool) -> None:
    """Show the card of a built-in model or an .onnx file."""
    from roadlift.model import describe, find_card, stac_item

    card = find_card(model)
    if stac:
        click.echo(json.dumps(stac_item(card), indent=2))
        return
    if as_json:
        click.echo(json.dumps(json.loads(card.to_json()), indent=2))
        return
    click.echo(describe(card))


@models.command("export")
@click.argument("run", type=PATH)
@click.argument("output", type=PATH)
@click.option(
    "--data",
    type=PATH,
    required=True,
    help="Data that the run was trained on: thresholds come from its dev images, int8 ranges from its train images.",
)
@click.option("--int8/--no-int8", default=True, show_default=True, help="Also write OUTPUT's int8 twin.")
@click.option(
    "--pictures", type=PATH, help="Folder for sheets of the worst and of typical images of each set."
)
@click.option("--description", help="One or two sentences for the card.")
@click.option("--credit", help="Whom to credit for data and pretrained weights.")
@click.option("--licence", help="SPDX expression.  [default: Apache-2.0]")
@click.option("--model-version", "version", help="Version of the model.  [default: 1]")
@click.option("--making", help="What else the card says of the training, beside its command.")
@click.option("--weakness", "weaknesses", multiple=True, help="What it does badly; may be repeated.")
@click.option(
    "--evaluate",
    "elsewhere",
    multiple=True,
    callback=_parse_data_sets,
    metavar="NAME=FOLDER[@GSD]",
    help="Further labelled images to score, resampled from GSD metres per pixel; may be repeated.",
)
def export_command(
    run: Path,
    output: Path,
    data: Path,
    int8: bool,
    pictures: Path | None,
    elsewhere: dict[str, tuple[Path, float | None]],
    weaknesses: tuple[str, ...],
    **texts: Any,
) -> None:
    r"""Turn the best weights of a run into .onnx files that know their thresholds, halos and scores.

    \b
    roadlift models export runs/mine mine.onnx --data mydata    writes mine.onnx and mine-int8.onnx

    RUN may also be an .onnx float file with a card, which is then scored and quantised anew. The int8 file is refused
    when it loses more than half an IoU point on the dev images.
    """
    need_training_room()
    from roadlift.model import describe
    from roadlift.train.data import read_samples
    from roadlift.train.publish import Texts, publish

    if run.suffix != ".onnx" and not (texts["description"] and texts["credit"]):
        raise click.UsageError("A run is exported with --description and --credit; the card needs them.")
    samples = {name: read_samples(folder, gsd=gsd) for name, (folder, gsd) in elsewhere.items()}
    words = Texts(**texts, weaknesses=weaknesses or None)
    card = publish(run, data, output, texts=words, int8=int8, pictures=pictures, elsewhere=samples)
    click.echo(describe(card))
