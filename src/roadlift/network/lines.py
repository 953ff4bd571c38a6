"""Road maps from lines and graphs of anybody: what is not known is NaN, and what else they hold is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS

from roadlift.errors import InputError
from roadlift.network.build import NetworkParts, make_table
from roadlift.network.cut import cut_at, number_places, shared_vertices
from roadlift.network.linegraph import CHAIN_EDGES
from roadlift.network.measure import geodesic_lengths
from roadlift.network.polylines import Polylines
from roadlift.network.prune import JUNCTION_EDGES
from roadlift.network.roadmap import EDGE_COLUMNS, NODE_COLUMNS, RoadMap

if TYPE_CHECKING:
    import networkx as nx
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

SOURCE = "unknown"
_ROUTING_ONLY = ("osmid", "length", "oneway", "reversed", "geometry", "from", "to", "key")


def from_lines(lines: gpd.GeoDataFrame) -> RoadMap:
    """Make a road map of a table of lines; roads meet where lines share a vertex, as in OpenStreetMap.

    Lines are cut at shared vertices. Lengths are geodesic; of the other columns of a road map those are taken
    that the table has (``width`` in metres stands in for ``width_m``), the rest is NaN or False. Further columns are
    kept.

    Args:
        lines: LineStrings and MultiLineStrings; features without geometry and lines without length are left out.

    Raises:
        InputError: there is a geometry that is no line, or a coordinate that is no number.

    Example:
        >>> table = gpd.GeoDataFrame(geometry=gpd.GeoSeries.from_wkt(
        ...     ["LINESTRING (0 0, 30 0, 60 0)", "LINESTRING (30 0, 30 40)"], crs="EPSG:32619"))
        >>> from_lines(table).nodes["kind"].tolist()
        ['end', 'junction', 'end', 'end']
    """
    table = lines[lines.geometry.notna() & ~lines.geometry.is_empty].explode(ignore_index=True)
    _check_lines(table)
    flat = shapely.force_2d(table.geometry.to_numpy())
    polylines = Polylines.from_shapely(shapely.remove_repeated_points(flat))
    polylines = polylines.take(polylines.lengths > 0)
    table = table[shapely.length(flat) > 0]
    pieces, owner = cut_at(polylines, shared_vertices(polylines))
    measures = _measures(table.drop(columns="geometry").iloc[owner], pieces, lines.crs)
    points, ends = number_places(np.concatenate([pieces.starts, pieces.ends]))
    u, v = ends[: len(pieces)], ends[len(pieces) :]
    parts = NetworkParts(
        points, node_kinds(u, v, measures), u, v, pieces, measures, RoadMap.empty(crs=lines.crs).issues
    )
    return parts.build(crs=lines.crs, provenance={})


def from_edges(edges: gpd.GeoDataFrame) -> RoadMap:
    """Make a road map of its own table of edges, as files hold it that have room for one table; ids stay.

    Nodes are the ends of the edges. Of a road with ``border`` every free end counts as one that goes on outside.

    Raises:
        InputError: a column is missing, or an end has not the place that its node has elsewhere.
    """
    lines = Polylines.from_shapely(edges.geometry.to_numpy())
    table = make_table(edges, EDGE_COLUMNS, edges.geometry.to_numpy(), edges.crs)
    ids, number = np.unique(np.concatenate([table["u"], table["v"]]), return_inverse=True)
    places = np.concatenate([lines.starts, lines.ends])
    points = np.zeros((len(ids), 2))
    points[number] = places
    u, v = number[: len(lines)], number[len(lines) :]
    nodes = pd.DataFrame(
        {"id": ids, "degree": np.bincount(number, minlength=len(ids)), "kind": node_kinds(u, v, table)}
    )
    geometry = np.asarray(shapely.points(points), dtype=object).reshape(-1)
    node_table = make_table(nodes, NODE_COLUMNS, geometry, edges.crs)
    return RoadMap(table, node_table, RoadMap.empty(crs=edges.crs).issues)


def from_networkx(graph: nx.MultiDiGraph) -> RoadMap:
    """Make a road map of a graph as OSMnx and `RoadMap.to_networkx` make it; of two-way roads one way is taken.

    Args:
        graph: nodes with ``x`` and ``y``; edges with ``geometry`` where they are not straight. Its ``crs`` is used.

    Raises:
        InputError: a node has no place.

    Example:
        >>> roads = from_lines(gpd.GeoDataFrame(geometry=gpd.GeoSeries.from_wkt(
        ...     ["LINESTRING (0 0, 30 0)"], crs="EPSG:32619")))
        >>> from_networkx(roads.to_networkx())
        RoadMap(1 edges, 2 nodes, 0.03 km, EPSG:32619)
    """
    lost = [node for node, data in graph.nodes(data=True) if not {"x", "y"} <= set(data)]
    if lost:
        raise InputError(f"node {lost[0]} of the graph has no x and y; it is not a graph of places")
    edges = [edge for edge in graph.edges(data=True) if _is_first_way(*edge)]
    lines = [data.get("geometry") or shapely.LineString(_straight(graph, u, v)) for u, v, data in edges]
    crs = graph.graph.get("crs")
    table = pd.DataFrame([_columns(u, v, data) for u, v, data in edges])
    table = gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(lines, crs=crs))
    return from_edges(table) if set(EDGE_COLUMNS) <= set(table.columns) else from_lines(table)


def _straight(graph: nx.MultiDiGraph, u: Any, v: Any) -> list[tuple[float, float]]:
    return [(graph.nodes[end]["x"], graph.nodes[end]["y"]) for end in (u, v)]


def _is_first_way(u: Any, v: Any, data: dict[str, Any]) -> bool:
    """Whether an edge stands for its road: the other way of a two-way road does not."""
    if isinstance(data.get("reversed"), bool):
        return not data["reversed"] or bool(data.get("oneway"))
    return bool(data.get("oneway")) or str(u) <= str(v)


def _columns(u: Any, v: Any, data: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of an edge; ids are ours again where they were (negative numbers)."""
    columns = {name: value for name, value in data.items() if name not in _ROUTING_ONLY}
    columns = {name: value for name, value in columns.items() if not isinstance(value, list | dict | set)}
    number = data.get("osmid")
    if isinstance(number, int) and number < 0 and "probability" in data:
        columns |= {"id": -1 - number, "u": u, "v": v, "length_m": data["length"]}
        columns.pop("highway", None)
    return columns


def _check_lines(table: gpd.GeoDataFrame) -> None:
    other = ~table.geom_type.isin(["LineString", "LinearRing"])
    if other.any():
        raise InputError(f"a {table.geom_type[other].iloc[0]} is among the lines; roads must be lines")
    if not np.isfinite(shapely.get_coordinates(table.geometry.to_numpy())).all():
        raise InputError("a line has a coordinate that is no number; repair or drop it")


def _measures(table: pd.DataFrame, pieces: Polylines, crs: CRS | None) -> pd.DataFrame:
    """Return the columns of an edges table without ids: those that are known, and the defaults."""
    found = table.reset_index(drop=True)
    if "width_m" not in found and "width" in found:
        found = found.assign(width_m=found["width"])
    length_m = pieces.lengths if crs is None else geodesic_lengths(pieces, crs)
    columns: dict[str, Any] = {}
    for name, kind in EDGE_COLUMNS.items():
        if name in ("id", "u", "v"):
            continue
        if kind == "bool":
            columns[name] = found[name].fillna(value=False).astype(bool) if name in found else False
        elif kind == "float64":
            columns[name] = pd.to_numeric(found[name], errors="coerce") if name in found else np.nan
        else:
            default = SOURCE if name == "source" else "unknown"
            columns[name] = found[name].fillna(default).astype(str) if name in found else default
    known = pd.DataFrame(columns | {"length_m": length_m}, index=found.index)
    return pd.concat([known, found.drop(columns=[*EDGE_COLUMNS, "width"], errors="ignore")], axis=1)


def node_kinds(u: Integers, v: Integers, edges: pd.DataFrame) -> NDArray[np.str_]:
    """Tell the kinds of nodes by what meets there, (nodes,)."""
    ends = np.concatenate([u, v])
    degree = np.bincount(ends)
    bridges, border = (
        np.bincount(ends, weights=np.tile(edges[name].to_numpy(dtype=float), 2), minlength=len(degree))
        for name in ("bridged", "border")
    )
    pair = np.where(bridges == 1, "bridge", "joint")
    kinds = np.where(degree >= JUNCTION_EDGES, "junction", np.where(degree == CHAIN_EDGES, pair, "end"))
    kinds = np.where((degree == 1) & (border > 0), "border", kinds).astype("U8")
    loops = u[u == v]
    kinds[loops[degree[loops] == CHAIN_EDGES]] = "ring"
    return kinds
