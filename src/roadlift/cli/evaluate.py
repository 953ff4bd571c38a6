"""How good: predictions against truths."""

from __future__ import annotations

from pathlib import Path

import click

from roadlift.cli.display import progress_display
from roadlift.cli.options import PATH, json_option, output_options


@click.command()
@click.argument("prediction", type=PATH)
@click.argument("truth", type=PATH)
@click.option(
    "--images",
    type=PATH,
    help="The image or folder of images: what lies outside, has no data or is blank is left out.",
)
@click.option(
    "--threshold", type=float, default=0.5, show_default=True, help="Probability from which a pixel is road."
)
@click.option("--gsd", type=float, help="Metres per pixel of what has no CRS.  [default: 1]")
@click.option(
    "--width",
    type=float,
    default=7.0,
    show_default=True,
    help="Metres, of roads that do not say their width.",
)
@json_option
@click.option("--csv", type=PATH, help="Also write the table per image and in total.")
@click.option(
    "--worst",
    type=(int, PATH),
    metavar="N FOLDER",
    help="Also draw the N worst images into a folder: missed red, false blue, right green.",
)
@click.option("--explain", is_flag=True, help="Also say in words what costs the score.")
@output_options
def evaluate(
    prediction: Path,
    truth: Path,
    images: Path | None,
    threshold: float,
    gsd: float | None,
    width: float,
    as_json: bool,
    csv: Path | None,
    worst: tuple[int, Path] | None,
    explain: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Score a prediction against the truth with every road metric.

    Both are a probability or mask raster or roads (.gpkg, .geojson, .graphml), in any combination, or folders
    of them whose files pair by stem.
    """
    from roadlift.evaluate import evaluate
    from roadlift.pipeline import check_targets

    check_targets((csv,), overwrite=overwrite)
    with progress_display(quiet=quiet or as_json, what="images") as progress:
        result = evaluate(
            prediction, truth, images=images, threshold=threshold, gsd=gsd, width_m=width, progress=progress
        )
    if csv is not None:
        result.to_csv(csv, overwrite=overwrite)
    if worst is not None:
        from roadlift.report.worst import draw_worst

        draw_worst(result, *worst, overwrite=overwrite)
    if as_json:
        click.echo(result.to_json())
    elif not quiet:
        click.echo(result.render())
        if explain:
            click.echo(f"\n{result.explain()}")
