"""Pixels of an image of any size, at the ground resolution that the model wants, with what is valid of them."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import CRSError, RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from roadlift.errors import InputError, UsageError
from roadlift.imagery.bands import choose_bands, palette_of, pixel_type
from roadlift.imagery.face import Imagery
from roadlift.imagery.georef import Georef
from roadlift.imagery.grid import Window
from roadlift.imagery.lost import Lost
from roadlift.imagery.opening import (
    MAX_PIXELS,
    absolute,
    check_pixels,
    damage_named,
    gdal_opening,
    gdal_settings,
    is_alpha,
    is_remote,
    open_raster,
    reasons,
)
from roadlift.imagery.placement import WorkingGrid, place
from roadlift.imagery.scaling import Pixels

ON_READ_ERROR = ("fail", "nodata")
CELL = (128, 128)
"""(rows, cols) that are no data as a whole where a file is damaged and that is allowed; GDAL's block where it warps."""
MAX_UNREADABLE = 0.05
LARGE_PIXELS = 2**26
"""Of an image that several threads sample."""
READERS = 4
_SAMPLE_PARTS = 16
_TOO_LARGE = "Cut it into parts, check its georeference, or raise --max-pixels."
_OPAQUE = 255
"""Opacity that the warp writes for a pixel that is all there; int8 ends at 127."""


class ImagerySource(Imagery):
    """An image opened for reading; use it as a context manager.

    Reads may come from another thread than the one that opened it; they wait for each other. What it tells about
    itself is listed at :class:`~roadlift.imagery.face.Imagery`.

    Raises:
        InputError: The file cannot be opened, or its pixels or georeference cannot be used.
        LimitError: It is larger than allowed.
        UsageError: Options contradict the file.

    Example:
        >>> with ImagerySource("city.tif") as source:                            # doctest: +SKIP
        ...     pixels = source.read(Window(0, 0, 256, 256))
    """

    def __init__(
        self,
        path: str | Path,
        *,
        bands: Sequence[int] | None = None,
        ground_resolution: float | None = 1.0,
        gsd: float | None = None,
        crs: str | None = None,
        nodata: float | None = None,
        max_pixels: int = MAX_PIXELS,
        on_read_error: str = "fail",
        lattice: Georef | None = None,
    ) -> None:
        """Open ``path``.

        Args:
            path: Local file or http(s) URL.
            bands: Bands to use, counted from 1: three, or one for grey; None chooses by colour interpretation.
            ground_resolution: Metres per pixel to work at; None keeps the file's own grid.
            gsd: Metres per pixel of a file without CRS.
            crs: CRS of a file that does not name one.
            nodata: Pixel value that means no data; None means what the file says.
            max_pixels: Larger rasters are refused, in the file and on the working grid.
            on_read_error: What a damaged part of the file is: ``fail``, an error; ``nodata``, squares of no data, as
                long as they are at most 5 % of the pixels.
            lattice: Grid in metres to lie on, whatever the resolution, as the images of a mosaic do.
        """
        if on_read_error not in ON_READ_ERROR:
            raise UsageError(f"on_read_error is {on_read_error!r}; allowed: {', '.join(ON_READ_ERROR)}.")
        self.path, self._name = path, absolute(path)
        self._stack = ExitStack()  # of datasets that are closing, not entered: any thread may close them
        self._lock = threading.Lock()
        self._lenient = on_read_error == "nodata"
        self._unreadable: dict[Window, str] = {}
        self._damaged = False
        self._max_pixels = max_pixels
        dataset = self._stack.enter_context(closing(open_raster(path, max_pixels=max_pixels)))
        try:
            with damage_named(path):
                self._describe(dataset, bands, crs, nodata)
                grid = place(
                    self.native_georef, dataset.shape, ground_resolution, gsd=gsd, lattice=lattice, name=path
                )
                name = f"{path} at {grid.ground_resolution_m:g} m"
                check_pixels(grid.shape, name, max_pixels, remedy=_TOO_LARGE)
                self._take(grid, dataset)
        except BaseException:
            self._stack.close()
            raise

    def _describe(
        self,
        dataset: rasterio.DatasetReader,
        bands: Sequence[int] | None,
        crs: str | None,
        nodata: float | None,
    ) -> None:
        """Tell what the file holds."""
        self.bands = choose_bands(dataset, bands, self.path)
        self.dtype = pixel_type(dataset, self.bands, self.path)
        self.band_count = dataset.count
        self.colours = tuple(dataset.colorinterp[band - 1].name for band in self.bands)
        self.native_shape = dataset.shape
        self.native_georef = _native_georef(dataset, self.path, crs)
        self._palette = palette_of(dataset, self.bands)
        if self._palette is not None:
            self.dtype = self._palette.dtype
        self._nodata = dataset.nodata if nodata is None else _check_nodata(nodata, self.dtype)
        self._alpha = next((band for band in dataset.indexes if is_alpha(dataset, band)), None)

    def _take(self, grid: WorkingGrid, dataset: rasterio.DatasetReader) -> None:
        """Read on this grid from now on."""
        self.shape, self.georef, self._notes = grid.shape, grid.georef, grid.notes
        self.ground_resolution_m, self.warped = grid.ground_resolution_m, grid.warp is not None
        self._file, self._grid = dataset, grid
        self._dataset, self._cell = dataset, CELL
        if grid.warp is not None:
            self._dataset = self._stack.enter_context(closing(self._warp(grid.warp)))
            self._cell = self._dataset.block_shapes[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed or left out, in words; what could not be read is in it once it was read."""
        if not self._unreadable:
            return (
                (*self._notes, f"{self.path} is damaged: parts of it cannot be read")
                if self._damaged
                else self._notes
            )
        share = self.unreadable_pixels / math.prod(self.shape)
        lost = f"{self.path} is damaged: {self.unreadable_pixels:,} pixels ({share:.2%}) cannot be read and are no data"
        return (*self._notes, lost)

    @property
    def block_shape(self) -> tuple[int, int]:
        """(rows, cols) of a block of the file, which is decoded as a whole."""
        rows, cols = self._file.block_shapes[self.bands[0] - 1]
        return rows, cols

    @property
    def files(self) -> tuple[Path, ...]:
        """Files of this machine that the pixels come from, those that a VRT names too."""
        return tuple(Path(name) for name in self._file.files if Path(name).is_file())

    @property
    def lost(self) -> frozenset[Lost]:
        """Cells that were found damaged so far and given as no data."""
        return frozenset(
            Lost(self._name, cell.row, cell.col, cell.height, cell.width) for cell in list(self._unreadable)
        )

    def take_up(self, lost: Iterable[Lost]) -> None:
        """Count cells that were found damaged earlier; they are not read again.

        Raises:
            InputError: More is lost than may be.
        """
        for one in lost:
            if one.image == self._name:
                self._unreadable.setdefault(one.window, f"{self.path} is damaged.")
        self._check_lost()

    @property
    def warp_options(self) -> dict[str, Any] | None:
        """How the file comes onto the working grid, in the terms of GDAL's warp; None where it lies on it."""
        return None if self._grid.warp is None else dict(self._grid.warp)

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def read(self, window: Window) -> Pixels:
        """Read a window of the working grid.

        Args:
            window: Must lie inside the raster.

        Returns:
            Values (3, rows, cols) in the file's type and what of them is valid.

        Raises:
            UsageError: The window sticks out of the raster.
            InputError: The file is damaged there.
        """
        if window.clip(self.shape) != window or min(window.shape) < 1:
            raise UsageError(f"The window {window} does not lie inside the raster of {self.shape}.")
        if self._lenient:
            return self._read_cells(window)
        with self._reopening():
            return self._read(self._dataset, window, window.shape)

    def sample(self, max_pixels: int = 2**20) -> Pixels:
        """Read the whole raster at every n-th pixel, for statistics; values are picked, not averaged.

        Args:
            max_pixels: About how many pixels to read at most.
        """
        step = max(1.0, (self.shape[0] * self.shape[1] / max_pixels) ** 0.5)
        shape = (max(1, round(self.shape[0] / step)), max(1, round(self.shape[1] / step)))
        if self._grid.warp is None or shape == self.shape:
            return self._read_coarse(None, self.shape, shape)
        coarser = self._grid.warp | {"height": shape[0], "width": shape[1]}
        coarser["transform"] = _scaled(
            self.georef.transform, self.shape[0] / shape[0], self.shape[1] / shape[1]
        )
        return self._read_coarse(coarser, shape, shape)

    def _read_cells(self, window: Window) -> Pixels:
        """Read a window cell by cell; a cell that cannot be read is no data, wherever the window begins."""
        values = np.zeros((3, *window.shape), self.dtype)
        valid = np.zeros(window.shape, bool)
        for cell in _cells(window, self._cell, self.shape):
            pixels = self._read_cell(cell)
            if pixels is not None:
                part = cell.intersect(window)
                here, there = (part.shift(-frame.row, -frame.col).slices for frame in (window, cell))
                values[(slice(None), *here)] = pixels.values[(slice(None), *there)]
                valid[here] = pixels.valid[there]
        return Pixels(values, valid)

    def _read_cell(self, cell: Window) -> Pixels | None:
        if cell not in self._unreadable:
            try:
                return self._read(self._dataset, cell, cell.shape)
            except InputError as error:
                self._reopen()
                self._unreadable[cell] = str(error)
        self._check_lost()
        return None

    def _check_lost(self) -> None:
        share = self.unreadable_pixels / math.prod(self.shape)
        if share > MAX_UNREADABLE:
            latest = next(reversed(self._unreadable.values()))
            raise InputError(
                f"{latest} {share:.0%} of the pixels or more are lost; at most {MAX_UNREADABLE:.0%} may be taken as no "
                "data."
            )

    def _read_coarse(
        self, warp: dict[str, Any] | None, shape: tuple[int, int], coarse: tuple[int, int]
    ) -> Pixels:
        """Read all of a view of ``shape`` at every n-th pixel; where damage is allowed, part by part."""
        if not self._lenient:
            by_blocks = self._file.driver in ("GTiff", "VRT") and not is_remote(self.path)
            if warp is None and by_blocks and math.prod(shape) >= LARGE_PIXELS:
                return self._read_at_once(shape, coarse)
            with self._reopening(), self._view(warp) as dataset:
                return self._read(dataset, Window(0, 0, *shape), coarse)
        values, valid = np.zeros((3, *coarse), self.dtype), np.zeros(coarse, bool)
        for part in _parts(coarse):
            try:
                with self._view(warp) as dataset:
                    pixels = self._read(dataset, _enlarged(part, coarse, shape), part.shape)
            except InputError:
                self._damaged = True  # statistics need not know all; read() counts what is lost
                self._reopen()
            else:
                values[(slice(None), *part.slices)], valid[part.slices] = pixels.values, pixels.valid
        return Pixels(values, valid)

    def _read_at_once(self, shape: tuple[int, int], coarse: tuple[int, int]) -> Pixels:
        """Pick the same pixels in several threads, some rows in each: every block has to be decoded for them."""
        cuts = [round(coarse[0] * number / READERS) for number in range(READERS + 1)]
        step = shape[0] / coarse[0]

        def read(first: int, last: int) -> Pixels:
            place = RasterioWindow(0, first * step, shape[1], (last - first) * step)
            window = Window(int(first * step), 0, math.ceil((last - first) * step), shape[1]).clip(shape)
            with closing(open_raster(self.path, max_pixels=self._max_pixels)) as dataset:
                return self._read(dataset, window, (last - first, coarse[1]), place=place, lock=nullcontext())

        rows = [(first, last) for first, last in pairwise(cuts) if last > first]
        with ThreadPoolExecutor(READERS, thread_name_prefix="roadlift-sample") as pool:
            parts = list(pool.map(read, *zip(*rows, strict=True)))
        return Pixels(
            np.concatenate([part.values for part in parts], axis=1),
            np.concatenate([part.valid for part in parts]),
        )

    def _view(self, warp: dict[str, Any] | None) -> AbstractContextManager[rasterio.DatasetReader]:
        """Return what is read from, or the file warped in another way."""
        return nullcontext(self._dataset) if warp is None else self._warp(warp, Resampling.nearest)

    @contextmanager
    def _reopening(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            self._reopen()
            raise

    def _reopen(self) -> None:
        """Open the file anew: after an error GDAL hands out what it could not decode, as if it were pixels."""
        with self._lock:
            self._stack.close()
            self._file = self._stack.enter_context(
                closing(open_raster(self.path, max_pixels=self._max_pixels))
            )
            self._dataset = self._file
            if self._grid.warp is not None:
                self._dataset = self._stack.enter_context(closing(self._warp(self._grid.warp)))

    def _read(
        self,
        dataset: rasterio.DatasetReader,
        window: Window,
        shape: tuple[int, int],
        *,
        place: RasterioWindow | None = None,
        lock: AbstractContextManager[Any] | None = None,
    ) -> Pixels:
        """Read a window, or a ``place`` in it that begins between two pixels; ``lock`` is for a dataset of one's own."""
        indexes = list(dict.fromkeys(self.bands))
        place = place or RasterioWindow(window.col, window.row, window.width, window.height)
        try:
            with lock or self._lock, gdal_settings():
                values = dataset.read(indexes, window=place, out_shape=(len(indexes), *shape))
                opaque = self._read_mask(dataset, place, shape)
        except (RasterioError, CPLE_BaseError) as error:
            raise InputError(
                f"{self.path} is damaged: rows {window.row}-{window.row + window.height - 1}, columns "
                f"{window.col}-{window.col + window.width - 1} of bands {', '.join(map(str, indexes))} cannot be read "
                f"({reasons(error)}). Get an intact copy."
            ) from error
        valid = _valid(values, opaque, None if self.warped else self._nodata)
        if self._palette is not None:
            colours = self._palette[values[0]]
            return Pixels(np.moveaxis(colours[..., :3], -1, 0), valid & (colours[..., 3] > 0))
        return Pixels(values[[indexes.index(band) for band in self.bands]], valid)

    def _read_mask(
        self, dataset: rasterio.DatasetReader, window: RasterioWindow, shape: tuple[int, int]
    ) -> np.ndarray | None:
        """Return bool (rows, cols) from alpha or the internal mask; None where every pixel counts."""
        if self._alpha is not None or self.warped:
            alpha = dataset.read(self._alpha or dataset.count, window=window, out_shape=shape)
            return np.asarray(
                alpha >= (_warped_opacity(alpha.dtype) if self.warped else _opacity(alpha.dtype))
            )
        if MaskFlags.per_dataset in dataset.mask_flag_enums[self.bands[0] - 1]:
            return np.asarray(dataset.dataset_mask(window=window, out_shape=shape) > 0)
        return None

    def _warp(self, options: dict[str, Any], resampling: Resampling = Resampling.cubic) -> WarpedVRT:
        nodata = self._nodata if self._nodata is not None else (np.nan if self.dtype.kind == "f" else None)
        transparency: dict[str, Any] = {"DST_ALPHA_MAX": str(_OPAQUE), "add_alpha": self._alpha is None}
        if self._alpha is not None:
            transparency["SRC_ALPHA_MAX"] = str(_opacity(np.dtype(self._file.dtypes[self._alpha - 1])))
        if self._palette is not None:
            resampling = Resampling.nearest
        with gdal_opening():
            return WarpedVRT(self._file, src_nodata=nodata, resampling=resampling, **transparency, **options)


def _cells(window: Window, cell: tuple[int, int], shape: tuple[int, int]) -> Iterator[Window]:
    """Cells, counted from the origin of a raster of ``shape``, that meet a window."""
    for row in range(window.row // cell[0] * cell[0], window.row + window.height, cell[0]):
        for col in range(window.col // cell[1] * cell[1], window.col + window.width, cell[1]):
            yield Window(row, col, *cell).clip(shape)


def _parts(shape: tuple[int, int]) -> Iterator[Window]:
    """Cut a raster into at most 16 x 16 parts."""
    height, width = (-(-side // _SAMPLE_PARTS) for side in shape)
    for row in range(0, shape[0], height):
        for col in range(0, shape[1], width):
            yield Window(row, col, height, width).clip(shape)


def _enlarged(part: Window, shape: tuple[int, int], larger: tuple[int, int]) -> Window:
    """Window of a larger raster that shows the same as ``part`` of one of ``shape``."""
    down, across = larger[0] / shape[0], larger[1] / shape[1]
    row, col = round(part.row * down), round(part.col * across)
    bottom, right = round((part.row + part.height) * down), round((part.col + part.width) * across)
    return Window(row, col, max(1, bottom - row), max(1, right - col)).clip(larger)


def _scaled(transform: Affine, down: float, across: float) -> Affine:
    """Return the transform of pixels that are so many times larger, same origin."""
    a, b, left, d, e, top = transform[:6]
    return Affine(a * across, b * down, left, d * across, e * down, top)


def _opacity(dtype: np.dtype[Any]) -> float:
    """Value of a file's alpha band that means opaque."""
    return int(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def _warped_opacity(dtype: np.dtype[Any]) -> float:
    """Value of the warp's alpha band that means opaque, less what rounding may take."""
    return 127 if dtype == np.int8 else _OPAQUE if dtype.kind in "ui" else _OPAQUE - 1e-3


def _check_nodata(nodata: float, dtype: np.dtype[Any]) -> float:
    if dtype.kind == "f":
        return nodata
    limits = np.iinfo(dtype)
    if not (limits.min <= nodata <= limits.max and nodata == int(nodata)):
        raise UsageError(
            f"--nodata {nodata:g} is no value of {dtype} pixels; give a whole number from {limits.min} to {limits.max}."
        )
    return nodata


def _native_georef(dataset: rasterio.DatasetReader, path: str | Path, crs: str | None) -> Georef:
    try:
        named = dataset.crs
    except CRSError as error:
        raise InputError(
            f"{path} has a CRS that cannot be understood: {error}. Repair it with gdal_edit."
        ) from error
    if dataset.gcps[0] or (dataset.rpcs is not None and dataset.transform == Affine.identity()):
        raise InputError(
            f"{path} is georeferenced by control points or a sensor model only. Warp it first: "
            "gdalwarp -t_srs EPSG:4326 -tps IN OUT (or -rpc)."
        )
    if crs is not None:
        if named is not None:
            raise UsageError(f"{path} names its CRS already ({named.to_string()[:60]}); leave --crs out.")
        named = _parse_crs(crs)
    if named is not None and not (named.is_geographic or named.is_projected):
        named = None
    if not (np.isfinite(dataset.transform[:6]).all() and abs(dataset.transform.determinant) >= 1e-30):
        raise InputError(
            f"{path} has a transform without area, {tuple(dataset.transform)[:6]}; repair its georeference."
        )
    return Georef(named, dataset.transform)


def _parse_crs(text: str) -> CRS:
    try:
        return CRS.from_user_input(text)
    except (CRSError, ValueError) as error:
        raise UsageError(f"--crs {text!r} is not a CRS; give for example EPSG:32633.") from error


def _valid(values: np.ndarray, opaque: np.ndarray | None, nodata: float | None) -> np.ndarray:
    """Join mask, no data (a pixel where every band holds it) and finiteness."""
    valid = np.ones(values.shape[1:], bool) if opaque is None else opaque
    if nodata is not None and not np.isnan(nodata):
        valid = valid & (values != nodata).any(axis=0)
    if values.dtype.kind == "f":
        valid = valid & np.isfinite(values).all(axis=0)
    return valid
