"""Road maps as GraphML that OSMnx loads: `osmnx.load_graphml("roads.graphml")`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

import shapely
from shapely.errors import ShapelyError

from roadlift.errors import InputError
from roadlift.network.roadmap import EDGE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import networkx as nx

    from roadlift.network import RoadMap


def write_graphml(roadmap: RoadMap, path: Path) -> None:
    """Write the routable graph (`RoadMap.to_networkx`) with every value as text and geometry as WKT.

    That is how OSMnx stores graphs, and it loads no others; it turns numbers, truth values and lines that it knows
    back when it loads them. For the columns of roadlift tell it: ``edge_dtypes={"width_m": float, ...}``.
    """
    import networkx as nx

    graph = roadmap.to_networkx()
    graph.graph = {name: str(value) for name, value in graph.graph.items() if value is not None}
    for _, attributes in graph.nodes(data=True):
        attributes.update({name: str(value) for name, value in attributes.items()})
    for _, _, attributes in graph.edges(data=True):
        attributes.update({name: str(value) for name, value in attributes.items()})
    nx.write_graphml(graph, path, encoding="utf-8")


def read_graphml(path: Path) -> nx.MultiDiGraph:
    """Read a graph that roadlift or OSMnx wrote, with numbers, truth values and lines in place of their text.

    Raises:
        InputError: the file is no GraphML, or its nodes and edges are not those of a road network.
    """
    import networkx as nx

    try:
        graph = nx.MultiDiGraph(nx.read_graphml(path, force_multigraph=True))
        for _, attributes in graph.nodes(data=True):
            attributes.update({name: float(attributes[name]) for name in ("x", "y") if name in attributes})
        for _, _, attributes in graph.edges(data=True):
            attributes.pop("id", None)
            attributes.update({name: _value(name, text) for name, text in attributes.items()})
        return nx.relabel_nodes(graph, {node: int(node) for node in graph})
    except (nx.NetworkXError, ParseError, ShapelyError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is not a GraphML file of roads: {error}. Get an intact copy.") from error


def count_graphml_edges(path: Path) -> int:
    """Count the roads (pairs of directed edges) in a GraphML file."""
    import networkx as nx

    return int(nx.read_graphml(path, force_multigraph=True).number_of_edges()) // 2


def _value(name: str, text: Any) -> Any:
    """Turn the text of an edge's attribute into what it was."""
    if not isinstance(text, str):
        return text
    if name in _TYPES:
        return _TYPES[name](text)
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text


def _truth(text: str) -> bool:
    return text == "True"


_BY_NAME: dict[str, Callable[[str], Any]] = {"float64": float, "int64": int, "bool": _truth, "str": str}
_TYPES: dict[str, Callable[[str], Any]] = {
    "geometry": shapely.from_wkt,
    "length": float,
    **{name: _BY_NAME[kind] for name, kind in EDGE_COLUMNS.items()},
}
