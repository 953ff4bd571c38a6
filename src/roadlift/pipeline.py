"""From image to road map: composes imagery, model, segment, network and export.

:func:`extract` is the main job; :func:`predict` and :func:`vectorize` are its two halves.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from roadlift import __version__, export
from roadlift.errors import InputError, OutputError, UsageError
from roadlift.imagery import (
    Georef,
    ImagerySource,
    MaskWriter,
    ProbabilityWriter,
    RoadRaster,
    Window,
)
from roadlift.model import DEFAULT_MODEL, Model, ModelCard, find_card, load_model
from roadlift.network import NetworkOptions, RoadMap, merge, road_mask
from roadlift.network import vectorize as vectorize_raster
from roadlift.segment import NO_DATA, PredictOptions, PredictStats
from roadlift.segment import predict as predict_source

__all__ = [
    "ExtractOptions",
    "check_result",
    "check_targets",
    "export",
    "extract",
    "network_options",
    "peak_memory_mb",
    "predict",
    "predict_image",
    "vectorize",
]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class ExtractOptions:
    """Options of :func:`extract` and :func:`predict`; each has a flag of the same name.

    Attributes:
        model: Built-in name or path of an ``.onnx`` file.
        runtime: ``openvino`` or ``onnxruntime``.
        device: ``cpu`` or ``gpu``.
        bands: Bands to use as red, green and blue, counted from 1; None means by colour interpretation.
        nodata: Pixel value that means no data, where the file does not say.
        gsd: Metres per pixel of an image without CRS.
        crs: CRS of an image that does not name one.
        stretch: ``percentile`` or ``none``; None is the model's.
        tile_size: Core of a tile in pixels.
        exact: Margins so wide that tiling cannot be seen in the result.
        blend: ``none``, ``linear`` or ``hann``.
        overlap: Pixels that blended tiles share.
        batch_size: Tiles that the network sees at once.
        threshold: Probability from which a road begins; None is the model's.
        threshold_low: Probability down to which it is followed; None is the model's.

    Example:
        >>> ExtractOptions(threshold=0.3).tile_size
        1024
    """

    model: str = DEFAULT_MODEL
    runtime: str = "openvino"
    device: str = "cpu"
    bands: tuple[int, ...] | None = None
    nodata: float | None = None
    gsd: float | None = None
    crs: str | None = None
    stretch: str | None = None
    tile_size: int = 1024
    exact: bool = False
    blend: str = "none"
    overlap: int | None = None
    batch_size: int = 1
    threshold: float | None = None
    threshold_low: float | None = None

    def prediction(self) -> PredictOptions:
        """Return the part that :mod:`roadlift.segment` needs."""
        names = {field.name for field in fields(PredictOptions)} & {field.name for field in fields(self)}
        return PredictOptions(**{name: getattr(self, name) for name in names})

    def network(self, card: ModelCard) -> NetworkOptions:
        """Return the part that :mod:`roadlift.network` needs; the model's card fills what is not given."""
        return network_options(card, threshold=self.threshold, threshold_low=self.threshold_low)

    def open(self, image: str | Path, card: ModelCard) -> ImagerySource:
        """Open an image at the model's ground resolution."""
        return ImagerySource(
            image,
            bands=self.bands,
            ground_resolution=card.ground_resolution_m,
            gsd=self.gsd,
            crs=self.crs,
            nodata=self.nodata,
        )


def extract(
    images: str | Path | Sequence[str | Path],
    options: ExtractOptions | None = None,
    *,
    save_probability: str | Path | None = None,
    save_mask: str | Path | None = None,
    overlay: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> RoadMap:
    """Find the roads in one image or several.

    Args:
        images: Path or http(s) URL of an image, or several that share a CRS and become one result.
        options: See :class:`ExtractOptions`; None means its defaults.
        save_probability: Also write the probability raster there (one image only).
        save_mask: Also write the mask there (one image only).
        overlay: Also draw the roads over the image there, as PNG (one image only).
        overwrite: Replace files that exist.
        progress: Called as ``progress(done_tiles, all_tiles)``.

    Returns:
        The road network in the CRS of the image; in its pixel coordinates, y down, where it has none.

    Raises:
        UsageError: Options contradict each other, or the images do not share a CRS.
        InputError: An image cannot be read.
        ModelError: The model is broken.
        OutputError: A file exists or cannot be written.

    Example:
        >>> roads = extract("city.tif")                                          # doctest: +SKIP
        >>> roads.save("city.gpkg")                                              # doctest: +SKIP
    """
    options = options or ExtractOptions()
    paths = [images] if isinstance(images, str | Path) else list(images)
    by_products = (save_probability, save_mask, overlay)
    if len(paths) != 1 and any(by_products):
        raise UsageError(
            "Probability, mask and overlay are written for one image at a time; give one image, or none of them."
        )
    check_targets(by_products, overwrite=overwrite)
    started = time.perf_counter()
    model = load_model(options.model, runtime=options.runtime, device=options.device)
    extractions = [_extract_one(path, model, options, progress) for path in paths]
    if any(by_products):
        _write_by_products(extractions[0], model.card, options, by_products, overwrite=overwrite)
    provenance = {
        "roadlift": __version__,
        "images": [str(path) for path in paths],
        "model": {"name": model.card.name, "version": model.card.version, "sha256": model.card.sha256},
        "options": asdict(options),
        "notes": [note for extraction in extractions for note in extraction.notes],
        "seconds": round(time.perf_counter() - started, 3),
        "peak_memory_mb": round(peak_memory_mb(), 1),
    }
    return merge([extraction.roads for extraction in extractions], provenance=provenance)


def predict(
    image: str | Path,
    output: str | Path,
    options: ExtractOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> PredictStats:
    """Write the road probability of an image as a cloud-optimised GeoTIFF: uint8, 0..254 = p * 254, 255 = no data.

    Raises:
        UsageError, InputError, ModelError, OutputError: As :func:`extract`.
    """
    options = options or ExtractOptions()
    check_targets([output], overwrite=overwrite)
    model = load_model(options.model, runtime=options.runtime, device=options.device)
    with (
        options.open(image, model.card) as source,
        ProbabilityWriter(output, source.shape, source.georef, overwrite=overwrite) as writer,
    ):
        return predict_source(source, model, writer, options.prediction(), progress=progress)


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


def vectorize(
    raster: str | Path,
    options: NetworkOptions | None = None,
    *,
    road_class: int | None = None,
    scale: float | None = None,
    band: int | None = None,
    nodata: float | None = None,
    gsd: float | None = None,
) -> RoadMap:
    """Turn a probability or mask raster, also one of another tool, into a road network.

    What its values mean is recognised (our own rasters, 0/1, 0/255, 0..1, 0..255) and stands in the result's
    provenance under ``recognised``; what may mean several things is refused. The raster is read strip by strip.

    Args:
        raster: Path or http(s) URL.
        options: Thresholds of the network; None means the defaults.
        road_class: The class that is road, of a raster of classes.
        scale: The value that means certain, of a raster of probabilities on another scale.
        band: The band to read, counted from 1, of a raster of several.
        nodata: A value that means no data, where the file does not say.
        gsd: Metres per pixel of a raster without CRS.

    Raises:
        InputError: The raster cannot be read, its values may mean several things, or its ground resolution is unknown.
        UsageError: Arguments contradict each other or the raster.

    Example:
        >>> roads = vectorize("landcover.tif", road_class=7)                     # doctest: +SKIP
    """
    with RoadRaster(raster, road_class=road_class, scale=scale, band=band, nodata=nodata) as source:
        recognised = source.meaning.text
        return vectorize_raster(
            source,
            source.georef,
            ground_resolution_m=_raster_resolution(source.georef, source.shape, gsd),
            options=options or NetworkOptions(),
            provenance={
                "roadlift": __version__,
                "raster": str(raster),
                "recognised": recognised,
                "notes": [f"the raster is read as {recognised}"],
            },
        )


def network_options(
    card: ModelCard | None, *, threshold: float | None, threshold_low: float | None
) -> NetworkOptions:
    """Return the network's options: thresholds as given, else as the model's card says, else the defaults.

    A given ``threshold`` alone moves the low one with it, in proportion.
    """
    base = NetworkOptions()
    if card is not None:
        base = replace(base, threshold=card.threshold, threshold_low=card.threshold_low)
    if threshold is None and threshold_low is None:
        return base
    high = base.threshold if threshold is None else threshold
    low = threshold_low if threshold_low is not None else high * (base.threshold_low / base.threshold)
    return replace(base, threshold=high, threshold_low=low)


def check_result(
    images: Sequence[str | Path], output: str | Path, options: ExtractOptions, *, dst_crs: str | None = None
) -> None:
    """Refuse, before the network runs, a result that could not be saved for its format or CRS.

    Raises:
        UsageError: Format and CRS do not go together.
        InputError: An image cannot be used.
    """
    export.check_format(output, dst_crs=dst_crs)
    card = find_card(options.model)
    for image in images:
        with options.open(image, card) as source:
            export.check_format(output, dst_crs=dst_crs, has_crs=source.native_georef.crs is not None)


def check_targets(paths: Sequence[str | Path | None], *, overwrite: bool) -> None:
    """Refuse, before any work is done, what could not be written afterwards.

    Raises:
        OutputError: A target exists and may not be replaced, or its folder does not exist.
        UsageError: Two targets are the same file.
    """
    targets = [Path(path) for path in paths if path is not None]
    if len({target.resolve() for target in targets}) < len(targets):
        raise UsageError("Two of the outputs are the same file; give each its own name.")
    for target in targets:
        if not target.parent.is_dir():
            raise OutputError(f"The folder {target.parent} does not exist; create it first.")
        if target.exists() and not overwrite:
            raise OutputError(f"{target} exists; choose another name or allow --overwrite.")


def peak_memory_mb() -> float:
    """Return the largest resident set of this process so far, in MB (10^6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


@dataclass(frozen=True)
class _Extraction:
    """What one image gave."""

    image: str | Path
    probability: np.ndarray
    georef: Georef
    ground_resolution_m: float
    roads: RoadMap
    notes: tuple[str, ...]


class _ArraySink:
    """Collects windows in one array."""

    def __init__(self, shape: tuple[int, int]):
        self.array = np.full(shape, NO_DATA, np.uint8)

    def write(self, window: Window, values: np.ndarray) -> None:
        self.array[window.slices] = values


def _extract_one(
    image: str | Path, model: Model, options: ExtractOptions, progress: Progress | None
) -> _Extraction:
    with options.open(image, model.card) as source:
        sink = _ArraySink(source.shape)
        predict_source(source, model, sink, options.prediction(), progress=progress)
        roads = vectorize_raster(
            sink.array,
            source.georef,
            ground_resolution_m=source.ground_resolution_m,
            options=options.network(model.card),
            provenance={},
        )
        if source.native_georef.crs is not None:
            roads = roads.reproject(source.native_georef.crs)
        return _Extraction(image, sink.array, source.georef, source.ground_resolution_m, roads, source.notes)


def _write_by_products(
    extraction: _Extraction,
    card: ModelCard,
    options: ExtractOptions,
    targets: tuple[str | Path | None, str | Path | None, str | Path | None],
    *,
    overwrite: bool,
) -> None:
    probability_path, mask_path, overlay_path = targets
    probability, georef = extraction.probability, extraction.georef
    whole = Window(0, 0, *probability.shape)
    if probability_path is not None:
        with ProbabilityWriter(probability_path, probability.shape, georef, overwrite=overwrite) as writer:
            writer.write(whole, probability)
    if mask_path is not None:
        mask = road_mask(
            probability, ground_resolution_m=extraction.ground_resolution_m, options=options.network(card)
        )
        with MaskWriter(mask_path, probability.shape, georef, overwrite=overwrite) as writer:
            writer.write(whole, np.where(probability == NO_DATA, NO_DATA, mask).astype(np.uint8))
    if overlay_path is not None:
        from roadlift.report.figures import overlay

        overlay(extraction.image, extraction.roads, overlay_path)


def _raster_resolution(georef: Georef, shape: tuple[int, ...], gsd: float | None) -> float:
    if georef.crs is None:
        if gsd is None:
            raise InputError(
                "The raster has no CRS, so its ground resolution is unknown. Give it with --gsd in metres."
            )
        return gsd
    if gsd is not None:
        raise UsageError(
            "--gsd is for rasters without CRS; this one has a CRS that tells its ground resolution."
        )
    down, across = georef.ground_resolution((shape[0], shape[1]))
    return float(np.sqrt(down * across))
