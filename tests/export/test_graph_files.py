from __future__ import annotations

import sqlite3
from contextlib import closing
from xml.etree import ElementTree as ET

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
import shapely

from roadlift.errors import UsageError
from roadlift.export import save
from roadlift.network import RoadMap


def test_graphml_holds_the_routable_graph_as_text(tmp_path, roads: RoadMap) -> None:
    path = tmp_path / "roads.graphml"
    save(roads, path)
    graph = nx.read_graphml(path, node_type=int, force_multigraph=True)
    direct = roads.to_networkx()
    assert graph.number_of_edges() == direct.number_of_edges()
    assert graph.graph["crs"] == "EPSG:26986"
    for u, v, key, attributes in direct.edges(keys=True, data=True):
        stored = {name: value for name, value in graph.edges[u, v, key].items() if name != "id"}
        assert stored == {name: str(value) for name, value in attributes.items()}


def test_graphml_without_crs(tmp_path, make_roads) -> None:
    save(make_roads(None), tmp_path / "roads.graphml")
    assert "crs" not in nx.read_graphml(tmp_path / "roads.graphml").graph


def test_osm_is_new_ways_joined_at_shared_nodes(tmp_path, roads: RoadMap) -> None:
    path = tmp_path / "roads.osm"
    save(roads, path)
    root = ET.parse(path).getroot()
    assert (root.get("version"), root.get("upload"), root.get("generator")) == ("0.6", "never", "roadlift")
    nodes = {int(node.get("id")): node for node in root.iter("node")}
    ways = list(root.iter("way"))
    assert len(ways) == len(roads.edges)
    assert len(nodes) == len(list(root.iter("node")))
    assert all(number < 0 for number in nodes)
    assert all(42 < float(node.get("lat")) < 43 for node in nodes.values())
    used = [int(reference.get("ref")) for way in ways for reference in way.iter("nd")]
    assert set(used) == set(nodes)
    ends = [int(list(way.iter("nd"))[side].get("ref")) for way in ways for side in (0, -1)]
    assert sorted(np.unique(ends, return_counts=True)[1].tolist()) == sorted(roads.nodes["degree"].tolist())
    tags = [{tag.get("k"): tag.get("v") for tag in way.iter("tag")} for way in ways]
    assert all(tag["highway"] == "road" and tag["source"] == "roadlift" for tag in tags)
    assert sum("fixme" in tag for tag in tags) == roads.edges["bridged"].sum() == 1


@pytest.mark.parametrize(("vertices", "ways"), [(2000, [2000]), (2001, [2000, 2]), (4500, [2000, 2000, 502])])
def test_osm_ways_have_at_most_2000_nodes(tmp_path, vertices: int, ways: list[int]) -> None:
    x = np.linspace(0, 9000, vertices)
    long = np.stack([100_000 + x, 900_000 + 30 * np.sin(x / 90)], axis=1)
    lines = [long, [long[-1], long[-1] + 50], [long[-1], long[-1] - (0, 50)]]
    roads = RoadMap.from_lines(
        gpd.GeoDataFrame(geometry=[shapely.LineString(line) for line in lines], crs=26986)
    )
    save(roads, tmp_path / "roads.osm")
    root = ET.parse(tmp_path / "roads.osm").getroot()
    found = [[nd.get("ref") for nd in way.iter("nd")] for way in root.iter("way")]
    assert sorted(map(len, found), reverse=True) == sorted([*ways, 2, 2], reverse=True)
    assert len({way.get("id") for way in root.iter("way")}) == len(found)
    back = RoadMap.from_file(tmp_path / "roads.osm")
    assert back.length_km == pytest.approx(roads.length_km, abs=1e-4)
    assert len(np.unique([end for way in found for end in (way[0], way[-1])])) == len(found) + 1
    assert (back.nodes["degree"] == 1).sum() == 3


def test_osm_needs_a_crs(tmp_path, make_roads) -> None:
    with pytest.raises(UsageError, match=r"cannot become \.osm"):
        save(make_roads(None), tmp_path / "roads.osm")


@pytest.mark.parametrize("suffix", [".graphml", ".osm"])
def test_no_roads_and_same_bytes(tmp_path, make_roads, roads: RoadMap, suffix: str) -> None:
    save(RoadMap.empty(crs=26986), tmp_path / f"none{suffix}")
    ET.parse(tmp_path / f"none{suffix}")
    save(roads, tmp_path / f"one{suffix}")
    save(make_roads(26986), tmp_path / f"two{suffix}")
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_geopackage_brings_a_default_style_for_each_layer(tmp_path, roads: RoadMap) -> None:
    save(roads, tmp_path / "roads.gpkg")
    with closing(sqlite3.connect(tmp_path / "roads.gpkg")) as database:
        rows = database.execute(
            "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML FROM layer_styles"
        ).fetchall()
        geometry = dict(
            database.execute("SELECT table_name, column_name FROM gpkg_geometry_columns").fetchall()
        )
    assert [row[0] for row in rows] == ["edges", "nodes", "issues"]
    for name, column, default, style in rows:
        assert column == geometry[name]
        assert default == 1
        qml = ET.fromstring(style)
        assert qml.tag == "qgis"
        symbols = {symbol.get("name") for symbol in qml.iter("symbol")}
        assert {rule.get("symbol") for rule in qml.iter("rule") if rule.get("symbol")} == symbols
        assert "script" not in style
        assert "action" not in style
    assert "dash" in rows[0][3]
