"""Probability and mask rasters of any tool: what their values mean is recognised and said, or refused with the way out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio.enums import ColorInterp
from rasterio.windows import Window as RasterioWindow

from roadlift.errors import InputError, UsageError
from roadlift.imagery.georef import Georef
from roadlift.imagery.grid import Window
from roadlift.imagery.masks import KIND_TAG, NO_DATA, PROBABILITY_ONE
from roadlift.imagery.opening import damage_named, gdal_settings, open_raster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

FEW = 16
"""A raster with no more different values than this holds a mask or classes."""
_PERCENT, _BYTE = 100, 255
_COLOURS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_STRIP_PIXELS = 1 << 23
_SAMPLE = 1 << 12


@dataclass(frozen=True)
class Content:
    """What a raster holds, beside no data.

    Attributes:
        dtype: of the raster.
        low, high: smallest and largest value; NaN where all is no data.
        few: the different values in their order where there are at most ``FEW``, else None.
    """

    dtype: np.dtype[Any]
    low: float
    high: float
    few: tuple[float, ...] | None

    def __str__(self) -> str:
        if self.few is not None:
            return f"{self.dtype}: " + ", ".join(f"{value:g}" for value in self.few)
        return f"{self.dtype} from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Meaning:
    """How values become probability.

    Attributes:
        text: what was recognised, for people.
        one: the value that means certain.
        road_class: the value that is road, all others not; None where values are shares of ``one``.
        no_data: a value that is no data beside those that the file names.
    """

    text: str
    one: float = 1.0
    road_class: int | None = None
    no_data: float | None = None


def recognise(
    content: Content, *, kind: str | None = None, road_class: int | None = None, scale: float | None = None
) -> Meaning:
    """Tell what the values of a raster mean.

    Args:
        content: what the raster holds.
        kind: ``probability`` or ``mask`` where roadlift wrote it.
        road_class: the class that is road, of a raster of classes.
        scale: the value that means certain, of a raster of probabilities.

    Raises:
        InputError: the values may mean several things, or do not go with what was said about them. The message names
            the flag that solves it.

    Example:
        >>> recognise(Content(np.dtype("uint8"), 0, 255, (0, 255))).text
        'mask, 0 and 255'
        >>> recognise(Content(np.dtype("uint8"), 0, 3, (0, 1, 2, 3)))
        Traceback (most recent call last):
        roadlift.errors.InputError: The raster holds uint8: 0, 1, 2, 3, which ...
    """
    if road_class is not None:
        return _one_class(content, road_class)
    if scale is not None:
        return _scaled(content, scale)
    if kind == "probability":
        return Meaning("probability that roadlift wrote", one=PROBABILITY_ONE, no_data=NO_DATA)
    if content.few is not None and (mask := _mask(content, set(content.few))):
        return mask
    if content.dtype.kind == "f" and content.low >= 0 and content.high <= 1:
        return Meaning("probability from 0 to 1")
    if content.few is None and content.dtype == np.uint8 and content.high > _PERCENT:
        return Meaning("probability from 0 to 255", one=_BYTE)
    raise InputError(f"The raster holds {content}, which {_way_out(content)}")


def _mask(content: Content, values: set[float]) -> Meaning | None:
    largest = float(np.iinfo(content.dtype).max) if content.dtype.kind in "ui" else 1.0
    if not values:
        return Meaning("nothing but no data")
    if values <= {0, 1}:
        return Meaning("mask, 0 and 1")
    if values <= {0, 1, NO_DATA} and 1 in values:
        return Meaning("mask, 0 and 1; 255 is no data", no_data=NO_DATA)
    if values <= {0, _BYTE}:
        return Meaning("mask, 0 and 255", one=_BYTE)
    if values <= {0, largest}:
        return Meaning(f"mask, 0 and {largest:g}", one=largest)
    return None


def _one_class(content: Content, road_class: int) -> Meaning:
    if not content.low <= road_class <= content.high or (content.few and road_class not in content.few):
        raise InputError(
            f"There is no class {road_class} in the raster; it holds {content}. Correct --class."
        )
    return Meaning(f"class {road_class} of {content}", road_class=road_class)


def _scaled(content: Content, scale: float) -> Meaning:
    if not scale > 0:
        raise UsageError(f"--scale is {scale:g}; give the value that means certain, above 0.")
    if content.low < 0 or content.high > scale:
        raise InputError(f"The raster holds {content}, which does not lie in 0..{scale:g}. Correct --scale.")
    return Meaning(f"probability from 0 to {scale:g}", one=scale)


def _way_out(content: Content) -> str:
    if content.low < 0:
        return (
            "may be scores before the sigmoid, or mark no data by a negative number: apply the one, name the other "
            "with --nodata."
        )
    if content.few is not None and content.dtype.kind in "ui":
        return (
            "may be classes or probabilities: say with --class N which class is road, or with --scale N which value "
            "means certain."
        )
    example = ", as in --scale 100 or --scale 255" if content.high <= _PERCENT else ""
    return (
        f"may be probabilities on more than one scale: say with --scale N which value means certain{example}."
    )


def _with_values(few: set[float], values: np.ndarray) -> set[float]:
    """Add the values that are not there yet, until there are more than a few: no sorting of what is known."""
    for part in (values[:_SAMPLE], values[_SAMPLE:]):
        if len(few) <= FEW:
            new = part[~np.isin(part, np.array(sorted(few), dtype=values.dtype))]
            few = few | set(np.unique(new)[: FEW + 1].tolist())
    return few


class RoadRaster:
    """A probability or mask raster, read window by window as probability; use it as a context manager.

    Pixels of 0 are not road, also where the file calls 0 no data.

    Attributes:
        shape: (rows, cols).
        georef: its georeference.
        meaning: what its values were recognised as.

    Example:
        >>> with RoadRaster("classes.tif", road_class=3) as raster:              # doctest: +SKIP
        ...     probability = raster.read(Window(0, 0, *raster.shape))
    """

    def __init__(
        self,
        path: str | Path,
        *,
        road_class: int | None = None,
        scale: float | None = None,
        band: int | None = None,
        nodata: float | None = None,
    ) -> None:
        """Open a raster, look at all of it once, and recognise its values.

        Args:
            path: of the raster.
            road_class: the class that is road, of a raster of classes.
            scale: the value that means certain, of a raster of probabilities.
            band: the band to read, counted from 1; None for the only one.
            nodata: a value that is no data beside those that the file names.

        Raises:
            InputError: the file cannot be read, or its values or bands may mean several things.
            UsageError: there is no such band, or class and scale are given at once.
        """
        if road_class is not None and scale is not None:
            raise UsageError(
                "--class is for rasters of classes, --scale for probabilities; give one of them."
            )
        self.path, self._nodata = path, nodata
        self.meaning = Meaning("")
        with damage_named(path), ExitStack() as stack:
            self._file = stack.enter_context(open_raster(path))
            self.shape: tuple[int, int] = self._file.shape
            self.georef = Georef(self._file.crs, self._file.transform)
            self._band = self._choose_band(band)
            kind = self._file.tags().get(KIND_TAG)
            self.meaning = recognise(self._content(kind), kind=kind, road_class=road_class, scale=scale)
            self._stack = stack.pop_all()

    def __enter__(self) -> RoadRaster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def read(self, window: Window) -> np.ndarray:
        """Read a window inside the raster: uint8 (rows, cols), 0..254 = p * 254, 255 = no data.

        Raises:
            InputError: the file is damaged there.
        """
        values, valid = self._read(window)
        if self.meaning.road_class is not None:
            share = values == self.meaning.road_class
        else:
            share = np.where(valid, values, 0) / np.float32(self.meaning.one)
        return np.where(valid, np.rint(share * np.float32(PROBABILITY_ONE)), NO_DATA).astype(np.uint8)

    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of a window and where they are data."""
        values = self._bands(window, [self._band])[0]
        place = RasterioWindow(window.col, window.row, window.width, window.height)
        # A file may call 0 no data so that it is drawn transparent; what is not road is known all the same.
        if self._file.nodata == 0:
            valid = np.ones(values.shape, dtype=bool)
        else:
            with damage_named(self.path), gdal_settings():
                valid = self._file.read_masks(self._band, window=place) > 0
        if values.dtype.kind == "f":
            valid &= np.isfinite(values)
        for value in (self._nodata, self.meaning.no_data):
            if value is not None:
                valid &= values != value
        return values, valid

    def _bands(self, window: Window, bands: list[int]) -> np.ndarray:
        place = RasterioWindow(window.col, window.row, window.width, window.height)
        with damage_named(self.path), gdal_settings():
            values: np.ndarray = self._file.read(bands, window=place)
        return values

    def _content(self, kind: str | None) -> Content:
        low, high, few = np.nan, np.nan, set[float]()
        for window in self._strips():
            values, valid = self._read(window)
            known = values[valid & (values != NO_DATA)] if kind is not None else values[valid]
            if known.size:
                low, high = np.fmin(low, known.min()), np.fmax(high, known.max())
            few = _with_values(few, known)
        listed = tuple(sorted(few)) if len(few) <= FEW else None
        return Content(np.dtype(self._file.dtypes[self._band - 1]), float(low), float(high), listed)

    def _choose_band(self, band: int | None) -> int:
        """Return the band to read: as told, else the only one that is not a mask, else one of three equal ones."""
        if band is not None:
            if not 1 <= band <= self._file.count:
                raise UsageError(f"--band is {band}; {self.path} has the bands 1 to {self._file.count}.")
            return band
        colours = self._file.colorinterp
        bands = [number for number, colour in enumerate(colours, 1) if colour != ColorInterp.alpha]
        if len(bands) > 1 and not (colours[:3] == _COLOURS and self._is_grey()):
            raise InputError(
                f"{self.path} has {len(bands)} bands: classes one by one, or a colour picture? Say with --band N which "
                "of them is the road."
            )
        return bands[0]

    def _is_grey(self) -> bool:
        pictures = (self._bands(window, [1, 2, 3]) for window in self._strips())
        return all((picture == picture[0]).all() for picture in pictures)

    def _strips(self) -> Iterator[Window]:
        """Windows of whole rows that cover the raster."""
        rows, cols = self.shape
        step = max(1, _STRIP_PIXELS // cols)
        yield from (Window(row, 0, min(step, rows - row), cols) for row in range(0, rows, step))
