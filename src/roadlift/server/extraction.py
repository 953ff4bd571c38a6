"""Tasks of a child process: find the roads of an image, and find them again with another threshold."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from roadlift import __version__
from roadlift.errors import InputError
from roadlift.imagery import Georef, ProbabilityWriter, Tile, Window
from roadlift.imagery.preview import OpenRaster
from roadlift.model import ModelCard, find_card
from roadlift.network import RoadMap
from roadlift.network import vectorize as vectorize_raster
from roadlift.pipeline import ExtractOptions, Progress, Work, compute_missing, network_options, open_work
from roadlift.segment import PredictStats, predict_tiles
from roadlift.server.layout import FILLING, PROBABILITY, WORK, image_file
from roadlift.server.placement import Placement
from roadlift.server.results import new_result, read_own_probability, read_place, write_place


def extract(
    *,
    report: Callable[..., None],
    name: str,
    suffix: str,
    model: str,
    threshold: float,
    gsd: float | None,
    revision: int,
) -> dict[str, Any]:
    """Find the roads of ``image`` + ``suffix`` in the current folder.

    Finished tiles are kept until all is done: a job that is broken off goes on from there when it runs again.
    Reports ``done`` and ``total`` tiles, and ``drawn`` when there is more probability to look at.

    Args:
        report: called with each message.
        name: what the user calls the image.
        suffix: of the file.
        model: built-in name or path of an ``.onnx`` file.
        threshold: probability from which a road begins.
        gsd: metres per pixel of an image without CRS.
        revision: number of the result.

    Returns:
        The summary.
    """
    started = time.perf_counter()
    image = Path(image_file(suffix))
    options = ExtractOptions(model=model, gsd=gsd, threshold=threshold)
    try:
        with open_work(image, options, Path(WORK)) as work:
            card, native = work.model.card, work.source.native_georef
            placement = Placement.of(native, work.source.native_shape)
            own = work.source.georef
            shown = placement.georef(own)
            probability = _fill(work, shown, report)
            place = {
                "shape": placement.shape,
                "crs": None if native.crs is None else native.crs.to_wkt(),
                "ground_resolution_m": work.source.ground_resolution_m,
                "metres_per_pixel": work.source.ground_resolution_m / own.transform[0],
                "transform": list(own.transform[:6]),
                "notes": list(work.source.notes),
                "image": name,
                "model": {"name": card.name, "version": card.version, "sha256": card.sha256},
                "options": asdict(options) | {"model": card.name},
            }
    except InputError as error:
        raise type(error)(str(error).replace(str(image), name)) from error
    with ProbabilityWriter(PROBABILITY, probability.shape, shown, overwrite=True) as writer:
        writer.write(Window(0, 0, *probability.shape), probability)
    write_place(place)
    roads = _roads(probability, own, card, threshold, time.perf_counter() - started)
    summary = new_result(roads, revision, seconds=time.perf_counter() - started)
    Path(FILLING).unlink()
    shutil.rmtree(WORK, ignore_errors=True)
    return summary


def _fill(work: Work, georef: Georef, report: Callable[..., None]) -> np.ndarray:
    """Compute the tiles that are missing, showing each as it comes; returns the whole probability."""
    filling = OpenRaster(FILLING, work.source.shape, georef)

    def show(tile: Tile, values: np.ndarray) -> None:
        filling.write(tile.core.clip(work.source.shape), values)
        report(drawn=True)

    def compute(work: Work, tiles: Sequence[int], progress: Progress | None) -> PredictStats:
        with work.store.writer("served") as writer:

            def take(tile: Tile, values: np.ndarray) -> None:
                writer.write(tile, values)
                show(tile, values)

            return predict_tiles(
                work.source,
                work.model,
                take,
                work.prediction,
                grid=work.grid,
                stretch=work.stretch,
                tiles=tiles,
                progress=progress,
            )

    for index in sorted(work.store.finished):
        show(work.grid[index], work.store.read_tile(work.grid[index]))
    compute_missing(work, compute, lambda done, total: report(done=done, total=total))
    return work.raster.read(Window(0, 0, *work.source.shape))


def vectorize(*, report: Callable[..., None], model: str, threshold: float, revision: int) -> dict[str, Any]:
    """Turn the stored probability into roads with another threshold; edits are not kept.

    Args:
        report: not called.
        model: as for :func:`extract`.
        threshold: as for :func:`extract`.
        revision: number of the result.

    Returns:
        The summary.
    """
    del report
    started = time.perf_counter()
    probability, georef = read_own_probability()
    roads = _roads(probability, georef, find_card(model), threshold, 0.0)
    return new_result(roads, revision, seconds=time.perf_counter() - started)


def _roads(
    probability: np.ndarray, georef: Georef, card: ModelCard, threshold: float, seconds: float
) -> RoadMap:
    """Vectorise in the raster's own coordinates and return the road map in the image's."""
    place = read_place()
    roads = vectorize_raster(
        probability,
        georef,
        ground_resolution_m=place["ground_resolution_m"],
        options=network_options(card, threshold=threshold, threshold_low=None),
        provenance={
            "roadlift": __version__,
            "images": [place["image"]],
            "model": place["model"],
            "options": place["options"] | {"threshold": threshold},
            "notes": place["notes"],
            "seconds": round(seconds, 3),
        },
    )
    return roads if place["crs"] is None else roads.reproject(place["crs"])
