"""Labels on the grid of an image: from a mask of the same size, or from lines that are drawn as wide as their roads."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from roadlift.errors import InputError, UsageError
from roadlift.export.lines import is_line_file, read_lines
from roadlift.imagery import ImagerySource, MaskSource, Window
from roadlift.imagery.burn import burn, north_up
from roadlift.train.data.sample import IGNORE
from roadlift.train.data.widths import road_widths

if TYPE_CHECKING:
    import geopandas as gpd

_ROAD = 0.5
"""Share from which a pixel is road: 128 of 255, the threshold that goes with DeepGlobe's smooth masks."""

_WGS84 = "OGC:CRS84"


class LabelSource(Protocol):
    """Labels of one image."""

    def read(self, window: Window) -> np.ndarray:
        """Return uint8 (rows, cols): 0 background, 1 road, 255 unknown."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_label(path: str | Path, source: ImagerySource, *, road_width: float | None = None) -> LabelSource:
    """Open the label of an image: a mask, or a file of roads.

    Args:
        path: Mask raster of the image's size, or a file that :func:`roadlift.export.lines.read_lines` reads.
        source: The image, open.
        road_width: Width in metres that all roads are drawn with; None takes it from their tags.

    Raises:
        InputError: The file cannot be read or does not fit the image.
        UsageError: ``road_width`` is not more than 0.
    """
    if road_width is not None and not road_width > 0:
        raise UsageError(f"The road width is {road_width:g} m; it must be more than 0.")
    if is_line_file(path):
        return RoadLabels(path, source, road_width=road_width)
    return MaskLabels(path, source)


class MaskLabels:
    """Labels from a raster: road from one half on, unknown where it has no data.

    Raises:
        InputError: It cannot be read, has another size than the image, or is neither mask nor probability.
    """

    def __init__(self, path: str | Path, source: ImagerySource) -> None:
        self._mask = MaskSource(path, like=source)
        if 1 < self._mask.highest < _ROAD * self._mask.one:
            self._mask.close()
            raise InputError(
                f"{path} holds values up to {self._mask.highest:g}: that is neither a mask of 0 and 1 nor one of 0 and "
                "255. Write roads as 255."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mask.close()

    def read(self, window: Window) -> np.ndarray:
        """Return uint8 (rows, cols): 0 background, 1 road, 255 unknown."""
        share = self._mask.read_share(window)
        return np.where(np.isnan(share), IGNORE, share >= _ROAD).astype(np.uint8)


class RoadLabels:
    """Labels from lines, drawn with round ends as wide as the roads are; a pixel is road when its centre is.

    Raises:
        InputError: The file cannot be read, or its place and that of the image cannot be told or have nothing in common.
    """

    def __init__(self, path: str | Path, source: ImagerySource, *, road_width: float | None = None) -> None:
        roads = _roads_near(Path(path), source)
        self._steps = _metres_of_a_pixel(source)
        lines = _in_pixels(roads, source, Path(path))
        metres = shapely.transform(lines, lambda place: (place + 0.5) * self._steps)
        widths = roads["drawn_m"].to_numpy() if road_width is None else road_width
        self._areas = shapely.buffer(metres, np.asarray(widths, float) / 2)
        self._tree = shapely.STRtree(self._areas)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is kept open."""

    def read(self, window: Window) -> np.ndarray:
        """Return uint8 (rows, cols): 0 background, 1 road."""
        across, down = self._steps
        left, top = window.col * across, window.row * down
        box = shapely.box(left, top, left + window.width * across, top + window.height * down)
        areas = self._areas[np.sort(self._tree.query(box))]
        metres_to_pixels = shapely.transform(areas, lambda place: (place - (left, top)) / self._steps)
        return burn(metres_to_pixels, window.shape, north_up(0, 0, 1.0))


def _metres_of_a_pixel(source: ImagerySource) -> np.ndarray:
    """Return metres on the ground of one step (across, down)."""
    if source.georef.crs is None:
        return np.array([source.ground_resolution_m] * 2)
    down, across = source.georef.ground_resolution(source.shape)
    return np.array([across, down])


def _in_pixels(roads: gpd.GeoDataFrame, source: ImagerySource, path: Path) -> np.ndarray:
    """Return the lines in fractional pixels (col, row) of the working grid; (0, 0) is the centre of the first one."""
    lines = roads.geometry if source.georef.crs is None else roads.geometry.to_crs(source.georef.crs.to_wkt())

    def to_pixel(place: np.ndarray) -> np.ndarray:
        rows, cols = source.georef.to_pixel(place[:, 0], place[:, 1])
        return np.column_stack([cols, rows])

    found = shapely.transform(lines.to_numpy(), to_pixel)
    if not np.isfinite(shapely.get_coordinates(found)).all():
        raise InputError(f"{path} has a road that cannot be brought into the CRS of {source.path}.")
    return found


def _roads_near(path: Path, source: ImagerySource) -> gpd.GeoDataFrame:
    """Return the roads around the image, with the width to draw in the column ``drawn_m``."""
    bounds = _bounds(source)
    roads = _read_roads(path, bounds if path.suffix.lower() == ".gpkg" else None)
    if (roads.crs is None) != (source.georef.crs is None):
        without, of = (path, "roads") if roads.crs is None else (source.path, "image")
        raise InputError(
            f"{without} has no CRS, so that {of} and the other cannot be laid over each other; name its CRS."
        )
    if bounds is None:
        return roads
    box = _bounds_in(roads.crs, bounds, path)
    near = roads[_meeting(roads.geometry.bounds.to_numpy(), box)]
    if near.empty and _is_elsewhere(path, box):
        raise InputError(
            f"{path} has no road near {source.path}: it is of another place. Check the CRS of both, or give the roads of "
            "this place."
        )
    return near


def _is_elsewhere(path: Path, box: tuple[float, ...]) -> bool:
    """Whether the file has roads, but all of them lie to one side of the box."""
    everything = _read_roads(path, None)
    return not everything.empty and not _meeting(everything.total_bounds[None], box).any()


def _meeting(bounds: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    """Return bool (n,): which bounds (n, 4: left, bottom, right, top) meet the box."""
    left, bottom, right, top = bounds.T
    return np.asarray((left <= box[2]) & (right >= box[0]) & (bottom <= box[3]) & (top >= box[1]))


@lru_cache(maxsize=8)
def _read_roads(path: Path, bounds: tuple[float, float, float, float] | None) -> gpd.GeoDataFrame:
    lines = read_lines(path, bounds=bounds)
    lines["drawn_m"] = road_widths(lines)
    return lines[lines["drawn_m"].notna()].reset_index(drop=True)


def _bounds(source: ImagerySource, margin_m: float = 100.0) -> tuple[float, float, float, float] | None:
    """Return west, south, east and north of the image and a margin, in degrees; None without CRS."""
    crs = source.georef.crs
    if crs is None:
        return None
    rows, cols = (np.linspace(-0.5, extent - 0.5, 9) for extent in source.shape)
    grid = np.meshgrid(rows, cols)
    x, y = source.georef.to_map(grid[0].ravel(), grid[1].ravel())
    longitude, latitude = Transformer.from_crs(CRS(crs.to_wkt()), _WGS84, always_xy=True).transform(x, y)
    margin = margin_m / 111_000
    wide = margin / max(np.cos(np.radians(np.abs(latitude).max())), 0.01)
    west, east = float(longitude.min() - wide), float(longitude.max() + wide)
    return west, float(latitude.min() - margin), east, float(latitude.max() + margin)


def _bounds_in(crs: CRS, bounds: tuple[float, float, float, float], path: Path) -> tuple[float, ...]:
    try:
        box = Transformer.from_crs(_WGS84, crs, always_xy=True).transform_bounds(*bounds, densify_pts=21)
    except ProjError as error:
        raise InputError(f"{path} lies in a CRS that the place of the image is not in: {error}.") from error
    return tuple(box)
