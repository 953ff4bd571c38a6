"""Where the pixels that are read lie: an image's own grid, or one at the ground resolution that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from pyproj import CRS as ProjCRS
from pyproj import Transformer
from pyproj.exceptions import ProjError
from rasterio.crs import CRS

from roadlift.errors import InputError, UsageError
from roadlift.imagery.georef import Georef
from roadlift.imagery.grid import Window

TOLERANCE = 0.15
"""Share by which the ground resolution may differ from the model's before the image is warped."""
FINEST_M = 1e-3
_SAME_SCALE = 0.02
_SAME_PLACE = 1e-6
_EARTH_RADIUS_M = 6_378_137.0


@dataclass(frozen=True)
class WorkingGrid:
    """Where the pixels that are read lie.

    Attributes:
        georef: Their georeference.
        shape: (rows, cols).
        ground_resolution_m: Metres per pixel.
        warp: How they come from the file, in the terms of GDAL's warp; None where they are the file's own.
        notes: What was assumed, in words.
    """

    georef: Georef
    shape: tuple[int, int]
    ground_resolution_m: float
    warp: dict[str, Any] | None
    notes: tuple[str, ...] = ()


def place(
    native: Georef,
    shape: tuple[int, int],
    wanted: float | None,
    *,
    gsd: float | None = None,
    lattice: Georef | None = None,
    name: str | Path = "The image",
) -> WorkingGrid:
    """Choose the grid that an image is read on.

    Args:
        native: Georeference of the file.
        shape: (rows, cols) of the file.
        wanted: Metres per pixel; None keeps the file's own grid.
        gsd: Metres per pixel of a file without CRS.
        lattice: Grid to lie on whatever the resolution, see :func:`common_lattice`; None chooses one.
        name: How messages call the image.

    Raises:
        InputError: The georeference cannot be used.
        UsageError: ``gsd`` contradicts the file.

    Example:
        >>> georef = Georef(CRS.from_epsg(32619), Affine(0.5, 0, 300_000, 0, -0.5, 4_700_000))
        >>> place(georef, (400, 600), 1.0).shape
        (200, 300)
    """
    if native.crs is None:
        if lattice is not None:
            raise InputError(f"{name} has no CRS, so there is no telling where it lies among other images.")
        return _pixel_grid(shape, wanted, gsd)
    if gsd is not None:
        raise UsageError(
            "--gsd is for images without CRS; this one has a CRS that tells its ground resolution."
        )
    try:
        return _map_grid(native, shape, wanted, lattice)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except ProjError as error:
        raise InputError(
            f"{name} has a CRS that cannot be used, {native.crs.to_string()[:60]}: {error}."
        ) from error


def _map_grid(
    native: Georef, shape: tuple[int, int], wanted: float | None, lattice: Georef | None
) -> WorkingGrid:
    resolution = _ground_resolution(native, shape)
    if lattice is None and wanted is not None and not _fits(native, resolution, wanted):
        lattice = _lattice(native, shape, wanted)
    if lattice is None or _same_grid(native, lattice):
        return WorkingGrid(native, shape, (resolution[0] * resolution[1]) ** 0.5, None)
    return _on_lattice(native, shape, lattice)


def common_lattice(images: Sequence[tuple[Georef, tuple[int, int]]], wanted: float | None) -> Georef:
    """Choose one grid for several images.

    Where all share one pixel grid and it fits the resolution that is wanted, that is kept and no pixel resampled.
    Else it is a north-up grid in the first image's CRS, or in its UTM zone where the CRS is not metric and true to
    scale.

    Args:
        images: Georeference and (rows, cols) of each; all have a CRS.
        wanted: Metres per pixel; None keeps the resolution of the first image.

    Example:
        >>> first = Georef(CRS.from_epsg(32619), Affine(1, 0, 300_000, 0, -1, 4_700_000))
        >>> second = Georef(first.crs, first.transform @ Affine.translation(50, 0))
        >>> common_lattice([(first, (9, 9)), (second, (9, 9))], 1.0) == first
        True
    """
    first, shape = images[0]
    resolution = _ground_resolution(first, shape)
    shared = all(_same_grid(native, first) for native, _ in images)
    if shared and (wanted is None or _fits(first, resolution, wanted)):
        return first
    return _lattice(first, shape, wanted or (resolution[0] * resolution[1]) ** 0.5)


def window_on(lattice: Georef, georef: Georef, shape: tuple[int, int]) -> Window:
    """Return where a raster that lies on a lattice lies, in pixels from the lattice's origin."""
    row, col = lattice.to_pixel(*georef.to_map(0, 0))
    return Window(round(float(row)), round(float(col)), *shape)


def _ground_resolution(native: Georef, shape: tuple[int, int]) -> tuple[float, float]:
    resolution = native.ground_resolution(shape)
    if not min(resolution) >= FINEST_M:
        raise InputError(
            f"its pixels are {resolution[0]:.3g} x {resolution[1]:.3g} m on the ground; at least {FINEST_M:g} m is "
            "allowed. Check its georeference: degrees taken for metres?"
        )
    return resolution


def _same_grid(georef: Georef, other: Georef) -> bool:
    """Whether pixels coincide: same CRS and steps, apart by whole pixels."""
    if georef.crs != other.crs:
        return False
    a, b, _, d, e, _ = georef.transform[:6]
    p, q, _, r, t, _ = other.transform[:6]
    step = max(abs(p), abs(q), abs(r), abs(t))
    if max(abs(a - p), abs(b - q), abs(d - r), abs(e - t)) > _SAME_PLACE * step / 10:
        return False
    offset = np.array(other.to_pixel(*georef.to_map(0, 0)), np.float64)
    return bool(np.abs(offset - np.rint(offset)).max() < _SAME_PLACE * 1000)


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


def _pixel_grid(shape: tuple[int, int], wanted: float | None, gsd: float | None) -> WorkingGrid:
    """Grid of an image without CRS: "map" coordinates are its own pixels, y down."""
    if gsd is not None and not FINEST_M <= gsd < np.inf:
        raise UsageError(f"--gsd is {gsd}; metres per pixel must be more than 0, at least {FINEST_M:g}.")
    notes: tuple[str, ...] = ()
    if gsd is None:
        gsd = 1.0 if wanted is None else wanted
        notes = (
            f"no CRS: {gsd:g} m per pixel assumed (set it with --gsd); results are in pixel coordinates",
        )
    if wanted is None or abs(gsd / wanted - 1) <= TOLERANCE:
        return WorkingGrid(Georef(None, Affine.identity()), shape, gsd, None, notes)
    step = wanted / gsd
    size = (max(1, round(shape[0] / step)), max(1, round(shape[1] / step)))
    transform = Affine.scale(step)
    pixels = CRS.from_epsg(3857)
    warp = {"src_crs": pixels, "src_transform": Affine.identity(), "crs": pixels, "transform": transform}
    return WorkingGrid(
        Georef(None, transform), size, wanted, {**warp, "height": size[0], "width": size[1]}, notes
    )


def _lattice(native: Georef, shape: tuple[int, int], wanted: float) -> Georef:
    """North-up grid of ``wanted`` metres, in the image's own CRS where that is metric and true to scale."""
    crs = native.crs if _true_to_scale(native, shape) else _utm(native, shape)
    return Georef(crs, Affine(wanted, 0.0, 0.0, 0.0, -wanted, 0.0))


def _on_lattice(native: Georef, shape: tuple[int, int], lattice: Georef) -> WorkingGrid:
    """Take the pixels of a lattice in metres that cover the image."""
    x, y = _border(native, shape)
    if lattice.crs != native.crs:
        x, y = Transformer.from_crs(_proj(native.crs), _proj(lattice.crs), always_xy=True).transform(x, y)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("The image's border cannot be projected to metres; its transform or CRS is wrong.")
    rows, cols = lattice.to_pixel(x, y)
    (first_row, rows_covered), (first_col, cols_covered) = (
        _covering(places + 0.5) for places in (rows, cols)
    )
    size = (rows_covered, cols_covered)
    georef = lattice.at(Window(first_row, first_col, *size))
    start = _without_date_line(native, shape)
    warp = {
        "src_crs": start.crs,
        "src_transform": start.transform,
        "crs": lattice.crs,
        "transform": georef.transform,
        "height": size[0],
        "width": size[1],
    }
    return WorkingGrid(georef, size, abs(lattice.transform.determinant) ** 0.5, warp)


def _covering(edges: np.ndarray) -> tuple[int, int]:
    """First pixel and number of pixels that cover places between pixel edges; slivers from rounding do not count."""
    first = int(np.floor(edges.min() + _SAME_PLACE))
    return first, max(1, int(np.ceil(edges.max() - _SAME_PLACE)) - first)


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
