"""Labelled data: look at it, make it ready for training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roadlift.cli.display import progress_display
from roadlift.cli.options import PATH, json_option, need_training_room, together

if TYPE_CHECKING:
    from roadlift.train.data import Inspection, Prepared

_MOST_LINES = 40


def _parse_shares(_: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, float] | None:
    """Return shares by split from a text like ``train=0.9,dev=0.1``."""
    if value is None:
        return None
    try:
        return {name.strip(): float(share) for name, share in (part.split("=") for part in value.split(","))}
    except ValueError:
        message = f"{value!r} is not a list of shares like train=0.8,dev=0.1,test=0.1."
        raise click.BadParameter(message, param=parameter) from None


data_options = together(
    click.option(
        "--layout",
        metavar="NAME",
        help="massachusetts, massachusetts-kaggle, folders, deepglobe, vector or spacenet.  [default: recognised]",
    ),
    click.option(
        "--roads",
        type=PATH,
        help="Roads of all images: .gpkg, .fgb, .geojson, .osm.pbf or .osm, instead of labels.",
    ),
    click.option("--gsd", type=float, help="Metres per pixel of images without CRS."),
    click.option(
        "--road-width",
        type=float,
        metavar="METRES",
        help="Width that lines are drawn with.  [default: from their tags width, lanes, highway, oneway; else 7]",
    ),
    click.option("--quiet", "-q", is_flag=True, help="No progress."),
)


@click.group()
def data() -> None:
    """Look at labelled data, and make it ready for training."""


@data.command("inspect")
@click.argument("data", type=PATH)
@data_options
@click.option("--sheet", type=PATH, metavar="PNG", help="Picture of the images with their labels to write.")
@json_option
def inspect_command(data: Path, sheet: Path | None, as_json: bool, quiet: bool, **options: Any) -> None:
    """Measure every image of DATA, and name what is wrong with it.

    Sizes, ground resolution, blank and road shares; images and labels without counterpart, labels that do not fit, files
    that are broken, duplicates, and places that are in two splits.
    """
    need_training_room()
    from roadlift.train.data import draw_sheet, inspect_data

    with progress_display(quiet=quiet or as_json, what="images") as progress:
        found = inspect_data(data, progress=progress, **options)
    if sheet is not None:
        draw_sheet(found, sheet)
    click.echo(found.to_json() if as_json else _found_lines(found, sheet))


def _found_lines(found: Inspection, sheet: Path | None) -> str:
    """Return what was found as lines for people."""
    lines = [f"{found.data}: layout {found.layout}", "", *_table_lines(found), ""]
    lines += [f"note: {note}" for note in found.notes]
    for row in found.problems.head(_MOST_LINES).to_dict("records"):
        lines.append(f"{row['problem']}: {row['file']}: {row['detail']}")
    if len(found.problems) > _MOST_LINES:
        lines.append(f"and {len(found.problems) - _MOST_LINES} more; --json has all")
    lines.append(f"{len(found.problems)} problems" if len(found.problems) else "no problems")
    if sheet is not None:
        lines.append(f"pictures: {sheet}")
    return "\n".join(lines)


def _table_lines(found: Inspection) -> list[str]:
    table = found.splits().reset_index()
    table["split"] = table["split"].replace("", "(none)")
    table["megapixels"] = table["megapixels"].map("{:.1f}".format)
    for name in ("blank_share", "road_share"):
        table[name] = table[name].map("{:.2%}".format)
    sizes = found.images.dropna(subset=["rows"]).groupby("split")
    table["sizes"] = [
        _span(sizes.get_group(name)[["rows", "cols"]].to_numpy(), "{:.0f}") + " px"
        if name in sizes.groups
        else ""
        for name in found.splits().index
    ]
    table["ground_resolution"] = [
        _span(sizes.get_group(name)[["ground_resolution_m"]].to_numpy(float), "{:.3g}") + " m"
        if name in sizes.groups
        else ""
        for name in found.splits().index
    ]
    return str(table.to_string(index=False)).splitlines()


def _span(values: Any, form: str) -> str:
    """Return smallest and largest of the numbers that are known."""
    known = values[values == values]
    if not known.size:
        return "?"
    low, high = form.format(known.min()), form.format(known.max())
    return low if low == high else f"{low} to {high}"


@data.command("prepare")
@click.argument("data", type=PATH)
@click.argument("out", type=PATH)
@data_options
@click.option(
    "--splits",
    "shares",
    callback=_parse_shares,
    metavar="NAME=SHARE,...",
    help="Make new splits.  [default: keep those of DATA, else train=0.8,dev=0.1,test=0.1]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the splits.")
@click.option(
    "--block",
    "block_m",
    type=float,
    default=2000,
    show_default=True,
    metavar="METRES",
    help="Side of the squares of ground that are not divided between splits.",
)
@click.option(
    "--ground-resolution",
    type=float,
    default=1,
    show_default=True,
    metavar="METRES",
    help="Metres per pixel to resample to where those of an image are known; 0 leaves every image as it is.",
)
@click.option(
    "--tile-size", type=int, default=1024, show_default=True, help="Longest side of a tile in pixels."
)
@json_option
def prepare_command(
    data: Path, out: Path, ground_resolution: float, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Write DATA anew as OUT/SPLIT/images and OUT/SPLIT/masks: splits by place, one ground resolution, tiles.

    DATA stays as it is, and OUT must not exist. OUT/manifest.csv lists every tile.
    """
    need_training_room()
    from roadlift.train.data import prepare_data

    with progress_display(quiet=quiet or as_json, what="images") as progress:
        done = prepare_data(
            data, out, ground_resolution=ground_resolution or None, progress=progress, **options
        )
    click.echo(_done_json(done) if as_json else _done_lines(done))


def _done_lines(done: Prepared) -> str:
    left_out = done.left_out.to_dict("records")
    lines = [f"left out: {row['file']}: {row['reason']}" for row in left_out[:_MOST_LINES]]
    if len(left_out) > _MOST_LINES:
        lines.append(f"and {len(left_out) - _MOST_LINES} more; --json has all")
    counts = done.manifest.groupby("split").size().items()
    return "\n".join(
        [*lines, f"{done.folder}: " + ", ".join(f"{count} tiles {split}" for split, count in counts)]
    )


def _done_json(done: Prepared) -> str:
    import json

    counts = done.manifest.groupby("split").size().to_dict()
    told = {"out": str(done.folder), "tiles": counts, "left_out": done.left_out.to_dict("records")}
    return json.dumps(told, indent=2)
