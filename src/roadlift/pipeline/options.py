"""Options of an extraction, and what each room needs of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from roadlift.imagery import MAX_PIXELS, ImagerySource, Mosaic, open_imagery
from roadlift.model import DEFAULT_MODEL, ModelCard
from roadlift.network import NetworkOptions
from roadlift.segment import DEFAULT_TILE, EXACT_TILE, PredictOptions

_HOW: Final = frozenset({"batch_size", "device", "max_memory", "max_pixels", "on_read_error"})
"""Options that may differ when a job goes on; the model's arithmetic is held against the journal by itself."""


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
        max_pixels: Larger images are refused, in the file and at the model's ground resolution.
        on_read_error: What a damaged part of an image is: ``fail``, an error; ``nodata``, no data, up to 5 % of it.
        tile_size: Largest side of a tile in pixels; None is 1536 (2048 if exact), or less where memory is short.
        exact: Margins so wide that tiling cannot be seen in the result.
        blend: ``none``, ``linear`` or ``hann``.
        overlap: Pixels that blended tiles share.
        batch_size: Tiles that the network sees at once.
        max_memory: Memory that the process may hold, as in ``2GB``; None is 60 % of what the machine or container has.
        threshold: Probability from which a road begins; None is the model's.
        threshold_low: Probability down to which it is followed; None is the model's.

    Example:
        >>> ExtractOptions(threshold=0.3).blend
        'none'
    """

    model: str = DEFAULT_MODEL
    runtime: str = "openvino"
    device: str = "cpu"
    bands: tuple[int, ...] | None = None
    nodata: float | None = None
    gsd: float | None = None
    crs: str | None = None
    stretch: str | None = None
    max_pixels: int = MAX_PIXELS
    on_read_error: str = "fail"
    tile_size: int | None = None
    exact: bool = False
    blend: str = "none"
    overlap: int | None = None
    batch_size: int = 1
    max_memory: str | None = None
    threshold: float | None = None
    threshold_low: float | None = None

    def prediction(self, tile_size: int | None = None) -> PredictOptions:
        """Return the part that :mod:`roadlift.segment` needs.

        Args:
            tile_size: Tile to take where the options name none; None is the usual one.
        """
        names = {field.name for field in fields(PredictOptions)} & {field.name for field in fields(self)}
        values = {name: getattr(self, name) for name in names}
        usual = EXACT_TILE if self.exact else DEFAULT_TILE
        return PredictOptions(**values | {"tile_size": self.tile_size or tile_size or usual})

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ExtractOptions:
        """Return the options that were written to JSON as a dictionary."""
        read: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**read)

    def deciding(self) -> dict[str, Any]:
        """Return the options that decide the result: all but those that say how it is worked out."""
        return {name: value for name, value in asdict(self).items() if name not in _HOW}

    def network(self, card: ModelCard) -> NetworkOptions:
        """Return the part that :mod:`roadlift.network` needs; the model's card fills what is not given."""
        return network_options(card, threshold=self.threshold, threshold_low=self.threshold_low)

    def open(self, image: str | Path, card: ModelCard) -> ImagerySource | Mosaic:
        """Open an image, or a folder, list or STAC document as one mosaic, at the model's ground resolution."""
        return open_imagery(
            image,
            bands=self.bands,
            ground_resolution=card.ground_resolution_m,
            gsd=self.gsd,
            crs=self.crs,
            nodata=self.nodata,
            max_pixels=self.max_pixels,
            on_read_error=self.on_read_error,
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
