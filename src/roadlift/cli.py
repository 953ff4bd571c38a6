"""The command line: parses, calls, prints. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from roadlift.errors import RoadliftError, UsageError

if TYPE_CHECKING:
    from roadlift.pipeline import ExtractOptions, Progress

Command = TypeVar("Command", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)


HELP = """Imagery in, road map out.

\b
roadlift extract city.tif city.gpkg    the main job, with the built-in model
roadlift inspect city.tif              before: will it work, how long, how much memory
roadlift demo                          a rendered scene with known truth, extracted and scored
"""


def _parse_bands(_: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Return band numbers, counted from 1, from a text like ``3,2,1``."""
    if value is None:
        return None
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        message = f"{value!r} is not a list of band numbers like 3,2,1."
        raise click.BadParameter(message, param=parameter) from None


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


def _together(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


model_option = click.option(
    "--model", "-m", default="roadlift-1m", show_default=True, help="Built-in name or .onnx file."
)
input_options = _together(
    click.option(
        "--bands",
        callback=_parse_bands,
        metavar="R,G,B",
        help="Bands to use as red, green, blue: 1-based, as in 4,3,2.",
    ),
    click.option("--nodata", type=float, help="Pixel value that means no data, where the file does not say."),
    click.option("--gsd", type=float, help="Metres per pixel of an image without CRS."),
    click.option(
        "--crs", help="CRS of an image that has a world file but does not name one, as in EPSG:32633."
    ),
    click.option(
        "--stretch",
        type=click.Choice(["percentile", "none"]),
        help="Radiometry: percentiles of each channel over the image, or values as they are.  [default: the model's]",
    ),
)
predict_options = _together(
    model_option,
    input_options,
    click.option(
        "--runtime",
        type=click.Choice(["openvino", "onnxruntime"]),
        default="openvino",
        show_default=True,
        help="What computes the network.",
    ),
    click.option("--device", default="cpu", show_default=True, help="Processor of the runtime: cpu or gpu."),
    click.option("--tile-size", type=int, default=1024, show_default=True, help="Core of a tile in pixels."),
    click.option(
        "--exact", is_flag=True, help="Margin so wide that tiles equal the whole image bit for bit (slower)."
    ),
    click.option(
        "--blend",
        type=click.Choice(["none", "linear", "hann"]),
        default="none",
        show_default=True,
        help="Join tiles by cropping their margins, or by tapered averaging.",
    ),
    click.option(
        "--overlap", type=int, help="Pixels that blended tiles share.  [default: a quarter of the tile]"
    ),
    click.option(
        "--batch-size", type=int, default=1, show_default=True, help="Tiles that the network sees at once."
    ),
)
threshold_options = _together(
    click.option(
        "--threshold", type=float, help="Probability from which a road begins.  [default: the model's]"
    ),
    click.option(
        "--threshold-low",
        type=float,
        help="Probability down to which it is followed.  [default: the model's]",
    ),
)
output_options = _together(
    click.option("--overwrite", is_flag=True, help="Replace files that exist."),
    click.option("--quiet", "-q", is_flag=True, help="Print errors only."),
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


@click.group(help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="roadlift")
def cli() -> None:
    """Collect the commands."""


@cli.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.argument("output", type=PATH)
@predict_options
@threshold_options
@click.option("--dst-crs", help="CRS of the result.  [default: the image's; GeoJSON is always WGS 84]")
@click.option(
    "--save-probability", type=PATH, help="Also write the road probability (COG, 0..254, 255 no data)."
)
@click.option("--save-mask", type=PATH, help="Also write the road mask (COG, 0/1, 255 no data).")
@click.option("--overlay", type=PATH, help="Also draw the roads over the image, as PNG.")
@json_option
@output_options
def extract(
    images: Sequence[str],
    output: Path,
    dst_crs: str | None,
    save_probability: Path | None,
    save_mask: Path | None,
    overlay: Path | None,
    as_json: bool,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Turn images into a road network: .gpkg, .geojson, .fgb or .parquet.

    Several images make one result where they share a CRS.
    """
    from roadlift.pipeline import check_result, check_targets, extract

    chosen = _extract_options(options)
    check_targets((output, save_probability, save_mask, overlay), overwrite=overwrite)
    check_result(images, output, chosen, dst_crs=dst_crs)
    with _progress(quiet=quiet or as_json) as progress:
        roads = extract(
            images,
            chosen,
            save_probability=save_probability,
            save_mask=save_mask,
            overlay=overlay,
            overwrite=overwrite,
            progress=progress,
        )
        roads.save(output, dst_crs=dst_crs, overwrite=overwrite)
    summary = {"output": str(output), **_receipt(roads)}
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    elif not quiet:
        _print_receipt(summary)


@cli.command()
@click.argument("image")
@click.argument("output", type=PATH)
@predict_options
@output_options
def predict(image: str, output: Path, overwrite: bool, quiet: bool, **options: Any) -> None:
    """Turn an image into a road probability raster (COG, 0..254, 255 no data)."""
    from roadlift.pipeline import predict

    with _progress(quiet=quiet) as progress:
        stats = predict(image, output, _extract_options(options), overwrite=overwrite, progress=progress)
    if not quiet:
        click.echo(f"{output}: {stats.pixels / 1e6:.2f} MPx in {stats.wall_seconds:.1f} s")


@cli.command()
@click.argument("probability", type=PATH)
@click.argument("output", type=PATH)
@threshold_options
@click.option("--gsd", type=float, help="Metres per pixel of a raster without CRS.")
@click.option("--dst-crs", help="CRS of the result.  [default: the raster's; GeoJSON is always WGS 84]")
@output_options
def vectorize(
    probability: Path,
    output: Path,
    threshold: float | None,
    threshold_low: float | None,
    gsd: float | None,
    dst_crs: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Turn a probability or mask raster into a road network."""
    from roadlift.export import check_format
    from roadlift.pipeline import check_targets, network_options, vectorize

    check_targets((output,), overwrite=overwrite)
    check_format(output, dst_crs=dst_crs)
    options = network_options(None, threshold=threshold, threshold_low=threshold_low)
    roads = vectorize(probability, options, gsd=gsd)
    roads.save(output, dst_crs=dst_crs, overwrite=overwrite)
    if not quiet:
        _print_receipt({"output": str(output), **_receipt(roads)})


@cli.command()
@click.argument("image")
@model_option
@input_options
@click.option("--tile-size", type=int, default=1024, show_default=True, help="Core of a tile in pixels.")
@json_option
def inspect(image: str, model: str, as_json: bool, **options: Any) -> None:
    """Say what an image is, whether it will work, how long and how much memory it will take."""
    from roadlift.model import find_card
    from roadlift.preflight import inspect

    report = inspect(image, card=find_card(model), **options)
    click.echo(json.dumps(report.to_dict(), indent=2) if as_json else report.render())


@cli.command()
@click.option("--folder", type=PATH, default=Path("demo"), show_default=True, help="Where the files go.")
@click.option("--seed", type=int, default=7, show_default=True, help="Which scene to render.")
@model_option
def demo(folder: Path, seed: int, model: str) -> None:
    """Render a scene with known truth, extract it, score it and draw it."""
    from roadlift.demo import run_demo

    click.echo(run_demo(folder, seed=seed, model=model).render())


@cli.group()
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
    _need_training_room()
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


@cli.command()
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
    _need_training_room()
    from roadlift.train.fit import train
    from roadlift.train.options import TrainOptions

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    chosen = {name: value for name, value in options.items() if value is not None}
    best = train(data, folder, None if resume and not chosen else TrainOptions(**chosen), resume=resume)
    click.echo(f"best weights: {best}")


def main() -> None:
    """Run the command line; errors of ours become one line and their exit code."""
    try:
        cli(standalone_mode=True)
    except RoadliftError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)


def _need_training_room() -> None:
    missing = [name for name in ("cv2", "keras", "onnx", "tensorflow", "tf2onnx") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"Training needs {', '.join(missing)}, which are not installed. Run: pip install 'roadlift[train]'"
        )


def _extract_options(values: dict[str, Any]) -> ExtractOptions:
    from roadlift.pipeline import ExtractOptions

    known = {field.name for field in fields(ExtractOptions)}
    return ExtractOptions(**{name: value for name, value in values.items() if name in known})


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress | None]:
    """Show a bar with rate and remaining time on a terminal, a line every tenth in a log, nothing when quiet."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _progress_bar() as update:
            yield update
    else:
        yield _progress_line


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
    )
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("tiles", rate="")

        def update(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:.1f} tiles/s" if speed else "")

        yield update


def _progress_line(done: int, total: int) -> None:
    if done == total or done * 10 // total != (done - 1) * 10 // total:
        click.echo(f"tile {done} of {total}", err=True)


def _receipt(roads: Any) -> dict[str, Any]:
    return {
        "length_km": round(roads.length_km, 3),
        "edges": len(roads.edges),
        "junctions": int((roads.nodes["kind"] == "junction").sum()),
        **{
            key: roads.provenance[key]
            for key in ("seconds", "peak_memory_mb", "notes")
            if key in roads.provenance
        },
    }


def _print_receipt(summary: dict[str, Any]) -> None:
    for note in summary.get("notes", ()):
        click.echo(f"note: {note}")
    line = (
        f"{summary['length_km']:.2f} km of road, {summary['edges']} edges, {summary['junctions']} junctions"
    )
    if "seconds" in summary:
        line += f"; {summary['seconds']:.1f} s, {summary['peak_memory_mb']:.0f} MB peak"
    click.echo(f"{summary['output']}: {line}")
