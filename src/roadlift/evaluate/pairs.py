"""A prediction and its truth, in whatever form they come, brought onto one grid and into one plane in metres."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely
from affine import Affine
from pyproj import CRS, Transformer

from roadlift.errors import InputError, LimitError, UsageError
from roadlift.evaluate.graph import TRUTH_OPTIONS, Bounds, RoadGraph, joint_bounds, metric_crs, road_graph
from roadlift.imagery import NO_DATA, Georef, ImagerySource, Window, blank_areas, read_probability
from roadlift.imagery.align import onto_grid
from roadlift.imagery.burn import burn, north_up
from roadlift.network import NetworkOptions, RoadMap, vectorize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Booleans = NDArray[np.bool_]
    Bytes = NDArray[np.uint8]
    Floats = NDArray[np.float64]

ONE = 254
RASTER_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".vrt")
VECTOR_SUFFIXES = (".gpkg", ".geojson", ".json", ".graphml", ".fgb", ".parquet", ".shp", ".osm", ".pbf")
WIDTH_M = 7.0
_PAD_M = 20.0
_MAX_PIXELS = 400_000_000


@dataclass(frozen=True, eq=False)
class Pair:
    """A prediction and its truth on the same grid.

    Attributes:
        name: What tables call it.
        probability: uint8 (rows, cols), 0..254 = p * 254, 255 = left out.
        truth: bool (rows, cols), road; False where left out.
        threshold: Probability from which a pixel is road.
        graded: Whether the prediction has probabilities, not just yes and no.
        roads: The predicted roads, in metres.
        true_roads: The true roads, in the same plane.
        bounds: West, south, east, north of the grid in that plane.
        ground_resolution_m: Metres per pixel.
        notes: What was assumed, in words.
    """

    name: str
    probability: Bytes
    truth: Booleans
    threshold: float
    graded: bool
    roads: RoadGraph
    true_roads: RoadGraph
    bounds: Bounds
    ground_resolution_m: float
    notes: tuple[str, ...] = ()

    @property
    def valid(self) -> Booleans:
        """What counts: bool (rows, cols)."""
        return np.not_equal(self.probability, NO_DATA)

    @property
    def predicted(self) -> Booleans:
        """The predicted mask: bool (rows, cols)."""
        step = max(int(np.ceil(self.threshold * ONE - 1e-9)), 1)
        return (self.probability >= step) & self.valid


@dataclass(frozen=True)
class _Plane:
    """Where lengths are metres: a CRS, or without one the map coordinates times ``scale``."""

    georef: Georef
    shape: tuple[int, int]
    crs: CRS | None
    scale: float

    @classmethod
    def of(cls, georef: Georef, shape: tuple[int, int], gsd: float | None) -> _Plane:
        if georef.crs is None:
            return cls(georef, shape, None, gsd or 1.0)
        crs = CRS.from_user_input(georef.crs.to_wkt())
        down, across = georef.ground_resolution(shape)
        step = abs(georef.transform.determinant) ** 0.5
        if crs.is_projected and abs((down * across) ** 0.5 / step - 1) < 0.01:
            return cls(georef, shape, crs, 1.0)
        x, y = georef.to_map((shape[0] - 1) / 2, (shape[1] - 1) / 2)
        centre = gpd.GeoSeries([shapely.Point(float(x), float(y))], crs=crs)
        return cls(georef, shape, metric_crs(centre), 1.0)

    @property
    def ground_resolution_m(self) -> float:
        if self.georef.crs is None:
            return float(self.scale * abs(self.georef.transform.determinant) ** 0.5)
        down, across = self.georef.ground_resolution(self.shape)
        return float((down * across) ** 0.5)

    def from_map(self, points: Floats) -> Floats:
        return self._moved(points, inverse=False)

    def to_map(self, points: Floats) -> Floats:
        return self._moved(points, inverse=True)

    def _moved(self, points: Floats, *, inverse: bool) -> Floats:
        if self.georef.crs is None or self.crs is None:
            return np.asarray(points / self.scale if inverse else points * self.scale)
        both = [CRS.from_user_input(self.georef.crs.to_wkt()), self.crs]
        first, second = reversed(both) if inverse else both
        if first == second:
            return points
        x, y = Transformer.from_crs(first, second, always_xy=True).transform(points[:, 0], points[:, 1])
        return np.stack([x, y], axis=1)

    @property
    def bounds(self) -> Bounds:
        rows, cols = self.shape
        down, across = np.linspace(-0.5, rows - 0.5, 9), np.linspace(-0.5, cols - 0.5, 9)
        row, col = (grid.ravel() for grid in np.meshgrid(down, across))
        points = self.from_map(np.stack(self.georef.to_map(row, col), axis=1))
        (west, south), (east, north) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return west, south, east, north

    def seen(self, valid: Booleans, points: Floats) -> Booleans:
        """Return which points lie on pixels that count."""
        x, y = self.to_map(points).T
        row, col = (np.rint(at).astype(np.int64) for at in self.georef.to_pixel(x, y))
        inside = (row >= 0) & (row < self.shape[0]) & (col >= 0) & (col < self.shape[1])
        inside[inside] = valid[row[inside], col[inside]]
        return np.asarray(inside)

    def traced(self, probability: Bytes, options: NetworkOptions) -> RoadGraph:
        """Vectorise a raster on this grid."""
        roads = vectorize(
            probability, self.georef, ground_resolution_m=self.ground_resolution_m, options=options
        )
        return RoadGraph.from_roadmap(roads, crs=self.crs, ground_resolution_m=self.scale)

    def burnt(self, graph: RoadGraph, width_m: float) -> Bytes:
        """Draw roads on this grid as wide as they are, or else ``width_m``: uint8, 0 and 254."""
        widths = np.where(np.isfinite(graph.widths) & (graph.widths > 0), graph.widths, width_m)
        areas = shapely.buffer(graph.lines, widths / 2, cap_style="flat")
        if areas.size:
            areas = shapely.transform(areas, self.to_map)
        return np.asarray(burn(areas, self.shape, self.georef) * np.uint8(ONE), np.uint8)


def load_pair(
    prediction: Any,
    truth: Any,
    *,
    image: str | PathLike[str] | None = None,
    name: str = "",
    threshold: float = 0.5,
    gsd: float | None = None,
    width_m: float = WIDTH_M,
) -> Pair:
    """Bring a prediction and its truth onto one grid.

    Each may be a raster or roads. Rasters are files or arrays (rows, cols): bool, 0/1, 0/255, floats 0..1, or the
    0..254 with 255 for no data that roadlift writes. Roads are files (GeoPackage, GeoJSON, GraphML and all that
    `RoadMap.from_file` reads), a RoadMap, a GeoDataFrame or a NetworkX graph. The grid is that of the truth if it is a
    raster, else that of the prediction, else that of the image, else 1 m around the roads. Rasters
    become roads by `roadlift.network.vectorize`, the truth without its guesses (see `RoadGraph.from_mask`); roads become
    bands as wide as they say, or ``width_m``.

    Args:
        prediction: Raster or roads.
        truth: Raster or roads.
        image: The image; its no-data and blank (white) areas are left out.
        name: What tables call the pair.
        threshold: Probability from which a pixel is road.
        gsd: Metres per pixel of what has no CRS; None: 1.
        width_m: Width of roads that do not say theirs.

    Raises:
        InputError: Something cannot be read, or cannot be brought onto one grid.
        LimitError: The grid around the roads is too large.
        UsageError: The threshold, ``gsd`` or the width is not within its range.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"the threshold is {threshold}; it must be above 0 and at most 1.")
    for label, value in (("gsd", gsd), ("width_m", width_m)):
        if value is not None and not value > 0:
            raise UsageError(f"{label} is {value}; it must be above 0 metres.")
    sides = [_opened(prediction, "the prediction"), _opened(truth, "the truth")]
    rasters = [side for side in sides if isinstance(side, _Raster)]
    grid = rasters[-1] if rasters else None
    plane = _plane(sides, grid, image, gsd)
    notes = [] if plane.crs or gsd else ["there is no CRS: one unit is taken as 1 m (--gsd says otherwise)"]
    if grid is None and image is None:
        notes.append(
            "roads against roads: all of both count, wherever they lie (--images says where to look)"
        )
    on_grid = [
        onto_grid(side.values, side.georef, plane.georef, plane.shape, name=label)
        if isinstance(side, _Raster)
        else None
        for side, label in zip(sides, ("the prediction", "the truth"), strict=True)
    ]
    valid = np.ones(plane.shape, bool) if image is None else _with_image(image, plane)
    for raster in on_grid:
        valid &= True if raster is None else raster != NO_DATA
    options = (NetworkOptions(threshold=threshold, threshold_low=min(0.3, threshold)), TRUTH_OPTIONS)
    graphs, masks = [], []
    for side, raster, option in zip(sides, on_grid, options, strict=True):
        if raster is not None:
            masks.append(np.where(valid, raster, np.uint8(NO_DATA)))
            graphs.append(plane.traced(masks[-1], option))
            continue
        whole = _graph(side, plane)
        masks.append(plane.burnt(whole, width_m))
        graphs.append(
            whole.only_where(lambda at: plane.seen(valid, at), step_m=plane.ground_resolution_m)
            if grid or image is not None
            else whole
        )
    probability = np.where(valid, masks[0], np.uint8(NO_DATA))
    graded = bool(((probability > 0) & (probability < ONE)).any()) and on_grid[0] is not None
    wanted = (masks[1] >= ONE / 2) & valid
    bounds, resolution = plane.bounds, plane.ground_resolution_m
    return Pair(
        name, probability, wanted, threshold, graded, graphs[0], graphs[1], bounds, resolution, tuple(notes)
    )


@dataclass(frozen=True, eq=False)
class _Raster:
    """A raster side: uint8 (rows, cols), 0..254 with 255 for no data."""

    values: Bytes
    georef: Georef


def _opened(side: Any, label: str) -> Any:
    """Return a _Raster, or roads in a form that `road_graph` takes."""
    if isinstance(side, str | PathLike):
        path = Path(side)
        if not path.exists():
            raise InputError(f"{label} {path} is not there.")
        if path.name.lower().endswith(VECTOR_SUFFIXES):
            return RoadMap.from_file(path)
        if not path.name.lower().endswith(RASTER_SUFFIXES):
            known = ", ".join((*RASTER_SUFFIXES, *VECTOR_SUFFIXES))
            raise InputError(
                f"{label} {path} is neither a raster nor roads that can be read; use one of {known}"
            )
        return _Raster(*read_probability(path))
    if isinstance(side, np.ndarray):
        return _Raster(as_probability(side, label), Georef(None, Affine.identity()))
    if isinstance(side, RoadMap | gpd.GeoDataFrame | gpd.GeoSeries | nx.Graph):
        return side
    raise InputError(
        f"{label} is {type(side).__name__}; give a file, an array, a RoadMap, a GeoDataFrame or a NetworkX graph."
    )


def as_probability(values: NDArray[Any], label: str = "the array") -> Bytes:
    """Bring an array to uint8 0..254 with 255 for no data.

    Bool, 0/1, 0/255 and floats 0..1 (NaN: no data) are recognised; other uint8 arrays are taken as 0..254 and 255.

    Example:
        >>> as_probability(np.array([[0, 255]], np.uint8)).tolist(), as_probability(np.array([[0.5, np.nan]])).tolist()
        ([[0, 254]], [[127, 255]])
    """
    if values.ndim != 2:
        raise InputError(f"{label} has shape {values.shape}; it must be (rows, cols).")
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(ONE)
    if values.dtype.kind == "f":
        known = np.isfinite(values)
        if ((values[known] < 0) | (values[known] > 1)).any():
            raise InputError(f"{label} holds floats beyond 0..1; a probability lies in 0..1.")
        return np.where(known, np.rint(np.where(known, values, 0) * ONE), NO_DATA).astype(np.uint8)
    found = np.unique(values)
    if values.dtype.kind not in "ui" or (found.size and (found[0] < 0 or found[-1] > NO_DATA)):
        raise InputError(f"{label} holds {values.dtype} beyond 0..255; give a mask or a probability.")
    if np.isin(found, (0, 1)).all():
        return values.astype(np.uint8) * np.uint8(ONE)
    if np.isin(found, (0, 255)).all():
        return np.where(values == 255, ONE, 0).astype(np.uint8)
    if np.isin(found, (0, 1, 255)).all():
        return np.where(values == 255, NO_DATA, values * ONE).astype(np.uint8)
    return values.astype(np.uint8)


def _crs(roads: Any) -> Any:
    return roads.graph.get("crs") if isinstance(roads, nx.Graph) else roads.crs


def _graph(roads: Any, plane: _Plane) -> RoadGraph:
    has_crs = _crs(roads) is not None
    if has_crs != (plane.crs is not None):
        raise InputError(
            f"the roads have {'a' if has_crs else 'no'} CRS and the other side has {'none' if has_crs else 'one'}: there is "
            "no telling how they lie. Give both with a CRS, or both in pixels."
        )
    return road_graph(roads, crs=plane.crs, ground_resolution_m=plane.scale)


def _plane(sides: list[Any], grid: _Raster | None, image: Any, gsd: float | None) -> _Plane:
    """Return the grid of the raster, else of the image, else one around the roads."""
    if grid is not None:
        return _Plane.of(grid.georef, grid.values.shape, gsd)
    if image is None:
        return _plane_around(sides[0], sides[1], gsd)
    with ImagerySource(Path(image), ground_resolution=None) as source:
        return _Plane.of(source.georef, source.shape, gsd)


def _plane_around(prediction: Any, truth: Any, gsd: float | None) -> _Plane:
    """Return a grid of 1 m around roads on both sides."""
    scale = gsd or 1.0
    crs = None
    if _crs(truth) is not None:
        guess = next((roads for roads in (truth, prediction) if _line_count(roads)), truth)
        crs = metric_crs(_series(guess))
    graphs = [road_graph(truth, crs=crs, ground_resolution_m=scale), _side_graph(prediction, crs, scale)]
    west, south, east, north = joint_bounds(*graphs)
    rows, cols = (int(np.ceil(size + 2 * _PAD_M)) for size in (north - south, east - west))
    if rows * cols > _MAX_PIXELS:
        raise LimitError(
            f"the roads spread over {rows} x {cols} m; at most {_MAX_PIXELS:,} m2 are compared at once. Clip them."
        )
    if crs is None:
        down = Affine(1 / scale, 0, (west - _PAD_M) / scale, 0, 1 / scale, (south - _PAD_M) / scale)
        return _Plane(Georef(None, down), (rows, cols), None, scale)
    georef = north_up(west - _PAD_M, north + _PAD_M, 1.0, crs=crs.to_wkt())
    return _Plane(georef, (rows, cols), crs, 1.0)


def _side_graph(roads: Any, crs: CRS | None, scale: float) -> RoadGraph:
    if (_crs(roads) is None) != (crs is None):
        raise InputError(
            "one side has a CRS and the other has none: give both with a CRS, or both in pixels."
        )
    return road_graph(roads, crs=crs, ground_resolution_m=scale)


def _series(roads: Any) -> gpd.GeoSeries:
    if isinstance(roads, nx.Graph):
        points = [shapely.Point(data["x"], data["y"]) for _, data in roads.nodes(data=True)]
        return gpd.GeoSeries(points, crs=_crs(roads))
    return (roads.edges if isinstance(roads, RoadMap) else roads).geometry


def _line_count(roads: Any) -> int:
    return len(_series(roads))


def _with_image(image: str | PathLike[str], plane: _Plane) -> Booleans:
    """Return what an image shows: neither no data nor blank."""
    with ImagerySource(Path(image), ground_resolution=None) as source:
        pixels, georef = source.read(Window(0, 0, *source.shape)), source.georef
    seen = pixels.valid & ~blank_areas(pixels.values)
    raster = np.where(seen, np.uint8(ONE), np.uint8(0))
    aligned = onto_grid(raster, georef, plane.georef, plane.shape, name=f"the image {image}")
    return np.asarray((aligned != NO_DATA) & (aligned >= ONE / 2), bool)
