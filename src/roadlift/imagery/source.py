"""Pixels of an image of any size, at the ground resolution that the model wants, with what is valid of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS as ProjCRS
from pyproj import Transformer
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import CRSError, RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from roadlift.errors import InputError, LimitError, UsageError
from roadlift.imagery.georef import Georef
from roadlift.imagery.grid import Window
from roadlift.imagery.opening import MAX_PIXELS, gdal_opening, gdal_settings, is_alpha, open_raster
from roadlift.imagery.scaling import Pixels

if TYPE_CHECKING:
    from types import TracebackType

TOLERANCE = 0.15
"""Share by which the ground resolution may differ from the model's before the image is warped."""
_SAME_SCALE = 0.02
_EARTH_RADIUS_M = 6_378_137.0
_OPAQUE = 255
"""Opacity that the warp writes for a pixel that is all there; int8 ends at 127."""


@dataclass(frozen=True)
class _WorkingGrid:
    """Where the pixels that are read lie: their georeference and shape, and how they come from the file."""

    georef: Georef
    shape: tuple[int, int]
    ground_resolution_m: float
    warp: dict[str, Any] | None
    notes: tuple[str, ...] = ()


class ImagerySource:
    """An image opened for reading; use it as a context manager.

    Reads may come from another thread than the one that opened it; they wait for each other.

    Attributes:
        path: As given.
        shape: (rows, cols) of the working grid.
        georef: Georeference of the working grid; without CRS it maps to the image's own pixels, y down.
        ground_resolution_m: Metres per pixel of the working grid.
        native_shape: (rows, cols) of the file.
        native_georef: Georeference of the file.
        dtype: Type of the pixels.
        bands: Bands read as red, green and blue, counted from 1.
        band_count: Bands of the file.
        colours: Colour interpretation of the bands that are read.
        warped: Whether pixels are resampled on the way.
        notes: What was assumed, in words.

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
    ) -> None:
        """Open ``path``.

        Args:
            path: Local file or http(s) URL.
            bands: Bands to use, counted from 1: three, or one for grey; None chooses by colour interpretation.
            ground_resolution: Metres per pixel to work at; None keeps the file's own grid.
            gsd: Metres per pixel of a file without CRS.
            crs: CRS of a file that does not name one.
            nodata: Pixel value that means no data; None means what the file says.
        """
        self.path = path
        self._stack = ExitStack()
        self._lock = threading.Lock()
        dataset = self._stack.enter_context(open_raster(path))
        try:
            self.bands = choose_bands(dataset, bands, path)
            self.dtype = _pixel_type(dataset, self.bands, path)
            self.band_count = dataset.count
            self.colours = tuple(dataset.colorinterp[band - 1].name for band in self.bands)
            self.native_shape = dataset.shape
            self.native_georef = _native_georef(dataset, path, crs)
            self._palette = _palette(dataset, self.bands)
            if self._palette is not None:
                self.dtype = self._palette.dtype
            self._nodata = dataset.nodata if nodata is None else _check_nodata(nodata, self.dtype)
            grid = _working_grid(self.native_georef, dataset.shape, ground_resolution, gsd)
            _check_size(grid, path)
            self.shape, self.georef, self.notes = grid.shape, grid.georef, grid.notes
            self.ground_resolution_m, self.warped = grid.ground_resolution_m, grid.warp is not None
            self._alpha = next((band for band in dataset.indexes if is_alpha(dataset, band)), None)
            self._file, self._grid = dataset, grid
            self._dataset = dataset if grid.warp is None else self._stack.enter_context(self._warp(grid.warp))
        except BaseException:
            self._stack.close()
            raise

    @property
    def bands_named(self) -> bool:
        """Whether the file itself says which bands are red, green and blue."""
        return self.colours == ("red", "green", "blue")

    @property
    def warp_options(self) -> dict[str, Any] | None:
        """How the file comes onto the working grid, in the terms of GDAL's warp; None where it lies on it."""
        return None if self._grid.warp is None else dict(self._grid.warp)

    def __enter__(self) -> ImagerySource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
        place = RasterioWindow(window.col, window.row, window.width, window.height)
        return self._read(self._dataset, place, window.shape)

    def sample(self, max_pixels: int = 2**20) -> Pixels:
        """Read the whole raster at every n-th pixel, for statistics; values are picked, not averaged.

        Args:
            max_pixels: About how many pixels to read at most.
        """
        step = max(1.0, (self.shape[0] * self.shape[1] / max_pixels) ** 0.5)
        shape = (max(1, round(self.shape[0] / step)), max(1, round(self.shape[1] / step)))
        if self._grid.warp is None or shape == self.shape:
            return self._read(self._dataset, RasterioWindow(0, 0, self.shape[1], self.shape[0]), shape)
        coarser = self._grid.warp | {"height": shape[0], "width": shape[1]}
        coarser["transform"] = _scaled(
            self.georef.transform, self.shape[0] / shape[0], self.shape[1] / shape[1]
        )
        with self._warp(coarser, Resampling.nearest) as picked:
            return self._read(picked, RasterioWindow(0, 0, shape[1], shape[0]), shape)

    def _read(
        self, dataset: rasterio.DatasetReader, window: RasterioWindow, shape: tuple[int, int]
    ) -> Pixels:
        indexes = list(dict.fromkeys(self.bands))
        try:
            with self._lock, gdal_settings():
                values = dataset.read(indexes, window=window, out_shape=(len(indexes), *shape))
                opaque = self._read_mask(dataset, window, shape)
        except (RasterioError, CPLE_BaseError) as error:
            cause = error.__cause__ or error
            raise InputError(
                f"{self.path} is damaged: rows {window.row_off}-{window.row_off + window.height - 1}, columns "
                f"{window.col_off}-{window.col_off + window.width - 1} cannot be read ({cause}). Get an intact copy."
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


def _scaled(transform: Affine, down: float, across: float) -> Affine:
    """Return the transform of pixels that are so many times larger, same origin."""
    a, b, left, d, e, top = transform[:6]
    return Affine(a * across, b * down, left, d * across, e * down, top)


def choose_bands(
    dataset: rasterio.DatasetReader, bands: Sequence[int] | None, path: str | Path
) -> tuple[int, int, int]:
    """Choose red, green and blue: as given, else by colour interpretation, else the first three, else grey thrice.

    Raises:
        UsageError: A band that was asked for does not exist, or the count is neither 1 nor 3.
    """
    if bands is not None:
        if len(bands) not in (1, 3) or not all(1 <= band <= dataset.count for band in bands):
            raise UsageError(
                f"--bands {','.join(map(str, bands))} does not fit {path}: give 3 bands, or 1 for grey, "
                f"from 1 to {dataset.count}."
            )
        first, second, third = bands if len(bands) == 3 else (*bands, *bands, *bands)
        return first, second, third
    places = {
        colour: band
        for band, colour in reversed(list(zip(dataset.indexes, dataset.colorinterp, strict=True)))
    }
    wanted = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(colour in places for colour in wanted):
        return places[wanted[0]], places[wanted[1]], places[wanted[2]]
    pictures = [band for band in dataset.indexes if not is_alpha(dataset, band)]
    if not pictures:
        raise InputError(f"{path} holds only an alpha band; there is no image in it.")
    return (pictures[0], pictures[1], pictures[2]) if len(pictures) >= 3 else (pictures[0],) * 3


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


def _pixel_type(dataset: rasterio.DatasetReader, bands: tuple[int, ...], path: str | Path) -> np.dtype[Any]:
    dtypes = sorted({dataset.dtypes[band - 1] for band in bands})
    dtype = dtypes[0]
    if len(dtypes) > 1:
        raise InputError(f"{path} mixes {' and '.join(dtypes)} bands; give three of one type with --bands.")
    if "complex" in dtype:
        raise InputError(f"{path} has {dtype} pixels; real numbers are needed. Take the amplitude first.")
    bits = dataset.tags(bands[0], ns="IMAGE_STRUCTURE").get("NBITS")
    if bits == "1":
        raise InputError(f"{path} has 1-bit pixels: that is a mask, not an image.")
    if (
        dataset.tags(ns="IMAGE_STRUCTURE").get("SOURCE_COLOR_SPACE") == "CMYK"
        or ColorInterp.cyan in dataset.colorinterp
    ):
        raise InputError(f"{path} is a CMYK image; convert it to RGB first.")
    kind: np.dtype[Any] = np.dtype(dtype)
    return kind


def _palette(dataset: rasterio.DatasetReader, bands: tuple[int, ...]) -> np.ndarray | None:
    """Return the colours (values, 4: red, green, blue, opacity) of a paletted band, or None."""
    if dataset.colorinterp[bands[0] - 1] != ColorInterp.palette:
        return None
    table = np.zeros((np.iinfo(dataset.dtypes[bands[0] - 1]).max + 1, 4), np.uint8)
    for index, colour in dataset.colormap(bands[0]).items():
        table[index] = colour
    return table


def _native_georef(dataset: rasterio.DatasetReader, path: str | Path, crs: str | None) -> Georef:
    named = dataset.crs
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
    if abs(dataset.transform.determinant) < 1e-30:
        raise InputError(
            f"{path} has a transform without area, {tuple(dataset.transform)[:6]}; repair its georeference."
        )
    return Georef(named, dataset.transform)


def _parse_crs(text: str) -> CRS:
    try:
        return CRS.from_user_input(text)
    except (CRSError, ValueError) as error:
        raise UsageError(f"--crs {text!r} is not a CRS; give for example EPSG:32633.") from error


def _working_grid(
    native: Georef, shape: tuple[int, int], wanted: float | None, gsd: float | None
) -> _WorkingGrid:
    if native.crs is None:
        return _pixel_grid(shape, wanted, gsd)
    if gsd is not None:
        raise UsageError(
            "--gsd is for images without CRS; this one has a CRS that tells its ground resolution."
        )
    down, across = native.ground_resolution(shape)
    native_resolution = (down * across) ** 0.5
    if wanted is None or _fits(native, (down, across), wanted):
        return _WorkingGrid(native, shape, native_resolution, None)
    return _map_grid(native, shape, wanted)


def _check_size(grid: _WorkingGrid, path: str | Path) -> None:
    pixels = grid.shape[0] * grid.shape[1]
    if pixels > MAX_PIXELS:
        raise LimitError(
            f"{path} becomes {grid.shape[0]:,} x {grid.shape[1]:,} pixels at {grid.ground_resolution_m:g} m; at most "
            f"{MAX_PIXELS:,} pixels are allowed. Cut it into parts, or check its georeference."
        )


def _fits(native: Georef, resolution: tuple[float, float], wanted: float) -> bool:
    """Whether the file's own grid will do: north-up, projected in metres, both steps within 15 % of the wanted one."""
    a, b, _, d, e, _ = native.transform[:6]
    north_up = a > 0 > e and abs(b) < 1e-9 * a and abs(d) < 1e-9 * a
    return (
        north_up
        and _is_metric(native.crs)
        and all(abs(step / wanted - 1) <= TOLERANCE for step in resolution)
    )


def _is_metric(crs: CRS | None) -> bool:
    return crs is not None and bool(crs.is_projected) and abs(crs.linear_units_factor[1] - 1) < 1e-6


def _pixel_grid(shape: tuple[int, int], wanted: float | None, gsd: float | None) -> _WorkingGrid:
    """Grid of an image without CRS: "map" coordinates are its own pixels, y down."""
    if gsd is not None and gsd <= 0:
        raise UsageError(f"--gsd is {gsd}; metres per pixel must be more than 0.")
    notes: tuple[str, ...] = ()
    if gsd is None:
        gsd = 1.0 if wanted is None else wanted
        notes = (
            f"no CRS: {gsd:g} m per pixel assumed (set it with --gsd); results are in pixel coordinates",
        )
    if wanted is None or abs(gsd / wanted - 1) <= TOLERANCE:
        return _WorkingGrid(Georef(None, Affine.identity()), shape, gsd, None, notes)
    step = wanted / gsd
    size = (max(1, round(shape[0] / step)), max(1, round(shape[1] / step)))
    transform = Affine.scale(step)
    pixels = CRS.from_epsg(3857)
    warp = {"src_crs": pixels, "src_transform": Affine.identity(), "crs": pixels, "transform": transform}
    return _WorkingGrid(
        Georef(None, transform), size, wanted, {**warp, "height": size[0], "width": size[1]}, notes
    )


def _map_grid(native: Georef, shape: tuple[int, int], wanted: float) -> _WorkingGrid:
    """North-up grid of ``wanted`` metres around the image, in its own CRS where that is metric and true to scale."""
    crs = native.crs if _true_to_scale(native, shape) else _utm(native, shape)
    x, y = _border(native, shape)
    if crs != native.crs:
        x, y = Transformer.from_crs(_proj(native.crs), _proj(crs), always_xy=True).transform(x, y)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("The image's border cannot be projected to metres; its transform or CRS is wrong.")
    left, top = np.floor(x.min() / wanted) * wanted, np.ceil(y.max() / wanted) * wanted
    size = (int(np.ceil((top - y.min()) / wanted)), int(np.ceil((x.max() - left) / wanted)))
    transform = Affine(wanted, 0.0, float(left), 0.0, -wanted, float(top))
    start = _without_date_line(native, shape)
    warp = {"src_crs": start.crs, "src_transform": start.transform, "crs": crs, "transform": transform}
    return _WorkingGrid(Georef(crs, transform), size, wanted, {**warp, "height": size[0], "width": size[1]})


def _without_date_line(native: Georef, shape: tuple[int, int]) -> Georef:
    """Count the longitudes of an image that crosses 180 degrees from there: the warp seeks them in -180..180 only."""
    x, _ = _border(native, shape)
    if native.crs is None or not native.crs.is_geographic or (x.min() >= -180 and x.max() <= 180):
        return native
    ellipsoid = _proj(native.crs).ellipsoid
    if ellipsoid is None or abs(ellipsoid.semi_major_metre - _EARTH_RADIUS_M) > 1:
        raise InputError(
            f"The image crosses the date line in {native.crs.to_string()[:60]}, which is not supported. Warp it to "
            "a UTM zone first: gdalwarp -t_srs EPSG:32601 IN OUT."
        )
    side = 180.0 if x.max() > 180 else -180.0
    shifted = CRS.from_user_input(f"+proj=longlat +datum=WGS84 +pm={side:g} +no_defs")
    a, b, left, d, e, top = native.transform[:6]
    return Georef(shifted, Affine(a, b, left - side, d, e, top))


def _true_to_scale(native: Georef, shape: tuple[int, int]) -> bool:
    """Whether a metre of the CRS is a metre on the ground here, within 2 %."""
    if not _is_metric(native.crs):
        return False
    a, b, _, d, e, _ = native.transform[:6]
    steps = (np.hypot(b, e), np.hypot(a, d))
    ground = native.ground_resolution(shape)
    return all(abs(metres / step - 1) <= _SAME_SCALE for metres, step in zip(ground, steps, strict=True))


def _utm(native: Georef, shape: tuple[int, int]) -> CRS:
    """Return the UTM zone of the raster's centre."""
    x, y = native.to_map((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    longitude, latitude = Transformer.from_crs(_proj(native.crs), "EPSG:4326", always_xy=True).transform(x, y)
    if not abs(latitude) <= 84:
        raise InputError(
            f"The image lies at latitude {latitude:.1f}; between -84 and 84 degrees is supported."
        )
    zone = int((longitude + 180) % 360 // 6) + 1
    return CRS.from_epsg((32600 if latitude >= 0 else 32700) + zone)


def _border(native: Georef, shape: tuple[int, int], points: int = 65) -> tuple[np.ndarray, np.ndarray]:
    """Map coordinates of points along the outer edge of the raster."""
    rows, cols = (np.linspace(-0.5, extent - 0.5, points) for extent in shape)
    first, last = np.full(points, -0.5), np.ones(points)
    edge_rows = np.concatenate([first, last * (shape[0] - 0.5), rows, rows])
    edge_cols = np.concatenate([cols, cols, first, last * (shape[1] - 0.5)])
    return native.to_map(edge_rows, edge_cols)


def _proj(crs: CRS | None) -> ProjCRS:
    return ProjCRS.from_user_input("EPSG:4326" if crs is None else crs.to_wkt())


def _valid(values: np.ndarray, opaque: np.ndarray | None, nodata: float | None) -> np.ndarray:
    """Join mask, no data (a pixel where every band holds it) and finiteness."""
    valid = np.ones(values.shape[1:], bool) if opaque is None else opaque
    if nodata is not None and not np.isnan(nodata):
        valid = valid & (values != nodata).any(axis=0)
    if values.dtype.kind == "f":
        valid = valid & np.isfinite(values).all(axis=0)
    return valid
