"""Tasks of a child process: find the roads of an image, and find them again with another threshold."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from roadlift import __version__
from roadlift.errors import InputError
from roadlift.imagery import Georef, ProbabilityWriter, Window, read_probability
from roadlift.imagery.preview import OpenRaster
from roadlift.model import ModelCard, find_card, load_model
from roadlift.network import RoadMap
from roadlift.network import vectorize as vectorize_raster
from roadlift.pipeline import ExtractOptions, network_options
from roadlift.segment import predict
from roadlift.server.layout import FILLING, PROBABILITY, image_file
from roadlift.server.placement import Placement
from roadlift.server.results import new_result, read_place, write_place


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
    network = load_model(model)
    try:
        with options.open(image, network.card) as source:
            placement = Placement.of(source.native_georef, source.native_shape)
            filling = OpenRaster(FILLING, source.shape, placement.georef(source.georef))
            sink = _ReportingSink(filling, lambda: report(drawn=True))
            predict(
                source,
                network,
                sink,
                options.prediction(),
                progress=lambda done, total: report(done=done, total=total),
            )
            place = {
                "shape": placement.shape,
                "crs": None if source.native_georef.crs is None else source.native_georef.crs.to_wkt(),
                "ground_resolution_m": source.ground_resolution_m,
                "metres_per_pixel": source.ground_resolution_m / source.georef.transform[0],
                "transform": list(source.georef.transform[:6]),
                "notes": list(source.notes),
                "image": name,
                "model": {
                    "name": network.card.name,
                    "version": network.card.version,
                    "sha256": network.card.sha256,
                },
                "options": asdict(options) | {"model": network.card.name},
            }
            georef = placement.georef(source.georef)
    except InputError as error:
        raise type(error)(str(error).replace(str(image), name)) from error
    probability = filling.read()
    with ProbabilityWriter(PROBABILITY, probability.shape, georef, overwrite=True) as writer:
        writer.write(Window(0, 0, *probability.shape), probability)
    write_place(place)
    roads = _roads(probability, georef, network.card, threshold, time.perf_counter() - started)
    summary = new_result(roads, revision, seconds=time.perf_counter() - started)
    Path(FILLING).unlink()
    return summary


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
    probability, georef = read_probability(PROBABILITY)
    roads = _roads(probability, georef, find_card(model), threshold, 0.0)
    return new_result(roads, revision, seconds=time.perf_counter() - started)


class _ReportingSink:
    """Passes windows on and says that there is more to look at."""

    def __init__(self, raster: OpenRaster, drawn: Callable[[], None]) -> None:
        self._raster, self._drawn = raster, drawn

    def write(self, window: Window, values: np.ndarray) -> None:
        self._raster.write(window, values)
        self._drawn()


def _roads(
    probability: np.ndarray, georef: Georef, card: ModelCard, threshold: float, seconds: float
) -> RoadMap:
    """Vectorise in the raster's own coordinates and return the road map in the image's."""
    place = read_place()
    own = georef if place["shape"] is None else Georef(None, _affine(place["transform"]))
    roads = vectorize_raster(
        probability,
        own,
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


def _affine(numbers: list[float]) -> Any:
    from affine import Affine

    return Affine(*numbers)
