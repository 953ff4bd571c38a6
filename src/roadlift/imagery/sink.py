"""Rasters out, all or nothing: probability and mask as cloud-optimised GeoTIFF.

Windows go to a temporary file beside the target. When all is written it becomes a cloud-optimised GeoTIFF with
overviews, is read again and compared block by block with what was written, and only then takes the target's name.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.shutil import copy as copy_raster
from rasterio.windows import Window as RasterioWindow

from roadlift.errors import OutputError
from roadlift.imagery.georef import Georef
from roadlift.imagery.grid import Window
from roadlift.imagery.masks import KIND_TAG, NO_DATA
from roadlift.imagery.opening import gdal_opening, gdal_settings

if TYPE_CHECKING:
    from types import TracebackType

BLOCK = 512
_BIG_PIXELS = 10**9
_PLAIN = "plain.tif"


class _RasterWriter:
    """Writes one uint8 band window by window; see the module."""

    kind = ""
    overviews = "average"

    def __init__(
        self, path: str | Path, shape: tuple[int, int], georef: Georef, *, overwrite: bool = False
    ) -> None:
        """Prepare to write.

        Args:
            path: Target, ``.tif``.
            shape: (rows, cols).
            georef: Georeference of the raster.
            overwrite: Replace an existing file.

        Raises:
            OutputError: The target exists, its folder does not, or it cannot be written.
        """
        self.path, self.shape, self.georef = Path(path), shape, georef
        if self.path.suffix.lower() not in (".tif", ".tiff"):
            raise OutputError(f"{self.path} must end in .tif: rasters are written as GeoTIFF.")
        if self.path.exists() and not overwrite:
            raise OutputError(f"{self.path} exists; choose another name or allow overwriting.")
        if not self.path.parent.is_dir():
            raise OutputError(f"The folder {self.path.parent} does not exist; create it first.")
        self._folder: Path | None = None
        self._dataset: rasterio.DatasetWriter | None = None
        self._written: dict[Window, int] = {}

    def __enter__(self) -> Self:
        try:
            self._folder = Path(tempfile.mkdtemp(prefix=f".{self.path.stem}-", dir=self.path.parent))
        except OSError as error:
            raise OutputError(f"{self.path.parent} cannot be written to: {error.strerror}.") from error
        try:
            with gdal_opening():
                self._dataset = rasterio.open(self._folder / _PLAIN, "w", **self._profile())
                self._dataset.update_tags(**{KIND_TAG: self.kind})
                self._decorate(self._dataset)
        except (RasterioError, CPLE_BaseError) as error:
            self._discard()
            raise self._cannot_write(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._folder is not None:
                self._finish(self._folder)
        finally:
            self._discard()

    def write(self, window: Window, values: np.ndarray) -> None:
        """Write a window.

        Args:
            window: Inside the raster; windows do not overlap.
            values: uint8 (rows, cols) of the window's shape.

        Raises:
            OutputError: The disk is full or failing.
        """
        if self._dataset is None:
            raise OutputError(f"{self.path} is not open for writing; use the writer in a with statement.")
        if values.shape != window.shape or values.dtype != np.uint8:
            raise OutputError(f"The window is {window.shape} of uint8; got {values.shape} of {values.dtype}.")
        target = RasterioWindow(window.col, window.row, window.width, window.height)
        try:
            with gdal_settings():
                self._dataset.write(values, 1, window=target)
        except (RasterioError, CPLE_BaseError) as error:
            raise self._cannot_write(error) from error
        self._written[window] = zlib.crc32(values.tobytes())

    def _profile(self) -> dict[str, Any]:
        side = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
        return {
            "driver": "GTiff",
            "dtype": "uint8",
            "count": 1,
            "height": self.shape[0],
            "width": self.shape[1],
            "crs": self.georef.crs,
            "transform": self.georef.transform,
            "nodata": NO_DATA,
            "compress": "deflate",
            "zlevel": 1,
            "bigtiff": "YES" if self.shape[0] * self.shape[1] > _BIG_PIXELS else "NO",
            "sparse_ok": True,
            **side,
        }

    def _decorate(self, dataset: rasterio.DatasetWriter) -> None:
        """Add what a kind of raster has beside its pixels."""

    def _finish(self, folder: Path) -> None:
        """Close, make cloud-optimised, compare with what was written, and take the target's name."""
        whole = folder / "whole.tif"
        try:
            with gdal_opening():
                if self._dataset is not None:
                    self._dataset.close()
                copy_raster(
                    folder / _PLAIN,
                    whole,
                    driver="COG",
                    COMPRESS="DEFLATE",
                    BLOCKSIZE=BLOCK,
                    OVERVIEW_RESAMPLING=self.overviews.upper(),
                    BIGTIFF="IF_SAFER",
                    NUM_THREADS=2,
                )
            if checksums(whole, self._written) != self._written:
                raise self._cannot_write("it does not read back as it was written")
            with whole.open("rb") as file:
                os.fsync(file.fileno())
            whole.replace(self.path)
        except (RasterioError, CPLE_BaseError, OSError) as error:
            raise self._cannot_write(error) from error

    def _discard(self) -> None:
        """Close and remove what is temporary; what goes wrong with a file that is thrown away does not matter."""
        with suppress(RasterioError, CPLE_BaseError), gdal_opening():
            if self._dataset is not None:
                self._dataset.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _cannot_write(self, error: Exception | str) -> OutputError:
        free = shutil.disk_usage(self.path.parent).free
        needed = self.shape[0] * self.shape[1]
        return OutputError(
            f"{self.path} cannot be written: {error}. The folder has {free / 1e6:.0f} MB free; up to "
            f"{2 * needed / 1e6:.0f} MB may be needed. Nothing was left behind."
        )


class ProbabilityWriter(_RasterWriter):
    """Writes a road probability: uint8, 0..254 = p * 254, 255 = no data.

    Example:
        >>> with ProbabilityWriter("p.tif", (512, 512), georef) as writer:       # doctest: +SKIP
        ...     writer.write(Window(0, 0, 512, 512), probability)
    """

    kind = "probability"


class MaskWriter(_RasterWriter):
    """Writes a road mask with colours: 0 background, 1 road, 255 no data."""

    kind = "mask"
    overviews = "mode"

    def _decorate(self, dataset: rasterio.DatasetWriter) -> None:
        dataset.write_colormap(1, {0: (0, 0, 0, 0), 1: (230, 85, 13, 255), NO_DATA: (0, 0, 0, 0)})


def checksums(path: str | Path, windows: Iterable[Window]) -> dict[Window, int]:
    """Return the CRC-32 of each window of the first band as it is in the file."""
    with gdal_opening(), rasterio.open(path) as dataset:
        return {
            window: zlib.crc32(
                dataset.read(1, window=RasterioWindow(window.col, window.row, window.width, window.height))
            )
            for window in windows
        }
