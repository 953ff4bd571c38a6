"""The road network as a value: tables of edges, nodes and issues, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely

from roadlift.errors import InputError, UsageError
from roadlift.network.polylines import Polylines
from roadlift.network.storage import registered_storage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray
    from pyproj import CRS

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

EDGE_COLUMNS: dict[str, str] = {
    "id": "int64",
    "u": "int64",
    "v": "int64",
    "length_m": "float64",
    "width_m": "float64",
    "width_spread_m": "float64",
    "probability": "float64",
    "probability_min": "float64",
    "probability_p10": "float64",
    "border": "bool",
    "bridged": "bool",
    "bridge_cost_m": "float64",
    "source": "str",
}
NODE_COLUMNS: dict[str, str] = {"id": "int64", "degree": "int64", "kind": "str"}
ISSUE_COLUMNS: dict[str, str] = {
    "id": "int64",
    "kind": "str",
    "reason": "str",
    "length_m": "float64",
    "cost_m": "float64",
}
NODE_KINDS = ("border", "bridge", "end", "junction", "ring")


def empty_table(columns: Mapping[str, str], crs: Any = None) -> gpd.GeoDataFrame:
    """Make a table without rows that has every column with its type."""
    table = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries([], crs=crs))


@dataclass(frozen=True, eq=False, repr=False)
class RoadMap:
    """A road network with its evidence.

    Attributes:
        edges: one row per road between two nodes: ``id``, ``u``, ``v`` (node ids), ``length_m`` (on the
            ground), ``width_m`` and ``width_spread_m`` (tenth to ninetieth percentile), ``probability`` (mean
            along the line, 0..1), ``probability_min``, ``probability_p10``, ``border`` (leaves the image),
            ``bridged`` (crosses a gap), ``bridge_cost_m`` (metres of road not seen there), ``source``, ``geometry``.
        nodes: one row per node: ``id``, ``degree`` (edge ends, a self-loop counts twice), ``kind`` (``end``,
            ``junction``, ``border``: the road goes on outside the image, ``ring``: a ring without junction,
            ``bridge``: a road goes on across a gap), ``geometry``.
        issues: one row per line that was ``removed``, ``bridged`` or is ``doubtful`` (its ``kind``): ``id``,
            ``reason``, ``length_m``, ``cost_m`` (of a bridge), ``geometry``.
        provenance: what made it: versions, model, options, input; plain values that fit into JSON.

    Ids count from 0 in the order of the geometry: the same network has the same ids.

    Raises:
        InputError: a column is missing, the tables differ in CRS, an edge names a node that is not there, or
            a line does not begin at its node ``u`` and end at its node ``v``.

    Example:
        >>> RoadMap.empty(crs="EPSG:26986")
        RoadMap(0 edges, 0 nodes, 0.00 km, EPSG:26986)
    """

    edges: gpd.GeoDataFrame
    nodes: gpd.GeoDataFrame
    issues: gpd.GeoDataFrame
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, columns in (("edges", EDGE_COLUMNS), ("nodes", NODE_COLUMNS), ("issues", ISSUE_COLUMNS)):
            _check_table(name, getattr(self, name), columns, self.crs)
        _check_topology(self.edges, self.nodes)

    @classmethod
    def empty(cls, *, crs: Any = None, provenance: Mapping[str, Any] | None = None) -> RoadMap:
        """Make a network without roads: valid, with every column."""
        edges, nodes, issues = (
            empty_table(columns, crs) for columns in (EDGE_COLUMNS, NODE_COLUMNS, ISSUE_COLUMNS)
        )
        return cls(edges, nodes, issues, provenance or {})

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> RoadMap:
        """Read a GeoPackage that roadlift wrote.

        Raises:
            InputError: the file is missing, or holds no road map.
        """
        return registered_storage().load(path)

    @property
    def crs(self) -> CRS | None:
        """Coordinate reference system, or None for pixel coordinates."""
        crs: CRS | None = self.edges.crs
        return crs

    @property
    def length_km(self) -> float:
        """Length of all roads on the ground, kilometres."""
        return float(self.edges["length_m"].sum()) / 1000.0

    def __repr__(self) -> str:
        crs = self.crs.to_string() if self.crs is not None else "pixel coordinates"
        return f"RoadMap({len(self.edges)} edges, {len(self.nodes)} nodes, {self.length_km:.2f} km, {crs})"

    def save(self, path: str | PathLike[str], *, overwrite: bool = False, dst_crs: str | None = None) -> None:
        """Write to a file; the suffix chooses the format (see `roadlift.export.save`).

        Args:
            path: file to write: ``.gpkg``, ``.geojson``, ``.fgb``, ``.parquet``, ``.graphml`` or ``.osm``.
            overwrite: replace an existing file.
            dst_crs: write in this CRS instead of the network's own.

        Raises:
            UsageError: the suffix is unknown, or the format needs a CRS and there is none.
            OutputError: the file exists, or cannot be written.
        """
        registered_storage().save(self, path, overwrite=overwrite, dst_crs=dst_crs)

    def reproject(self, crs: Any) -> RoadMap:
        """Return the network in another CRS; lengths and widths are on the ground and stay.

        Raises:
            UsageError: the network is in pixel coordinates.
        """
        if self.crs is None:
            message = "the network is in pixel coordinates (its image had no CRS) and cannot be reprojected"
            raise UsageError(message)
        edges, nodes, issues = (table.to_crs(crs) for table in (self.edges, self.nodes, self.issues))
        return replace(self, edges=edges, nodes=nodes, issues=issues)

    def to_networkx(self) -> nx.MultiDiGraph:
        """Make a routable graph with the attributes that OSMnx expects.

        Every road is two edges, one each way, the second with ``reversed=True`` and its geometry turned
        round. Nodes have ``x``, ``y``, ``street_count``, ``kind``; edges ``osmid`` (negative: not
        OpenStreetMap's), ``length`` (metres), ``highway`` ("road": class unknown), ``oneway``, ``reversed``,
        ``geometry`` (where the road is not straight) and the evidence columns of ``edges``.
        """
        crs = None if self.crs is None else self.crs.to_string()
        graph = nx.MultiDiGraph(crs=crs, created_with="roadlift", simplified=True)
        points = shapely.get_coordinates(self.nodes.geometry.array)
        for row, (x, y) in zip(self.nodes.itertuples(), points.tolist(), strict=True):
            graph.add_node(row.id, x=x, y=y, street_count=row.degree, kind=row.kind)
        for record in self.edges.to_dict("records"):
            _add_two_way(graph, record)
        return graph


def _add_two_way(graph: nx.MultiDiGraph, record: dict[Any, Any]) -> None:
    line, u, v = record.pop("geometry"), record.pop("u"), record.pop("v")
    attributes = {"osmid": -1 - record.pop("id"), "length": record.pop("length_m"), "highway": "road"}
    attributes |= {"oneway": False, **record}
    straight = len(line.coords) == 2
    there, back = ({}, {}) if straight else ({"geometry": line}, {"geometry": line.reverse()})
    graph.add_edge(u, v, reversed=False, **attributes, **there)
    graph.add_edge(v, u, reversed=True, **attributes, **back)


def _check_table(name: str, table: gpd.GeoDataFrame, columns: Mapping[str, str], crs: CRS | None) -> None:
    missing = [column for column in (*columns, "geometry") if column not in table]
    if missing:
        message = (
            f"the table of {name} lacks {', '.join(missing)}; it needs {', '.join(columns)} and geometry"
        )
        raise InputError(message)
    if table.crs != crs:
        message = f"the table of {name} is in {table.crs}, the edges are in {crs}; all need the same CRS"
        raise InputError(message)


def _check_topology(edges: gpd.GeoDataFrame, nodes: gpd.GeoDataFrame) -> None:
    at = pd.Series(np.arange(len(nodes)), index=nodes["id"].to_numpy())
    if not at.index.is_unique or not edges["id"].is_unique:
        message = "node ids and edge ids must be unique"
        raise InputError(message)
    lines = Polylines.from_shapely(edges.geometry.to_numpy())
    points = shapely.get_coordinates(nodes.geometry.array)
    for end, places in (("u", lines.starts), ("v", lines.ends)):
        unknown = ~edges[end].isin(at.index)
        if unknown.any():
            row = edges[unknown].iloc[0]
            message = f"edge {row['id']} names node {row[end]} as {end}, which is not in the table of nodes"
            raise InputError(message)
        apart = ~np.isclose(points[at[edges[end]].to_numpy()], places, rtol=1e-12, atol=1e-9).all(axis=1)
        if apart.any():
            row = edges[apart].iloc[0]
            message = f"edge {row['id']} does not touch its node {row[end]} ({end})"
            raise InputError(message)


@dataclass(frozen=True, eq=False)
class NetworkParts:
    """Nodes and edges with any numbering, in map coordinates (x before y); `build` makes a road map.

    Attributes:
        points: (nodes, 2) x and y.
        kinds: (nodes,) names out of ``NODE_KINDS``.
        u, v: (edges,) indices into the points.
        lines: the edges, x and y.
        measures: (edges) the columns of ``EDGE_COLUMNS`` without ``id``, ``u``, ``v``.
        issues: the columns of ``ISSUE_COLUMNS`` without ``id``, and geometry.
    """

    points: Floats
    kinds: NDArray[np.str_]
    u: Integers
    v: Integers
    lines: Polylines
    measures: pd.DataFrame
    issues: gpd.GeoDataFrame

    def build(self, *, crs: Any, provenance: Mapping[str, Any]) -> RoadMap:
        """Give ids in the order of the geometry, turn each edge to begin at its smaller node, and check."""
        by_place = np.lexsort((self.points[:, 1], self.points[:, 0]))
        number = np.empty(len(by_place), dtype=np.int64)
        number[by_place] = np.arange(len(by_place))
        u, v = number[self.u], number[self.v]
        flip = (u > v) | ((u == v) & _runs_backwards(self.lines))
        u, v = np.minimum(u, v), np.maximum(u, v)
        lines = self.lines.take(np.arange(len(u)), flip=flip)
        second = lines.coordinates[lines.first + 1]
        order = np.lexsort((lines.lengths, second[:, 1], second[:, 0], v, u))
        edges = self.measures.iloc[order].reset_index(drop=True)
        edges = edges.assign(id=np.arange(len(order)), u=u[order], v=v[order])
        degree = np.bincount(np.concatenate([u, v]), minlength=len(by_place))
        nodes = pd.DataFrame({"id": np.arange(len(by_place)), "degree": degree, "kind": self.kinds[by_place]})
        return RoadMap(
            _table(edges, EDGE_COLUMNS, lines.take(order).to_shapely(), crs),
            _table(nodes, NODE_COLUMNS, np.asarray(shapely.points(self.points[by_place]), dtype=object), crs),
            _issue_table(self.issues, crs),
            dict(provenance),
        )


def _runs_backwards(lines: Polylines) -> NDArray[np.bool_]:
    second, before_last = lines.coordinates[lines.first + 1], lines.coordinates[lines.last - 1]
    same_x = second[:, 0] == before_last[:, 0]
    backwards: NDArray[np.bool_] = np.where(
        same_x, second[:, 1] > before_last[:, 1], second[:, 0] > before_last[:, 0]
    )
    return backwards


def _table(
    values: pd.DataFrame,
    columns: Mapping[str, str],
    geometry: NDArray[np.object_],
    crs: Any,
) -> gpd.GeoDataFrame:
    table = values[list(columns)].astype(dict(columns))
    decimals = {name: 3 if name.endswith("_m") else 4 for name, kind in columns.items() if kind == "float64"}
    return gpd.GeoDataFrame(table.round(decimals), geometry=gpd.GeoSeries(geometry, crs=crs))


def _issue_table(issues: gpd.GeoDataFrame, crs: Any) -> gpd.GeoDataFrame:
    corners = shapely.bounds(issues.geometry.to_numpy()).reshape(-1, 4)
    order = np.lexsort((issues["length_m"], *corners.T[::-1], issues["reason"], issues["kind"]))
    rows = issues.iloc[order].reset_index(drop=True).assign(id=np.arange(len(order)))
    return _table(rows, ISSUE_COLUMNS, rows.geometry.to_numpy(), crs)


def merge(roadmaps: Sequence[RoadMap], *, provenance: Mapping[str, Any] | None = None) -> RoadMap:
    """Several networks in one, such as those of several images; ids are given anew.

    Args:
        roadmaps: at least one; all in the same CRS.
        provenance: of the result; by default ``{"merged": [each one's]}``.

    Raises:
        UsageError: there is none, or they differ in CRS.

    Example:
        >>> merge([RoadMap.empty(), RoadMap.empty()])
        RoadMap(0 edges, 0 nodes, 0.00 km, pixel coordinates)
    """
    if not roadmaps:
        message = "there is no road map to merge; give at least one"
        raise UsageError(message)
    crs = roadmaps[0].crs
    other = next((roadmap.crs for roadmap in roadmaps if roadmap.crs != crs), crs)
    if other != crs:
        message = f"road maps in {crs} and {other} cannot be merged; reproject() one of them first"
        raise UsageError(message)
    parts = _gather(roadmaps)
    return parts.build(
        crs=crs, provenance=provenance or {"merged": [dict(one.provenance) for one in roadmaps]}
    )


def _gather(roadmaps: Sequence[RoadMap]) -> NetworkParts:
    shift = np.cumsum([0, *(len(roadmap.nodes) for roadmap in roadmaps)])
    places = [pd.Series(np.arange(len(one.nodes)), index=one.nodes["id"].to_numpy()) for one in roadmaps]
    u, v = (
        np.concatenate(
            [at[one.edges[end]].to_numpy() + by for one, at, by in zip(roadmaps, places, shift, strict=False)]
        ).astype(np.int64)
        for end in ("u", "v")
    )
    edges = pd.concat([one.edges.drop(columns="geometry") for one in roadmaps], ignore_index=True)
    return NetworkParts(
        points=np.concatenate([shapely.get_coordinates(one.nodes.geometry.array) for one in roadmaps]),
        kinds=np.concatenate([one.nodes["kind"].to_numpy(dtype=str) for one in roadmaps]),
        u=u,
        v=v,
        lines=Polylines.from_shapely(np.concatenate([one.edges.geometry.to_numpy() for one in roadmaps])),
        measures=edges,
        issues=pd.concat([one.issues for one in roadmaps], ignore_index=True),
    )
