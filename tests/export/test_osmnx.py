"""OSMnx takes the graph as its own: it validates, routes, projects, saves and loads it."""

from __future__ import annotations

import networkx as nx
import numpy as np
import osmnx as ox
import pandas as pd
import pytest
import shapely

from roadlift.network import RoadMap

EVIDENCE = {"width_m": float, "probability": float, "bridge_cost_m": float}


@pytest.fixture
def graph(roads: RoadMap) -> nx.MultiDiGraph:
    return roads.to_networkx()


def ends(graph: nx.MultiDiGraph) -> list[int]:
    return [node for node, kind in graph.nodes(data="kind") if kind in ("end", "border")]


@pytest.mark.parametrize("crs", [26986, 4326])
def test_the_graph_is_valid(roads: RoadMap, crs: int) -> None:
    ox.convert.validate_graph(roads.reproject(crs).to_networkx(), strict=True)


def test_tables_and_back(graph: nx.MultiDiGraph) -> None:
    nodes, edges = ox.graph_to_gdfs(graph)
    again = ox.graph_from_gdfs(nodes, edges, graph_attrs=graph.graph)
    ox.convert.validate_graph(again, strict=True)
    assert len(again.edges) == len(graph.edges)
    assert pd.api.types.is_float_dtype(edges["width_m"])


def test_saved_and_loaded_by_osmnx(tmp_path, graph: nx.MultiDiGraph, roads: RoadMap) -> None:
    ox.save_graphml(graph, tmp_path / "graph.graphml")
    loaded = ox.load_graphml(tmp_path / "graph.graphml", edge_dtypes=EVIDENCE)
    ox.convert.validate_graph(loaded, strict=True)
    back = RoadMap.from_file(tmp_path / "graph.graphml")
    assert back.length_km == pytest.approx(roads.length_km)
    assert np.allclose(sorted(back.edges["width_m"]), sorted(roads.edges["width_m"]))
    assert back.edges["id"].tolist() == roads.edges["id"].tolist()


def test_our_file_loads_in_osmnx(tmp_path, graph: nx.MultiDiGraph, roads: RoadMap) -> None:
    roads.save(tmp_path / "roads.graphml")
    loaded = ox.load_graphml(tmp_path / "roads.graphml", edge_dtypes=EVIDENCE)
    ox.convert.validate_graph(loaded, strict=True)
    assert loaded.graph["simplified"] is True
    for u, v, key, data in graph.edges(keys=True, data=True):
        stored = loaded.edges[u, v, key]
        for name in ("osmid", "length", "width_m", "oneway", "reversed", "highway"):
            assert stored[name] == data[name]
        assert ("geometry" in stored) == ("geometry" in data)
        if "geometry" in data:
            assert shapely.equals_exact(stored["geometry"], data["geometry"])


def test_osmnx_graphs_become_road_maps(tmp_path) -> None:
    """A graph of OpenStreetMap has its own ids, one-way streets, and tags that may be lists."""
    osm = nx.MultiDiGraph(crs="EPSG:4326", created_with="OSMnx", simplified=True)
    for node, x in ((5_000_000_001, -71.0), (5_000_000_002, -71.001), (5_000_000_003, -71.002)):
        osm.add_node(node, x=x, y=42.0, street_count=2)
    first, second, third = osm.nodes
    osm.add_edge(first, second, osmid=[7, 8], length=82.0, highway="primary", oneway=True, reversed=False)
    for u, v, back in ((second, third, False), (third, second, True)):
        osm.add_edge(u, v, osmid=9, length=82.0, highway=["service", "track"], oneway=False, reversed=back)
    ox.save_graphml(osm, tmp_path / "osm.graphml")
    for roads in (RoadMap.from_networkx(osm), RoadMap.from_file(tmp_path / "osm.graphml")):
        assert len(roads.edges) == 2
        assert roads.length_km == pytest.approx(0.1656, abs=1e-3)
        assert "primary" in roads.edges["highway"].tolist()
        assert roads.edges["probability"].isna().all()


def test_routes_are_as_long_as_the_roads(graph: nx.MultiDiGraph) -> None:
    start, end = ends(graph)[0], ends(graph)[-1]
    route = ox.routing.shortest_path(graph, start, end, weight="length")
    length = ox.routing.route_to_gdf(graph, route)["length"].sum()
    assert length == pytest.approx(nx.shortest_path_length(graph, start, end, weight="length"))
    back = ox.routing.shortest_path(graph, end, start, weight="length")
    assert ox.routing.route_to_gdf(graph, back)["length"].sum() == pytest.approx(length)


def test_speeds_projection_bearings_and_statistics(graph: nx.MultiDiGraph, roads: RoadMap) -> None:
    timed = ox.routing.add_edge_travel_times(ox.routing.add_edge_speeds(graph, hwy_speeds={"road": 36}))
    assert all(
        data["travel_time"] == pytest.approx(data["length"] / 10) for *_, data in timed.edges(data=True)
    )
    in_degrees = ox.projection.project_graph(timed, to_crs="EPSG:4326")
    ox.convert.validate_graph(ox.bearing.add_edge_bearings(in_degrees), strict=True)
    stats = ox.stats.basic_stats(ox.projection.project_graph(in_degrees))
    assert stats["street_length_total"] == pytest.approx(roads.length_km * 1000)
    assert stats["street_segment_count"] == len(roads.edges)
