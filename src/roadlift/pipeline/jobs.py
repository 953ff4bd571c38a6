"""The main job and its half: image to road map, image to probability."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from roadlift import __version__, network
from roadlift.errors import UsageError
from roadlift.imagery import Window, journal_folder, noted_products
from roadlift.memory import peak_memory_mb, return_free_memory
from roadlift.model import Model
from roadlift.pipeline.checks import check_targets
from roadlift.pipeline.options import ExtractOptions
from roadlift.pipeline.products import Products, write_probability, write_products
from roadlift.pipeline.room import NETWORK_BYTES, PROBABILITY_BYTES, check_room
from roadlift.pipeline.work import Compute, Progress, Work, compute_here, compute_missing, open_work
from roadlift.segment import NO_DATA
from roadlift.segment import predict as predict_source

if TYPE_CHECKING:
    import shapely

    from roadlift.network import RoadMap


def extract(
    images: str | Path | Sequence[str | Path],
    options: ExtractOptions | None = None,
    *,
    output: str | Path | None = None,
    dst_crs: str | None = None,
    save_probability: str | Path | None = None,
    save_mask: str | Path | None = None,
    overlay: str | Path | None = None,
    overwrite: bool = False,
    restart: bool = False,
    compute: Compute = compute_here,
    progress: Progress | None = None,
) -> RoadMap:
    """Find the roads in one image or several.

    With an output the work can be interrupted at any moment, also by ``kill -9``: finished tiles lie in the folder
    ``OUTPUT.roadlift`` until the output is whole, and the same call goes on from there.

    Args:
        images: Path or http(s) URL of an image, or several that share a CRS and become one result. Where they overlap, the
            first in order that has data there counts.
        options: See :class:`ExtractOptions`; None means its defaults.
        output: Also save the road map there; the suffix chooses the format.
        dst_crs: CRS of the output; None is the image's.
        save_probability: Also write the probability raster there (one image only).
        save_mask: Also write the mask there (one image only).
        overlay: Also draw the roads over the image there, as PNG (one image only).
        overwrite: Replace files that exist.
        restart: Throw away unfinished work on this output.
        compute: What computes the tiles; by default this process.
        progress: Called as ``progress(done_tiles, all_tiles)``.

    Returns:
        The road network in the CRS of the image; in its pixel coordinates, y down, where it has none.

    Raises:
        UsageError: Options contradict each other, the images do not share a CRS, or unfinished work on the output is
            of another kind.
        InputError: An image cannot be read.
        LimitError: An image is larger than allowed, or the memory does not suffice.
        ModelError: The model is broken.
        OutputError: A file exists or cannot be written.

    Example:
        >>> roads = extract("city.tif", output="city.gpkg")                      # doctest: +SKIP
    """
    options = options or ExtractOptions()
    paths = [images] if isinstance(images, str | Path) else list(images)
    products = Products(save_probability, save_mask, overlay)
    if len(paths) != 1 and any(products.paths):
        raise UsageError(
            "Probability, mask and overlay are written for one image at a time; give one image, or none of them."
        )
    folder = None if output is None else journal_folder(output)
    ours = frozenset() if folder is None or restart else noted_products(folder)
    check_targets((output, *products.paths), overwrite=overwrite, ours=ours, inputs=paths)
    started = time.perf_counter()
    overlapping = len(paths) > 1 and _footprints().overlap(paths, options)
    parts = [
        _extract_one(
            path,
            options,
            folder if folder is None or len(paths) == 1 else folder / str(number),
            products,
            output=output,
            overlapping=overlapping,
            overwrite=overwrite,
            restart=restart,
            compute=compute,
            progress=progress,
        )
        for number, path in enumerate(paths, 1)
    ]
    maps = [roads for roads, _ in parts]
    areas = [area for _, area in parts if area is not None]
    roads = network.merge(
        maps,
        areas=areas or None,
        provenance=_provenance(paths, options, maps, time.perf_counter() - started),
    )
    if output is not None:
        roads.save(output, dst_crs=dst_crs, overwrite=overwrite)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    return roads


def _footprints() -> ModuleType:
    """Load what only several images need."""
    from roadlift.pipeline import footprints as module

    return module


def _extract_one(
    image: str | Path,
    options: ExtractOptions,
    folder: Path | None,
    products: Products,
    *,
    output: str | Path | None,
    overlapping: bool,
    overwrite: bool,
    restart: bool,
    compute: Compute,
    progress: Progress | None,
) -> tuple[RoadMap, shapely.Geometry | None]:
    """Compute what is missing of an image, make its network and write what is asked for beside it.

    With the network comes what the image shows, where that counts because another lies on it.
    """
    with open_work(image, options, folder, restart=restart) as work:
        written = products.pixel_bytes | ({} if output is None else {output: NETWORK_BYTES})
        check_room(work, len(work.store.missing()), written)
        figures = compute_missing(work, compute, progress)
        roads = vectorize_work(work, figures)
        return_free_memory()
        write_products(products, work, roads, overwrite=overwrite)
        return roads, _footprints().footprint(work) if overlapping else None


def vectorize_work(work: Work, figures: dict[str, Any]) -> RoadMap:
    """Make the network of an image whose tiles are all finished, in the image's own CRS."""
    card, native = work.model.card, work.source.native_georef
    work.model.runtime.rest()
    return_free_memory()
    roads = network.vectorize(
        work.raster,
        work.source.georef,
        ground_resolution_m=work.source.ground_resolution_m,
        options=work.options.network(card),
        provenance={
            "model": {"name": card.name, "version": card.version, "sha256": card.sha256},
            "notes": [*work.source.notes, *work.plan.notes, *_notes(figures)],
            "plan": work.plan.to_dict(),
            "run": figures,
        },
        processes=work.plan.drawing,
    )
    return roads if native.crs is None else roads.reproject(native.crs)


def _notes(figures: dict[str, Any]) -> list[str]:
    """Say in words what is worth knowing about a run."""
    notes = []
    if figures["finished_earlier"]:
        notes.append(
            f"resumed: {figures['finished_earlier']} of {figures['tiles']} tiles were finished earlier"
        )
    if "left_out" in figures:
        notes.append(f"{len(figures['left_out'])} tiles could not be computed and are no data")
    return notes


def _provenance(
    paths: Sequence[str | Path], options: ExtractOptions, maps: Sequence[RoadMap], seconds: float
) -> dict[str, Any]:
    return {
        "roadlift": __version__,
        "images": [str(path) for path in paths],
        "model": maps[0].provenance["model"],
        "options": asdict(options),
        "plan": maps[0].provenance["plan"],
        "runs": [roads.provenance["run"] for roads in maps],
        "notes": [note for roads in maps for note in roads.provenance["notes"]],
        "seconds": round(seconds, 3),
        "peak_memory_mb": round(peak_memory_mb(), 1),
    }


def predict(
    image: str | Path,
    output: str | Path,
    options: ExtractOptions | None = None,
    *,
    overwrite: bool = False,
    restart: bool = False,
    compute: Compute = compute_here,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the road probability of an image as a cloud-optimised GeoTIFF: uint8, 0..254 = p * 254, 255 = no data.

    It can be interrupted and goes on like :func:`extract`.

    Returns:
        Figures: pixels, tiles, how many of them were finished earlier, had no data or repeated one colour, seconds.

    Raises:
        UsageError, InputError, LimitError, ModelError, OutputError: As :func:`extract`.
    """
    options = options or ExtractOptions()
    check_targets([output], overwrite=overwrite, inputs=[image])
    started = time.perf_counter()
    with open_work(image, options, journal_folder(output), restart=restart) as work:
        check_room(work, len(work.store.missing()), {output: PROBABILITY_BYTES})
        figures = compute_missing(work, compute, progress)
        write_probability(output, work, overwrite=overwrite)
        work.journal.remove()
        pixels = work.source.shape[0] * work.source.shape[1]
    return {"pixels": pixels, **figures, "seconds": time.perf_counter() - started}


def predict_image(image: str | Path, model: Model, options: ExtractOptions | None = None) -> np.ndarray:
    """Return the road probability of an image that fits into memory: uint8 (rows, cols), 0..254, 255 no data.

    Args:
        image: Path or http(s) URL.
        model: Result of :func:`~roadlift.model.load_model`.
        options: See :class:`ExtractOptions`; its model is not looked at.

    Raises:
        UsageError, InputError, ModelError: As :func:`extract`.
    """
    options = options or ExtractOptions()
    with options.open(image, model.card) as source:
        sink = _ArraySink(source.shape)
        predict_source(source, model, sink, options.prediction())
        return sink.array


class _ArraySink:
    """Collects windows in one array."""

    def __init__(self, shape: tuple[int, int]):
        self.array = np.full(shape, NO_DATA, np.uint8)

    def write(self, window: Window, values: np.ndarray) -> None:
        self.array[window.slices] = values
