"""Training."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from roadlift.cli.options import PATH, need_training_room


@click.command()
@click.argument("data", type=PATH)
@click.option("--run", "folder", type=PATH, required=True, help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("--architecture", help="lite0-unet or unet.  [default: lite0-unet]")
@click.option("--width", type=int, help="Channels of the first level, of unet only.  [default: 16]")
@click.option("--steps", type=int, help="Gradient steps.  [default: 3200]")
@click.option("--batch-size", type=int, help="Crops in a batch.  [default: 8]")
@click.option("--crop", type=int, help="Side of a crop in pixels.  [default: 320]")
@click.option("--learning-rate", type=float, help="Largest learning rate.  [default: 0.0015]")
@click.option("--weight-decay", type=float, help="Decay of AdamW.  [default: 0.01]")
@click.option("--warmup-steps", type=int, help="Steps to the largest learning rate.  [default: 200]")
@click.option("--dice-weight", type=float, help="Share of the Dice loss.  [default: 0.5]")
@click.option(
    "--small-image-boost", type=float, help="Draw images under 1 MPx so much more often.  [default: 3]"
)
@click.option("--scenes", type=int, help="Rendered scenes to train on as well.  [default: 0]")
@click.option("--scene-share", type=float, help="Their share of the crops.  [default: 0.1]")
@click.option("--evaluate-every", type=int, help="Steps between scores.  [default: 200]")
@click.option("--seed", type=int, help="Seed of everything random.  [default: 0]")
def train(data: Path, folder: Path, resume: bool, **options: Any) -> None:
    """Train a network on DATA/train, select it on DATA/dev (each with images/ and masks/)."""
    need_training_room()
    from roadlift.train.fit import train
    from roadlift.train.options import TrainOptions

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    chosen = {name: value for name, value in options.items() if value is not None}
    best = train(data, folder, None if resume and not chosen else TrainOptions(**chosen), resume=resume)
    click.echo(f"best weights: {best}")
