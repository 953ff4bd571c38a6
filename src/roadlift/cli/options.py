"""Options that several commands share, each declared once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from roadlift.errors import UsageError

if TYPE_CHECKING:
    from roadlift.pipeline import ExtractOptions

Command = TypeVar("Command", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)


def _parse_bands(_: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Return band numbers, counted from 1, from a text like ``3,2,1``."""
    if value is None:
        return None
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        message = f"{value!r} is not a list of band numbers like 3,2,1."
        raise click.BadParameter(message, param=parameter) from None


def _parse_count(_: click.Context, parameter: click.Parameter, value: str) -> int:
    """Return a whole number from a text like ``20000000000``, ``2e10`` or ``2_000``."""
    try:
        number = float(value)
        if number == int(number) > 0:
            return int(number)
    except (ValueError, OverflowError):
        pass
    message = f"{value!r} is not a whole number above 0, as in 2e10."
    raise click.BadParameter(message, param=parameter)


def together(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Join several options into one decorator."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


model_option = click.option(
    "--model", "-m", default="roadlift-1m", show_default=True, help="Built-in name or .onnx file."
)
input_options = together(
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
limit_options = together(
    click.option(
        "--max-pixels",
        callback=_parse_count,
        default="2e10",
        show_default=True,
        metavar="N",
        help="Refuse images, and mosaics, of more pixels; 1e9 is a thousand million.",
    ),
    click.option(
        "--on-read-error",
        type=click.Choice(["fail", "nodata"]),
        default="fail",
        show_default=True,
        help="A damaged part of an image: an error, or no data while it is at most 5 % of the pixels.",
    ),
)
memory_options = together(
    click.option(
        "--tile-size",
        type=int,
        help="Largest side of a tile in pixels.  [default: 1536, exact 2048; less where memory is short]",
    ),
    click.option(
        "--max-memory",
        metavar="SIZE",
        help="Memory that the process may hold, as in 2GB.  [default: 60 % of what machine or container has]",
    ),
)
predict_options = together(
    model_option,
    input_options,
    limit_options,
    click.option(
        "--runtime",
        type=click.Choice(["openvino", "onnxruntime"]),
        default="openvino",
        show_default=True,
        help="What computes the network.",
    ),
    click.option("--device", default="cpu", show_default=True, help="Processor of the runtime: cpu or gpu."),
    memory_options,
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
threshold_options = together(
    click.option(
        "--threshold", type=float, help="Probability from which a road begins.  [default: the model's]"
    ),
    click.option(
        "--threshold-low",
        type=float,
        help="Probability down to which it is followed.  [default: the model's]",
    ),
)
job_options = together(
    click.option("--restart", is_flag=True, help="Throw away unfinished work on this output and begin anew."),
    click.option(
        "--shard",
        metavar="N/M",
        help="Compute this share of the tiles only, as in 3/16; roadlift merge OUTPUT when all are done.",
    ),
    click.option(
        "--cluster",
        metavar="ADDRESS",
        help="Compute on Dask workers: local:4 starts four here, tcp://HOST:PORT is a scheduler that runs.",
    ),
    click.option(
        "--on-error",
        type=click.Choice(["fail", "skip"]),
        default="fail",
        show_default=True,
        help="A tile that no worker of the cluster can compute: an error, or no data (up to 5 % of the tiles).",
    ),
)
product_options = together(
    click.option("--dst-crs", help="CRS of the result.  [default: the image's; GeoJSON is always WGS 84]"),
    click.option(
        "--save-probability", type=PATH, help="Also write the road probability (COG, 0..254, 255 no data)."
    ),
    click.option("--save-mask", type=PATH, help="Also write the road mask (COG, 0/1, 255 no data)."),
    click.option("--overlay", type=PATH, help="Also draw the roads over the image, as PNG."),
)
output_options = together(
    click.option("--overwrite", is_flag=True, help="Replace files that exist."),
    click.option("--quiet", "-q", is_flag=True, help="Print errors only."),
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def extract_options(values: dict[str, Any]) -> ExtractOptions:
    """Return the options of an extraction out of all values of a command."""
    from roadlift.pipeline import ExtractOptions

    known = {field.name for field in fields(ExtractOptions)}
    return ExtractOptions(**{name: value for name, value in values.items() if name in known})


def product_paths(values: dict[str, Any]) -> dict[str, Path | None]:
    """Return where to write what beside the network, out of all values of a command."""
    return {name: values[name] for name in ("save_probability", "save_mask", "overlay")}


def need_training_room() -> None:
    """Say what to install where the packages for training are missing."""
    missing = [name for name in ("cv2", "keras", "onnx", "tensorflow", "tf2onnx") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"Training needs {', '.join(missing)}, which are not installed. Run: pip install 'roadlift[train]'"
        )
