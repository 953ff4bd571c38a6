"""Masks and probabilities, also those of other tools, read window by window, if need be on the grid of an image."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from roadlift.errors import InputError
from roadlift.imagery.georef import Georef
from roadlift.imagery.grid import Window
from roadlift.imagery.opening import damage_named, gdal_opening, gdal_settings, open_raster

if TYPE_CHECKING:
    from types import TracebackType

    from roadlift.imagery.source import ImagerySource

NO_DATA = 255
PROBABILITY_ONE = 254
KIND_TAG = "ROADLIFT"
_STRIP_PIXELS = 2**24
_COLOURS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


class MaskSource:
    """A mask or probability opened for reading; use it as a context manager.

    What the values mean is recognised so: our own rasters by their tag; floats as 0..1; integers as a mask where they
    hold nothing but 0 and 1, or 0 and the largest value of their type, or 0 and 255, beside the no-data value; uint8
    otherwise as 0..255 scaled probability.

    Attributes:
        path: As given.
        shape: (rows, cols) of the grid that is read.
        georef: Georeference of that grid.
        native_shape: (rows, cols) of the file.
        highest: Largest value of the file; -inf where it holds none.
        one: Value of the file that means that a pixel is road.

    Raises:
        InputError: The raster cannot be read, its values have no meaning listed above, or it does not fit ``like``.

    Example:
        >>> with MaskSource("roads.png") as mask:                                # doctest: +SKIP
        ...     probability = mask.read(Window(0, 0, *mask.shape))
    """

    def __init__(self, path: str | Path, *, like: ImagerySource | None = None) -> None:
        """Open ``path``.

        Args:
            path: Raster of one band, or of several where the first is meant.
            like: Image of the same size whose grid is to be read on, resampled as it is: shares are averaged.
        """
        self.path = path
        self._stack = ExitStack()
        self._file = self._stack.enter_context(open_raster(path))
        try:
            self._prepare(path, like)
        except BaseException:
            self._stack.close()
            raise

    def _prepare(self, path: str | Path, like: ImagerySource | None) -> None:
        with damage_named(path):
            self.native_shape: tuple[int, int] = self._file.shape
            if like is not None and self.native_shape != like.native_shape:
                raise InputError(
                    f"The mask {path} has {self.native_shape} pixels, its image {like.native_shape}; they must agree."
                )
            self._kind = self._file.tags().get(KIND_TAG)
            self.one, self.highest = self._meaning()
            warped = like is not None and like.warped
            self._dataset = self._stack.enter_context(self._warp(like)) if like and warped else self._file
            self.shape = like.shape if like is not None else self.native_shape
            self.georef = like.georef if like is not None else Georef(self._file.crs, self._file.transform)

    def __enter__(self) -> MaskSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def read(self, window: Window) -> np.ndarray:
        """Read a window of the grid.

        Args:
            window: Must lie inside the raster.

        Returns:
            uint8 (rows, cols): 0..254 = p * 254, 255 = no data.

        Raises:
            InputError: The file is damaged there.
        """
        share = self.read_share(window)
        return np.where(np.isnan(share), NO_DATA, np.rint(share * np.float32(PROBABILITY_ONE))).astype(
            np.uint8
        )

    def read_share(self, window: Window) -> np.ndarray:
        """Read a window of the grid without rounding.

        Args:
            window: Must lie inside the raster.

        Returns:
            float32 (rows, cols), 0..1; NaN where there is no data.

        Raises:
            InputError: The file is damaged there.
        """
        values, valid = self._read(self._dataset, window)
        return np.where(valid, values / np.float32(self.one), np.float32(np.nan)).astype(np.float32)

    def _read(self, dataset: rasterio.DatasetReader, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of a window and where they are data."""
        place = RasterioWindow(window.col, window.row, window.width, window.height)
        with damage_named(self.path), gdal_settings():
            values = dataset.read(1, window=place)
            valid = dataset.read_masks(1, window=place) > 0
        if values.dtype.kind == "f":
            valid &= np.isfinite(values)
        if self._kind is not None:
            valid &= values != NO_DATA
        return values, valid

    def _meaning(self) -> tuple[float, float]:
        """Return the value that means road and the largest one, after one look at all pixels."""
        if self._kind == "probability":
            return PROBABILITY_ONE, PROBABILITY_ONE
        low, high, others = np.inf, -np.inf, False
        top = self._largest()
        for window in self._strips():
            values, valid = self._read(self._file, window)
            known = values[valid]
            if known.size:
                low, high = min(low, float(known.min())), max(high, float(known.max()))
                others = others or bool(((known != 0) & (known != top) & (known != NO_DATA)).any())
        self._check_colours(mask=high <= 1 or not others)
        return self._one(low, high, others=others), high

    def _one(self, low: float, high: float, *, others: bool) -> float:
        dtype = np.dtype(self._file.dtypes[0])
        if dtype.kind == "f":
            if high > 1 or low < 0:
                raise InputError(
                    f"{self.path} holds floats from {low:g} to {high:g}; a probability lies in 0..1."
                )
            return 1.0
        if (low >= 0 and high <= 1) or not np.isfinite(low):
            return 1.0
        if dtype == np.uint8:
            return 255.0
        if not others and low >= 0 and high in (NO_DATA, self._largest()):
            return high
        raise InputError(
            f"{self.path} holds {dtype} from {low:g} to {high:g}; give a mask (0/1, 0/255) or a probability."
        )

    def _check_colours(self, *, mask: bool) -> None:
        """Refuse pictures: a palette whose numbers say nothing, and colours that differ between the bands."""
        colours = self._file.colorinterp
        if colours[0] == ColorInterp.palette and not mask:
            raise InputError(
                f"{self.path} is a palette picture with other numbers than 0 and 1, or 0 and 255, and what its colours "
                "mean is not known; give a mask (0/1, 0/255)."
            )
        if colours[:3] != _COLOURS:
            return
        for window in self._strips():
            place = RasterioWindow(window.col, window.row, window.width, window.height)
            with damage_named(self.path), gdal_settings():
                red, green, blue = self._file.read((1, 2, 3), window=place)
            if (red != green).any() or (red != blue).any():
                raise InputError(
                    f"{self.path} is a colour picture, and what its colours mean is not known; give a mask of one band "
                    "(0/1, 0/255)."
                )

    def _largest(self) -> float:
        dtype = np.dtype(self._file.dtypes[0])
        return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0

    def _strips(self) -> list[Window]:
        """Windows of whole rows that cover the file."""
        rows, cols = self.native_shape
        step = max(1, _STRIP_PIXELS // cols)
        return [Window(row, 0, min(step, rows - row), cols) for row in range(0, rows, step)]

    def _warp(self, like: ImagerySource) -> WarpedVRT:
        nodata = self._file.nodata if self._file.nodata is not None else (NO_DATA if self._kind else None)
        options: dict[str, Any] = dict(like.warp_options or {})
        with gdal_opening():
            return WarpedVRT(
                self._file,
                src_nodata=nodata,
                add_alpha=True,
                resampling=Resampling.average,
                dtype="float32",
                **options,
            )


def read_probability(path: str | Path) -> tuple[np.ndarray, Georef]:
    """Read a whole probability or mask raster; what its values mean is told by :class:`MaskSource`.

    Args:
        path: Raster of one band, or of several where the first is meant.

    Returns:
        Probability uint8 (rows, cols), 0..254 = p * 254 and 255 = no data, and its georeference.

    Raises:
        InputError: The raster cannot be read, or its values have no known meaning.
    """
    with MaskSource(path) as source:
        return source.read(Window(0, 0, *source.shape)), source.georef
