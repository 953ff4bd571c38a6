"""The road network as a value: tables of edges, nodes and issues, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

from roadlift.errors import InputError, UsageError
from roadlift.network.pictures import draw
from roadlift.network.polylines import Polylines
from roadlift.network.storage import registered_storage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    import networkx as nx

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
    "class_hint": "str",
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
NODE_KINDS = ("border", "bridge", "end", "joint", "junction", "ring")


def empty_table(columns: Mapping[str, str], crs: Any = None) -> gpd.GeoDataFrame:
    """Make a table without rows that has every column with its type."""
    table = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries([], crs=crs))


@dataclass(frozen=True, eq=False, repr=False)
class RoadMap:
    """A road network with its evidence.

    Attributes:
        edges: one row per road between two nodes: ``id``, ``u``, ``v`` (node ids), ``length_m`` (on the
            ground), ``width_m`` and ``width_spread_m`` (tenth to ninetieth percentile; NaN where the edge is too short to
            show its width, which then is that of the road it continues), ``probability`` (mean
            along the line, 0..1), ``probability_min``, ``probability_p10``, ``border`` (leaves the image),
            ``bridged`` (crosses a gap), ``bridge_cost_m`` (metres of road not seen there), ``class_hint`` (``main``,
            ``through``, ``access``, ``isolated`` by width and connectivity, or ``unknown``), ``source``, ``geometry``.
        nodes: one row per node: ``id``, ``degree`` (edge ends, a self-loop counts twice), ``kind`` (``end``,
            ``junction``, ``border``: the road goes on outside the image, ``ring``: a ring without junction,
            ``bridge``: a road goes on across a gap, ``joint``: two roads of another tool's file meet), ``geometry``.
        issues: one row per line that was ``removed``, ``filled``, ``bridged`` or is ``doubtful`` (its ``kind``): ``id``,
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
    def from_file(cls, path: str | PathLike[str], *, layer: str | None = None) -> RoadMap:
        """Read a road map, or roads of another tool, from a file; the suffix tells the format.

        A GeoPackage that roadlift wrote comes back whole; see `roadlift.export.load` for the other formats.

        Args:
            path: ``.gpkg``, ``.geojson``, ``.fgb``, ``.parquet``, ``.graphml``, ``.osm`` or ``.osm.pbf``.
            layer: of a GeoPackage of another tool that has several layers of lines.

        Raises:
            InputError: the file is missing or broken, or holds no lines.
        """
        return registered_storage().load(path, layer=layer)

    @classmethod
    def from_lines(cls, lines: gpd.GeoDataFrame) -> RoadMap:
        """Make a road map of a table of lines, see `roadlift.network.lines.from_lines`."""
        from roadlift.network.lines import from_lines

        return from_lines(lines)

    @classmethod
    def from_networkx(cls, graph: nx.MultiDiGraph) -> RoadMap:
        """Make a road map of a graph such as OSMnx makes, see `roadlift.network.lines.from_networkx`."""
        from roadlift.network.lines import from_networkx

        return from_networkx(graph)

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
            UsageError: the network is in pixel coordinates, the CRS is none, or it does not reach there.
        """
        if self.crs is None:
            message = "the network is in pixel coordinates (its image had no CRS) and cannot be reprojected"
            raise UsageError(message)
        try:
            target = CRS.from_user_input(crs)
        except CRSError as error:
            message = f"{crs!r} is not a CRS; give for example EPSG:32633"
            raise UsageError(message) from error
        edges, nodes, issues = (table.to_crs(target) for table in (self.edges, self.nodes, self.issues))
        if not np.isfinite(shapely.get_coordinates(edges.geometry.array)).all():
            message = f"{target.name} does not reach where the roads are; choose a CRS for their place"
            raise UsageError(message)
        return replace(self, edges=edges, nodes=nodes, issues=issues)

    def __add__(self, other: RoadMap) -> RoadMap:
        """Join two neighbours, see `merge`; the order does not matter."""
        from roadlift.network.join import merge

        return merge([self, other]) if isinstance(other, RoadMap) else NotImplemented

    def clip(self, area: Any) -> RoadMap:
        """Return the part of the network inside an area; see `roadlift.network.clip.clip`.

        Args:
            area: west, south, east, north in the network's CRS, a polygon in it, or a GeoDataFrame of polygons in
                any CRS.

        Raises:
            UsageError: the area is none of these, or is empty.
        """
        from roadlift.network.clip import clip

        return clip(self, area)

    def simplify(self, tolerance_m: float) -> RoadMap:
        """Return the network with fewer vertices; see `roadlift.network.simplify.simplify`.

        Args:
            tolerance_m: metres between a line and its simpler form at most.

        Raises:
            UsageError: the tolerance is not positive.
        """
        from roadlift.network.simplify import simplify

        return simplify(self, tolerance_m)

    def plot(self, ax: Any = None, *, image: str | PathLike[str] | None = None, legend: bool = True) -> Any:
        """Draw the network with matplotlib, by width and probability; see `roadlift.report.plots.plot_roads`.

        Args:
            ax: axes to draw on; None: new ones.
            image: path of the image to draw beneath; the axes are then its pixels.
            legend: draw the scale of probabilities.

        Returns:
            The axes.
        """
        return draw("plot_roads", self, ax, image=image, legend=legend)

    def explore(self, *, tiles: str | None = None, **options: Any) -> Any:
        """Return an interactive map for notebooks; see `roadlift.report.plots.explore`.

        Args:
            tiles: name of a background map such as ``CartoDB positron``; None: no background.
            options: for `geopandas.GeoDataFrame.explore`.

        Raises:
            UsageError: folium (extra ``notebook``) is not installed.
        """
        return draw("explore", self, tiles=tiles, **options)

    def _repr_html_(self) -> str:
        """Return a card with figures and a small picture, which notebooks show."""
        return str(draw("card", self))

    def to_networkx(self) -> nx.MultiDiGraph:
        """Return the routable graph, with the attributes that OSMnx expects; see `roadlift.network.routing`."""
        from roadlift.network.routing import to_networkx

        return to_networkx(self)


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
