"""Before the work: what an image is, whether it will work, how long it will take and how much memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from roadlift.imagery import MAX_PIXELS, ImagerySource, Mosaic, Pixels, Stretch, open_imagery, without_filling
from roadlift.model import ModelCard, available_threads
from roadlift.segment import DEFAULT_TILE, Plan, PredictOptions, plan_source, tile_grid

MEGAPIXELS_PER_SECOND_AND_THREAD = 3.0
"""Network pixels per second of one processor core, as measured for the built-in model; see docs/benchmarks.md."""
START_SECONDS = 2.0
VECTOR_SECONDS_PER_MEGAPIXEL = 0.15
_BLANK_SHARE = 0.01
_COARSE = 2.0


@dataclass(frozen=True)
class Problem:
    """Something that may spoil the result, and the flag or step that solves it."""

    what: str
    remedy: str


@dataclass(frozen=True)
class Preflight:
    """What :func:`inspect` found.

    Attributes:
        image: As given.
        native_shape: (rows, cols) of the file.
        band_count: Bands of the file.
        bands: Bands used as red, green and blue, counted from 1.
        colours: Colour interpretation of those bands.
        dtype: Type of the pixels.
        low: Value of each channel that becomes 0.
        high: Value of each channel that becomes 255.
        crs: Name of the CRS; None without.
        native_resolution_m: Metres per pixel (down, across); None where unknown.
        working_shape: (rows, cols) that the network works on.
        working_resolution_m: Metres per pixel there.
        warped: Whether pixels are resampled on the way.
        valid_share: Share of the pixels that hold image.
        tiles: Tiles that the network sees.
        expected_seconds: Estimate for this machine's processor count.
        expected_memory_mb: What the plan of memory comes to at most.
        plan: How the work will keep within its memory.
        notes: What is assumed.
        problems: What may spoil the result.
    """

    image: str
    native_shape: tuple[int, int]
    band_count: int
    bands: tuple[int, int, int]
    colours: tuple[str, ...]
    dtype: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    crs: str | None
    native_resolution_m: tuple[float, float] | None
    working_shape: tuple[int, int]
    working_resolution_m: float
    warped: bool
    valid_share: float
    tiles: int
    expected_seconds: float
    expected_memory_mb: float
    plan: Plan
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that fit into JSON."""
        return asdict(self)

    def render(self) -> str:
        """Return one screen of text."""
        rows, cols = self.native_shape
        working_rows, working_cols = self.working_shape
        resolution = "unknown"
        if self.native_resolution_m is not None:
            down, across = self.native_resolution_m
            resolution = f"{down:.3g} x {across:.3g} m"
        bands = ",".join(map(str, self.bands))
        how = "warped to" if self.warped else "read as it is,"
        ranges = ", ".join(f"{low:g}-{high:g}" for low, high in zip(self.low, self.high, strict=True))
        lines = {
            "image": self.image,
            "size": f"{rows} rows x {cols} columns, {rows * cols / 1e6:.1f} MPx",
            "bands": f"{bands} of {self.band_count} as red, green, blue ({', '.join(self.colours)})",
            "pixels": f"{self.dtype}; ranges {ranges} become 0-255",
            "CRS": self.crs or "none: results in pixel coordinates",
            "ground resolution": resolution,
            "network works on": f"{how} {working_rows} x {working_cols} at {self.working_resolution_m:.3g} m per pixel",
            "valid": f"{self.valid_share:.1%}",
            "tiles": str(self.tiles),
            "plan": self.plan.render(),
            "expected": f"about {self.expected_seconds:.0f} s and {self.expected_memory_mb:.0f} MB (estimates)",
        }
        text = [f"{name:<18} {value}" for name, value in lines.items()]
        text += [f"{'note':<18} {note}" for note in self.notes]
        text += [f"{'problem':<18} {problem.what}; {problem.remedy}" for problem in self.problems]
        return "\n".join(text if self.problems else [*text, f"{'problems':<18} none"])


def inspect(
    image: str | Path,
    *,
    card: ModelCard,
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
    gsd: float | None = None,
    crs: str | None = None,
    stretch: str | None = None,
    max_pixels: int = MAX_PIXELS,
    on_read_error: str = "fail",
    tile_size: int | None = None,
    max_memory: str | None = None,
    int8: bool = True,
) -> Preflight:
    """Look at an image without running the network.

    Args:
        image: Path or http(s) URL of an image, a folder, a list or a STAC document.
        card: The model that will be used.
        bands: As for extract.
        nodata: As for extract.
        gsd: As for extract.
        crs: As for extract.
        stretch: As for extract.
        max_pixels: As for extract.
        on_read_error: As for extract.
        tile_size: As for extract.
        max_memory: As for extract.
        int8: Whether the network computes in 8 bits here.

    Returns:
        What was found.

    Raises:
        InputError: The image cannot be used.
        LimitError: It is larger than allowed, or the memory does not suffice.
        UsageError: Options contradict the file.
    """
    with open_imagery(
        image,
        bands=bands,
        ground_resolution=card.ground_resolution_m,
        gsd=gsd,
        crs=crs,
        nodata=nodata,
        max_pixels=max_pixels,
        on_read_error=on_read_error,
    ) as source:
        sample = source.sample()
        wanted = PredictOptions(tile_size=tile_size or DEFAULT_TILE)
        plan = plan_source(
            source, card, wanted, max_memory=max_memory, fixed_tile=tile_size is not None, int8=int8
        )
        grid = tile_grid(source.shape, card, replace(wanted, tile_size=plan.tile_size))
        plain = (stretch or card.stretch) == "none"
        fitted = Stretch.fit(
            without_filling(sample, scale=sample.valid.size / math.prod(source.shape)),
            low_percent=card.stretch_low_percent,
            high_percent=card.stretch_high_percent,
        )
        ranges = Stretch.none(source.dtype) if plain else fitted
        native = source.native_georef
        tile_pixels = grid.read_shape[0] * grid.read_shape[1]
        threads = available_threads()
        return Preflight(
            image=str(image),
            native_shape=source.native_shape,
            band_count=source.band_count,
            bands=source.bands,
            colours=source.colours,
            dtype=str(source.dtype),
            low=ranges.low,
            high=ranges.high,
            crs=None if native.crs is None else _crs_name(native.crs),
            native_resolution_m=None if native.crs is None else native.ground_resolution(source.native_shape),
            working_shape=source.shape,
            working_resolution_m=source.ground_resolution_m,
            warped=source.warped,
            valid_share=float(sample.valid.mean()),
            tiles=len(grid),
            expected_seconds=2.0
            + len(grid) * tile_pixels / 1e6 / (MEGAPIXELS_PER_SECOND_AND_THREAD * threads),
            expected_memory_mb=plan.expected_memory / 1e6,
            plan=plan,
            notes=(*source.notes, *plan.notes),
            problems=tuple(_problems(source, sample, card, scale_given=gsd is not None)),
        )


def _crs_name(crs: Any) -> str:
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt()).split('"')[1]


def _problems(
    source: ImagerySource | Mosaic, sample: Pixels, card: ModelCard, *, scale_given: bool
) -> list[Problem]:
    found = []
    if source.native_georef.crs is None and not scale_given:
        found.append(
            Problem(
                "the image has no CRS",
                "give --gsd METRES for its scale, or --crs EPSG:CODE if it has a world file",
            )
        )
    coarsest = _coarsest_step(source)
    if coarsest > _COARSE * card.ground_resolution_m:
        found.append(
            Problem(
                f"a pixel is {coarsest:.3g} m, the model was trained at {card.ground_resolution_m:g} m: narrow roads "
                "cannot be seen",
                "use finer imagery or a model for this resolution (--model)",
            )
        )
    if source.band_count > 3 and not source.bands_named:
        found.append(
            Problem(
                f"{source.band_count} bands without colour names", "check the order and give --bands R,G,B"
            )
        )
    if not sample.valid.any():
        found.append(Problem("no pixel is valid", "check nodata, mask and alpha of the file"))
    elif _nearly_constant(sample):
        found.append(
            Problem(
                "nearly all pixels have one and the same colour",
                "check that --bands names the bands of an image, and --nodata its filling",
            )
        )
    found += _blank_problems(sample)
    return found


def _coarsest_step(source: ImagerySource | Mosaic) -> float:
    """Metres of the longer side of a pixel of the file."""
    if source.native_georef.crs is not None:
        return max(source.native_georef.ground_resolution(source.native_shape))
    return float(source.ground_resolution_m * source.shape[0] / source.native_shape[0])


def _nearly_constant(sample: Pixels) -> bool:
    """Whether every channel has the same value at the 5th and the 95th percentile."""
    low, high = np.percentile(sample.values[:, sample.valid], (5, 95), axis=1)
    return bool((low == high).all())


def _blank_problems(sample: Pixels) -> list[Problem]:
    """Find large areas of pure black or white that nothing marks as no data."""
    if sample.values.dtype.kind not in "ui" or not sample.valid.any():
        return []
    eight_bits = sample.values.dtype == np.uint8
    highest = 255 if eight_bits else int(sample.values[:, sample.valid].max())
    found = []
    for value, name in ((0, "black"), (highest, "white")):
        labels, count = ndimage.label((sample.values == value).all(axis=0) & sample.valid)
        largest = np.bincount(labels.ravel(), minlength=2)[1:].max() if count else 0
        if largest > _BLANK_SHARE * sample.valid.size:
            found.append(
                Problem(
                    f"{largest / sample.valid.size:.0%} of the image is one {name} area",
                    f"if it is no data, give --nodata {value}",
                )
            )
    return found
