"""The road graph that graph scores work on: nodes in metres and the polylines between them, from any kind of roads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely
from affine import Affine
from pyproj import CRS
from scipy import sparse
from scipy.sparse import csgraph
from shapely.ops import substring

from roadlift.errors import InputError, UsageError
from roadlift.imagery import NO_DATA, Georef
from roadlift.network import NetworkOptions, RoadMap, vectorize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    Booleans = NDArray[np.bool_]

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Lines = NDArray[np.object_]

Bounds = tuple[float, float, float, float]

TRUTH_OPTIONS = NetworkOptions(
    threshold_low=0.5, min_object_m2=0, max_gap_m=0, min_length_m=0, min_spur_m=10, spur_width_ratio=1.5
)
"""How a true mask becomes a graph: nothing small is dropped, no gap is bridged, whatever suits predictions best."""


@dataclass(frozen=True, eq=False)
class RoadGraph:
    """An undirected road graph in a plane, metres.

    Attributes:
        points: float64 (nodes, 2), x and y of the nodes, metres.
        ends: int64 (edges, 2), the nodes where each edge begins and ends.
        lines: object (edges,), shapely LineStrings from the first node to the second.
        widths: float64 (edges,), metres; NaN where the width is not known.

    Example:
        >>> graph = RoadGraph.from_lines([[(0, 0), (100, 0)], [(100, 0), (100, 40), (60, 40)]])
        >>> len(graph.points), graph.lengths.tolist()
        (3, [100.0, 80.0])
    """

    points: Floats
    ends: Integers
    lines: Lines
    widths: Floats

    @classmethod
    def from_lines(
        cls, lines: Iterable[Any], *, widths_m: ArrayLike = np.nan, split_shared: bool = False
    ) -> RoadGraph:
        """Make a graph of polylines; nodes are their ends, the same where the coordinates are equal.

        Lines without length are dropped, and of lines that are equal (in either direction) all but the first.

        Args:
            lines: Shapely LineStrings or MultiLineStrings, or sequences of (x, y), metres.
            widths_m: float (lines,), or one for all; NaN where it is not known.
            split_shared: Also make nodes of vertices that several lines share, as in OpenStreetMap.

        Raises:
            InputError: There is a geometry that is no line, or a coordinate is not finite.
        """
        parts, origin = _checked_lines(lines)
        if split_shared:
            parts, index = _split_at_shared_vertices(parts)
            origin = origin[index]
        kept = _without_copies(parts)
        parts, origin = parts[kept], origin[kept]
        widths = np.asarray(widths_m, np.float64)
        widths = widths[origin] if widths.ndim else np.full(origin.size, float(widths))
        if not parts.size:
            return cls(np.zeros((0, 2)), np.zeros((0, 2), np.int64), parts, widths)
        both = np.stack([shapely.get_coordinates(shapely.get_point(parts, at)) for at in (0, -1)], axis=1)
        points, numbers = _numbered(both.reshape(-1, 2))
        return cls(points, numbers.reshape(-1, 2), parts, widths)

    @classmethod
    def from_geodataframe(
        cls, roads: gpd.GeoDataFrame | gpd.GeoSeries, *, crs: Any = None, ground_resolution_m: float = 1.0
    ) -> RoadGraph:
        """Make a graph of a table of lines.

        Args:
            roads: Lines, with or without a CRS; ``width_m`` or ``width`` is taken as their width in metres.
            crs: CRS in metres to work in. None: the UTM zone of the roads.
            ground_resolution_m: Metres per unit of roads without a CRS (pixels, mostly).

        Raises:
            InputError: There is a geometry that is no line.
            UsageError: ``crs`` is not in metres, or the roads have no CRS and ``crs`` is given.
        """
        series = roads.geometry
        present = ~(series.is_empty | series.isna()).to_numpy()
        series, widths = series[present], _widths(roads)[present]
        if series.crs is None:
            if crs is not None:
                raise UsageError(
                    f"the roads have no CRS and cannot be brought to {crs}; set it, or leave crs out."
                )
            lines = shapely.transform(series.to_numpy(), lambda at: at * ground_resolution_m)
            return cls.from_lines(lines, widths_m=widths, split_shared=True)
        lines = series.to_crs(metric_crs(series, crs)).to_numpy()
        return cls.from_lines(lines, widths_m=widths, split_shared=True)

    @classmethod
    def from_networkx(
        cls, graph: nx.Graph, *, crs: Any = None, ground_resolution_m: float = 1.0
    ) -> RoadGraph:
        """Make a graph of a NetworkX graph as OSMnx makes them: ``x``, ``y`` on nodes, ``geometry`` on bent edges.

        Args:
            graph: Any NetworkX graph; its CRS is taken from ``graph.graph["crs"]``.
            crs: As in `from_geodataframe`.
            ground_resolution_m: As in `from_geodataframe`.

        Raises:
            InputError: A node has no x or y.
            UsageError: As in `from_geodataframe`.
        """
        edges = list(graph.edges(data=True))
        table = gpd.GeoDataFrame(
            {"width_m": [data.get("width_m", data.get("width")) for *_, data in edges]},
            geometry=[_edge_line(graph, u, v, data) for u, v, data in edges],
            crs=graph.graph.get("crs"),
        )
        return cls.from_geodataframe(table, crs=crs, ground_resolution_m=ground_resolution_m)

    @classmethod
    def from_mask(
        cls,
        mask: Booleans,
        georef: Georef | None = None,
        *,
        ground_resolution_m: float = 1.0,
        valid: Booleans | None = None,
        crs: Any = None,
    ) -> RoadGraph:
        """Make a graph of a road mask, so that graph scores have a truth where there are only masks.

        The mask is vectorised by `roadlift.network.vectorize`, with the same thinning, junctions and smoothing as a
        prediction but without its guesses: no gap is bridged, no short road and no small area is dropped. Side branches
        shorter than 10 m or 1.5 road widths are: they come from the outline of the mask. Such a graph follows the
        axis of the masks, to about a pixel; junctions of bands that touch are joined, whatever the map says,
        and a free end lies half a road width short.

        Args:
            mask: bool (rows, cols), road.
            georef: Of the mask; None: x and y are columns and rows times ``ground_resolution_m``.
            ground_resolution_m: Metres per pixel.
            valid: bool (rows, cols), False where there is no data; None: all of it is.
            crs: As in `from_geodataframe`.

        Example:
            >>> mask = np.zeros((60, 100), bool)
            >>> mask[26:33] = True
            >>> RoadGraph.from_mask(mask).lines[0].wkt
            'LINESTRING (0 29.5, 100 29.5)'
        """
        raster = np.where(mask, np.uint8(254), np.uint8(0))
        if valid is not None:
            raster[~valid] = NO_DATA
        pixels = Georef(None, Affine.identity())
        roads = vectorize(
            raster, georef or pixels, ground_resolution_m=ground_resolution_m, options=TRUTH_OPTIONS
        )
        return cls.from_roadmap(roads, crs=crs, ground_resolution_m=ground_resolution_m)

    @classmethod
    def from_roadmap(cls, roads: RoadMap, *, crs: Any = None, ground_resolution_m: float = 1.0) -> RoadGraph:
        """Make a graph of a road map; the arguments are as in `from_geodataframe`."""
        return cls.from_geodataframe(roads.edges, crs=crs, ground_resolution_m=ground_resolution_m)

    @cached_property
    def lengths(self) -> Floats:
        """float64 (edges,), metres."""
        return np.asarray(shapely.length(self.lines), np.float64)

    @property
    def length_m(self) -> float:
        """Length of all edges, metres."""
        return float(self.lengths.sum())

    @cached_property
    def degrees(self) -> Integers:
        """int64 (nodes,), edge ends at each node; a self-loop counts twice."""
        return np.bincount(self.ends.ravel(), minlength=len(self.points))

    def straight(self) -> RoadGraph:
        """Return the graph whose nodes are all vertices and whose edges are straight."""
        coordinates, index = shapely.get_coordinates(self.lines, return_index=True)
        within = index[1:] == index[:-1]
        pairs = np.stack([coordinates[:-1][within], coordinates[1:][within]], axis=1)
        return RoadGraph.from_lines(pairs)

    def simplified(self) -> RoadGraph:
        """Return the graph without nodes of degree two (but on rings): lines run from junction to junction."""
        if not self.lines.size:
            return self
        merged = shapely.line_merge(shapely.multilinestrings(self.lines))
        return RoadGraph.from_lines([merged])

    def only_where(self, inside: Callable[[Floats], Booleans], *, step_m: float) -> RoadGraph:
        """Return the parts of the roads that lie where ``inside`` says so, looked up about every ``step_m``.

        Args:
            inside: Takes points, float64 (points, 2), metres, and returns bool (points,).
            step_m: Distance of the points, metres.
        """
        lines: list[Any] = []
        widths: list[float] = []
        for line, length, width in zip(self.lines, self.lengths.tolist(), self.widths.tolist(), strict=True):
            steps = max(math.ceil(length / step_m), 1)
            middles = shapely.line_interpolate_point(line, (np.arange(steps) + 0.5) / steps, normalized=True)
            seen = inside(shapely.get_coordinates(middles))
            turns = np.flatnonzero(np.diff(np.concatenate([[0], seen, [0]])))
            for begin, end in (turns.reshape(-1, 2) / steps).tolist():
                whole = (begin, end) == (0, 1)
                lines.append(line if whole else substring(line, begin, end, normalized=True))
                widths.append(width)
        return RoadGraph.from_lines(lines, widths_m=np.array(widths))

    def moved(self, x_m: float, y_m: float) -> RoadGraph:
        """Return the graph moved by a vector, metres."""
        by = np.array([x_m, y_m])
        lines = shapely.transform(self.lines, lambda at: at + by) if self.lines.size else self.lines
        return RoadGraph(self.points + by, self.ends, lines, self.widths)

    def node_distances(self) -> Floats:
        """Return the shortest way between all nodes: float64 (nodes, nodes), metres, infinite where there is none."""
        distances: Floats = csgraph.dijkstra(
            weighted_graph(self.ends, self.lengths, len(self.points)), directed=False
        )
        return distances


def weighted_graph(ends: Integers, weights: Floats, size: int) -> sparse.csr_array:
    """Return a sparse matrix (size, size) of edge weights, of parallel edges the shortest; self-loops are left out."""
    low, high = ends.min(axis=1), ends.max(axis=1)
    order = np.lexsort((weights, high, low))
    low, high, weights = low[order], high[order], weights[order]
    first = np.ones(low.size, bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    first &= low != high
    return sparse.csr_array((weights[first], (low[first], high[first])), shape=(size, size))


def road_graph(roads: Any, *, crs: Any = None, ground_resolution_m: float = 1.0) -> RoadGraph:
    """Make a graph of roads of any kind.

    Args:
        roads: RoadMap, GeoDataFrame, GeoSeries, NetworkX graph, RoadGraph (returned as it is), or a sequence of lines.
        crs: CRS in metres to work in. None: the UTM zone of the roads, or their plain coordinates without a CRS.
        ground_resolution_m: Metres per unit of roads without a CRS.

    Raises:
        InputError: The roads are not of a kind listed above.
        UsageError: ``crs`` is not in metres, or the roads have no CRS and ``crs`` is given.

    Example:
        >>> road_graph([[(0, 0), (3, 4)]], ground_resolution_m=2.0).length_m
        10.0
    """
    if isinstance(roads, RoadGraph):
        return roads
    if isinstance(roads, nx.Graph):
        return RoadGraph.from_networkx(roads, crs=crs, ground_resolution_m=ground_resolution_m)
    if isinstance(roads, RoadMap):
        return RoadGraph.from_roadmap(roads, crs=crs, ground_resolution_m=ground_resolution_m)
    if not isinstance(roads, gpd.GeoDataFrame | gpd.GeoSeries):
        if not isinstance(roads, list | tuple | np.ndarray):
            raise InputError(
                f"{type(roads).__name__} is no kind of roads; give a RoadMap, a GeoDataFrame, a NetworkX graph or lines."
            )
        roads = gpd.GeoSeries(list(_checked_lines(roads)[0]))
    return RoadGraph.from_geodataframe(roads, crs=crs, ground_resolution_m=ground_resolution_m)


def chains(neighbours: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Give the chains of nodes between nodes that have not just two neighbours; rings of bends are no chains.

    A chain without bends between its ends comes twice, once from each end.

    Args:
        neighbours: The nodes next to each node.

    Example:
        >>> list(chains([[1], [0, 2], [1]]))
        [[0, 1, 2]]
    """
    inside: set[int] = set()
    for node, others in enumerate(neighbours):
        if len(others) == 2:
            continue
        for there in others:
            if there in inside:
                continue
            chain = [node, there]
            while len(neighbours[chain[-1]]) == 2:
                one, other = neighbours[chain[-1]]
                chain.append(other if one == chain[-2] else one)
            inside.update(chain[1:-1])
            yield chain


def joint_bounds(*graphs: RoadGraph) -> Bounds:
    """Return west, south, east, north of all graphs together, metres; zeros where none has a road."""
    lines = np.concatenate([graph.lines for graph in graphs])
    if not lines.size:
        return 0.0, 0.0, 0.0, 0.0
    west, south, east, north = shapely.total_bounds(lines).tolist()
    return west, south, east, north


def metric_crs(roads: Any, crs: Any = None) -> CRS:
    """Return ``crs`` once it is known to be in metres, or else the UTM zone of the roads (a table with a CRS).

    Raises:
        UsageError: ``crs`` is not in metres.
    """
    if crs is not None:
        chosen = CRS.from_user_input(crs)
        if any(axis.unit_name != "metre" for axis in chosen.axis_info):
            raise UsageError(
                f"{chosen.name} is not in metres; give a projected CRS in metres, such as the UTM zone."
            )
        return chosen
    if len(roads) == 0:
        return CRS.from_user_input(roads.crs)
    return CRS.from_user_input(roads.estimate_utm_crs())


def _checked_lines(lines: Iterable[Any]) -> tuple[Lines, Integers]:
    """Return the single lines, and the number of the line that each is part of."""
    made = [
        line if isinstance(line, shapely.Geometry) else shapely.LineString(_pairs(line)) for line in lines
    ]
    parts, index = shapely.get_parts(np.array(made, dtype=object), return_index=True)
    wrong = [part.geom_type for part in parts if part.geom_type not in ("LineString", "LinearRing")]
    if wrong:
        raise InputError(
            f"a {wrong[0]} lies among the roads; only LineStrings and MultiLineStrings are roads."
        )
    parts = shapely.force_2d(parts) if parts.size else parts
    if not np.isfinite(shapely.get_coordinates(parts)).all():
        raise InputError("a road has a coordinate that is not finite; repair the file.")
    return parts, np.asarray(index, np.int64)


def _widths(roads: gpd.GeoDataFrame | gpd.GeoSeries) -> Floats:
    """Return the widths that a table names, metres, NaN where it names none or something that is no number."""
    name = next((name for name in ("width_m", "width") if name in getattr(roads, "columns", ())), None)
    if name is None:
        return np.full(len(roads), np.nan)
    return np.asarray(pd.to_numeric(roads[name], errors="coerce"), np.float64)


def _pairs(line: ArrayLike) -> Floats:
    coordinates = np.asarray(line, np.float64)
    if coordinates.ndim != 2 or coordinates.shape[1] != 2 or len(coordinates) < 2:
        raise InputError(
            f"a line of shape {coordinates.shape} is given; a line is at least two pairs (x, y)."
        )
    return coordinates


def _numbered(coordinates: Floats) -> tuple[Floats, Integers]:
    """Return the different coordinates by first appearance, and which of them each is."""
    _, first, inverse = np.unique(coordinates, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    return coordinates[first[order]], rank[inverse.ravel()]


def _without_copies(lines: Lines) -> Integers:
    """Return the numbers of the lines that have a length and are not equal to an earlier one."""
    long = np.flatnonzero(shapely.length(lines) > 0) if lines.size else np.zeros(0, np.int64)
    seen: dict[bytes, int] = {}
    for index, key in zip(long.tolist(), shapely.to_wkb(shapely.normalize(lines[long])), strict=True):
        seen.setdefault(key, index)
    return np.fromiter(seen.values(), np.int64, len(seen))


def _split_at_shared_vertices(lines: Lines) -> tuple[Lines, Integers]:
    """Return the pieces of the lines, and the number of the line that each is part of."""
    if not lines.size:
        return lines, np.zeros(0, np.int64)
    coordinates, index = shapely.get_coordinates(lines, return_index=True)
    _, numbers = _numbered(coordinates)
    shared = np.bincount(numbers)[numbers] > 1
    pieces: list[Any] = []
    origin: list[int] = []
    for number, at in enumerate(np.split(np.arange(index.size), np.flatnonzero(np.diff(index)) + 1)):
        cuts = [0, *(np.flatnonzero(shared[at[1:-1]]) + 1), len(at) - 1]
        pieces += [shapely.LineString(coordinates[at[begin : end + 1]]) for begin, end in pairwise(cuts)]
        origin += [number] * (len(cuts) - 1)
    return np.array(pieces, dtype=object), np.array(origin, np.int64)


def _edge_line(graph: nx.Graph, u: Any, v: Any, data: dict[str, Any]) -> Any:
    if data.get("geometry") is not None:
        return data["geometry"]
    try:
        return shapely.LineString([(graph.nodes[node]["x"], graph.nodes[node]["y"]) for node in (u, v)])
    except KeyError as error:
        raise InputError(f"a node of the edge {u} - {v} has no {error}; nodes need x and y.") from error
