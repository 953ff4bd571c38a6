"""Road maps as GraphML that OSMnx loads: `osmnx.load_graphml("roads.graphml")`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx

if TYPE_CHECKING:
    from pathlib import Path

    from roadlift.network import RoadMap


def write_graphml(roadmap: RoadMap, path: Path) -> None:
    """Write the routable graph (`RoadMap.to_networkx`) with every value as text and geometry as WKT.

    That is how OSMnx stores graphs; it turns them back into numbers, booleans and lines when it loads them.
    """
    graph = roadmap.to_networkx()
    graph.graph = {name: str(value) for name, value in graph.graph.items() if value is not None}
    for _, attributes in graph.nodes(data=True):
        attributes.update({name: str(value) for name, value in attributes.items()})
    for _, _, attributes in graph.edges(data=True):
        attributes.update({name: str(value) for name, value in attributes.items()})
    nx.write_graphml(graph, path, encoding="utf-8")


def count_graphml_edges(path: Path) -> int:
    """Count the roads (pairs of directed edges) in a GraphML file."""
    return int(nx.read_graphml(path, force_multigraph=True).number_of_edges()) // 2
