"""Road maps as routable graphs of networkx, with the attributes that OSMnx expects, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import networkx as nx
import shapely

if TYPE_CHECKING:
    from roadlift.network.roadmap import RoadMap

HIGHWAY = "road"
"""OpenStreetMap's word for a road of unknown class."""
_STRAIGHT = 2


def to_networkx(roadmap: RoadMap) -> nx.MultiDiGraph:
    """Make a routable graph with the attributes that OSMnx expects.

    Every road is two edges, one each way, the second with ``reversed=True`` and its geometry turned round.
    Nodes have ``x``, ``y``, ``street_count``, ``kind`` and what else the table of nodes holds; edges ``osmid``
    (negative: not OpenStreetMap's), ``length`` (metres), ``highway`` ("road": class unknown), ``oneway``,
    ``reversed``, ``geometry`` (where the road is not straight) and the evidence columns of ``edges``.

    ``osmnx.convert.validate_graph(graph, strict=True)`` accepts it where the road map has a CRS.

    Example:
        >>> from roadlift.network import RoadMap
        >>> to_networkx(RoadMap.empty(crs="EPSG:32619")).graph["crs"]
        'EPSG:32619'
    """
    crs = None if roadmap.crs is None else roadmap.crs.to_string()
    graph = nx.MultiDiGraph(crs=crs, created_with="roadlift", simplified=True)
    points = shapely.get_coordinates(roadmap.nodes.geometry.array)
    nodes = roadmap.nodes.drop(columns="geometry").to_dict("records")
    for record, (x, y) in zip(nodes, points.tolist(), strict=True):
        graph.add_node(record.pop("id"), x=x, y=y, street_count=record.pop("degree"), **record)
    for record in roadmap.edges.to_dict("records"):
        _add_two_way(graph, record)
    return graph


def _add_two_way(graph: nx.MultiDiGraph, record: dict[Any, Any]) -> None:
    line, u, v = record.pop("geometry"), record.pop("u"), record.pop("v")
    attributes = {"osmid": -1 - record.pop("id"), "length": record.pop("length_m"), "highway": HIGHWAY}
    attributes |= {"oneway": False, **record}
    straight = len(line.coords) == _STRAIGHT
    there, back = ({}, {}) if straight else ({"geometry": line}, {"geometry": line.reverse()})
    graph.add_edge(u, v, reversed=False, **attributes, **there)
    graph.add_edge(v, u, reversed=True, **attributes, **back)
