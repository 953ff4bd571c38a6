"""The way of an image: inspect, extract, predict, vectorize, report, demo."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from roadlift.cli.display import job_display, print_receipt
from roadlift.cli.options import (
    PATH,
    extract_options,
    input_options,
    job_options,
    json_option,
    limit_options,
    memory_options,
    model_option,
    output_options,
    predict_options,
    product_options,
    product_paths,
    threshold_options,
)
from roadlift.errors import UsageError

if TYPE_CHECKING:
    from roadlift.pipeline import Compute, ExtractOptions


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.argument("output", type=PATH)
@predict_options
@threshold_options
@product_options
@job_options
@click.option(
    "--report", type=PATH, help="Also write a page that shows it all, as HTML (see roadlift report)."
)
@json_option
@output_options
def extract(
    images: Sequence[str],
    output: Path,
    dst_crs: str | None,
    shard: str | None,
    cluster: str | None,
    on_error: str,
    restart: bool,
    report: Path | None,
    as_json: bool,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Turn images into a road network: .gpkg, .geojson, .fgb, .parquet, .graphml or .osm.

    IMAGE is a GeoTIFF, VRT, PNG or JPEG, the URL of one, or a folder, a list (.txt) or a STAC document (.json or URL), whose
    images become one mosaic: the first in order that has data counts.
    Several images make one result where they share a CRS. The work may be interrupted at any moment: the same command
    goes on from there.
    """
    from roadlift.pipeline import check_result, check_targets, extract

    chosen = extract_options(options)
    if report is not None:
        from roadlift.report import check_page_name

        check_page_name(report)
        check_targets((report,), overwrite=overwrite)
    check_result(images, output, chosen, dst_crs=dst_crs)
    if shard is not None:
        _run_shard(images, output, chosen, shard, cluster=cluster, restart=restart, quiet=quiet)
        return
    products = product_paths(options)
    with (
        job_display(quiet=quiet or as_json) as progress,
        _kept_probability(
            products["save_probability"], wanted=report is not None and len(images) == 1
        ) as probability,
    ):
        roads = extract(
            images,
            chosen,
            output=output,
            dst_crs=dst_crs,
            **products | {"save_probability": probability},
            overwrite=overwrite,
            restart=restart,
            compute=_computer(cluster, on_error),
            progress=progress,
        )
        if report is not None:
            from roadlift.report import write_page

            image = images[0] if len(images) == 1 else None
            write_page(report, roads, image=image, probability=probability, file=output, overwrite=overwrite)
    print_receipt(output, roads, as_json=as_json, quiet=quiet)


@contextmanager
def _kept_probability(path: Path | None, *, wanted: bool) -> Iterator[Path | None]:
    """Yield where the probability raster is written: as asked for, or, wanted for the report only, for a while."""
    if path is not None or not wanted:
        yield path
        return
    with TemporaryDirectory(prefix="roadlift-") as folder:
        yield Path(folder) / "probability.tif"


@click.command()
@click.argument("roads", type=PATH)
@click.argument("output", type=PATH, required=False)
@click.option("--image", help="The image beneath the roads.  [default: that which the roads' file names]")
@click.option("--probability", type=PATH, help="The probability raster, as another layer.")
@click.option("--title", help="Heading of the page.  [default: the file's name]")
@output_options
def report(
    roads: Path,
    output: Path | None,
    image: str | None,
    probability: Path | None,
    title: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Show a road map as one HTML page that opens from disk without network.

    It holds a map with image, probability and roads, the headline figures, the places worth a look, and how it was made.
    OUTPUT is ROADS with the ending _report.html, if it is not given.
    """
    from roadlift import RoadMap
    from roadlift.pipeline import check_targets
    from roadlift.report import check_page_name, image_of, write_page

    output = output or roads.with_name(f"{roads.stem}_report.html")
    check_page_name(output)
    check_targets((output,), overwrite=overwrite)
    found = RoadMap.from_file(roads)
    beneath = image or image_of(found, roads)
    write_page(
        output, found, image=beneath, probability=probability, file=roads, title=title, overwrite=overwrite
    )
    if quiet:
        return
    if beneath is None:
        click.echo("note: the image is not where it was; give it with --image to see it beneath the roads")
    click.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB")


@click.command()
@click.argument("image")
@click.argument("output", type=PATH)
@predict_options
@job_options
@output_options
def predict(
    image: str,
    output: Path,
    shard: str | None,
    cluster: str | None,
    on_error: str,
    restart: bool,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Turn an image, or a folder, list or STAC document, into a road probability raster (COG, 0..254, 255 no data).

    The work may be interrupted at any moment: the same command goes on from there.
    """
    from roadlift.pipeline import predict

    chosen = extract_options(options)
    if shard is not None:
        _run_shard([image], output, chosen, shard, cluster=cluster, restart=restart, quiet=quiet)
        return
    with job_display(quiet=quiet) as progress:
        figures = predict(
            image,
            output,
            chosen,
            overwrite=overwrite,
            restart=restart,
            compute=_computer(cluster, on_error),
            progress=progress,
        )
    if not quiet:
        click.echo(f"{output}: {figures['pixels'] / 1e6:.2f} MPx in {figures['seconds']:.1f} s")


@click.command()
@click.argument("output", type=PATH)
@product_options
@json_option
@output_options
def merge(
    output: Path, dst_crs: str | None, as_json: bool, overwrite: bool, quiet: bool, **options: Any
) -> None:
    """Make the OUTPUT that all its shards (extract or predict with --shard) have been computed for.

    Image, model and options are those that the shards were begun with.
    """
    from roadlift.network import RoadMap
    from roadlift.pipeline import merge_shards

    with job_display(quiet=quiet or as_json):
        made = merge_shards(output, dst_crs=dst_crs, **product_paths(options), overwrite=overwrite)
    if isinstance(made, RoadMap):
        print_receipt(output, made, as_json=as_json, quiet=quiet)
    elif as_json:
        click.echo(json.dumps({"output": str(output), **made}, indent=2))
    elif not quiet:
        click.echo(f"{output}: {made['pixels'] / 1e6:.2f} MPx of {made['tiles']} tiles")


def _computer(cluster: str | None, on_error: str) -> Compute:
    """Return what computes the tiles."""
    if cluster is None:
        if on_error != "fail":
            raise UsageError(
                "--on-error is about workers of a --cluster; for damaged images there is --on-read-error nodata."
            )
        from roadlift.pipeline import compute_here

        return compute_here
    from roadlift.cluster import DaskCluster

    return DaskCluster(cluster, on_error)


def _run_shard(
    images: Sequence[str],
    output: Path,
    options: ExtractOptions,
    shard: str,
    *,
    cluster: str | None,
    restart: bool,
    quiet: bool,
) -> None:
    """Compute one share of the tiles and say what comes next."""
    from roadlift.pipeline import Shard, compute_shard

    if cluster is not None:
        raise UsageError("--shard and --cluster are two ways to share the work; give one of them.")
    if len(images) != 1:
        raise UsageError("--shard takes one image, or a folder or list of images as one mosaic.")
    share = Shard.parse(shard)
    with job_display(quiet=quiet) as progress:
        figures = compute_shard(images[0], output, options, share, restart=restart, progress=progress)
    if not quiet:
        click.echo(
            f"shard {shard}: all {figures['tiles']} tiles are finished; when those of the other shards are: "
            f"roadlift merge {output}"
        )


@click.command()
@click.argument("raster")
@click.argument("output", type=PATH)
@threshold_options
@click.option(
    "--class", "road_class", type=int, metavar="N", help="The class that is road, of a raster of classes."
)
@click.option(
    "--scale",
    type=float,
    metavar="N",
    help="The value that means certain, of probabilities on a scale of their own.",
)
@click.option("--band", type=int, metavar="N", help="Band to read, counted from 1, of a raster of several.")
@click.option("--nodata", type=float, help="Pixel value that means no data, where the file does not say.")
@click.option("--gsd", type=float, help="Metres per pixel of a raster without CRS.")
@click.option("--dst-crs", help="CRS of the result.  [default: the raster's; GeoJSON is always WGS 84]")
@json_option
@output_options
def vectorize(
    raster: str,
    output: Path,
    threshold: float | None,
    threshold_low: float | None,
    dst_crs: str | None,
    as_json: bool,
    overwrite: bool,
    quiet: bool,
    **reading: Any,
) -> None:
    """Turn a probability or mask raster, also one of another tool, into a road network.

    Masks of 0 and 1 or 0 and 255, and probabilities 0..1 or 0..255 are recognised, and what was recognised is said.
    Rasters that may mean several things are refused with the option that tells them apart.
    """
    from roadlift.export import check_format
    from roadlift.pipeline import check_targets, network_options, vectorize

    check_targets((output,), overwrite=overwrite, inputs=[raster])
    check_format(output, dst_crs=dst_crs)
    options = network_options(None, threshold=threshold, threshold_low=threshold_low)
    roads = vectorize(raster, options, **reading)
    roads.save(output, dst_crs=dst_crs, overwrite=overwrite)
    print_receipt(output, roads, as_json=as_json, quiet=quiet)


@click.command()
@click.argument("image")
@model_option
@input_options
@limit_options
@memory_options
@json_option
def inspect(image: str, model: str, as_json: bool, **options: Any) -> None:
    """Say what an image is, whether it will work, how long and how much memory it will take."""
    from roadlift.model import expects_int8, find_card
    from roadlift.preflight import inspect

    report = inspect(image, card=find_card(model), int8=expects_int8(model), **options)
    click.echo(json.dumps(report.to_dict(), indent=2) if as_json else report.render())


@click.command()
@click.option("--folder", type=PATH, default=Path("demo"), show_default=True, help="Where the files go.")
@click.option("--seed", type=int, default=7, show_default=True, help="Which scene to render.")
@model_option
def demo(folder: Path, seed: int, model: str) -> None:
    """Render a scene with known truth, extract it, score it and draw it."""
    from roadlift.demo import run_demo

    click.echo(run_demo(folder, seed=seed, model=model).render())
