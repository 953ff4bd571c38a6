"""Every format that can hold a road map gives it back; lines and graphs of other tools become road maps."""

from __future__ import annotations

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from roadlift.errors import InputError
from roadlift.export import load, save
from roadlift.network import RoadMap

EVIDENCE = ["probability", "probability_min", "width_spread_m", "bridge_cost_m", "bridged", "border"]


def assert_same_edges(one: RoadMap, two: RoadMap, *, tolerance: float) -> None:
    first, second = (roads.edges.sort_values("id", ignore_index=True) for roads in (one, two))
    pd.testing.assert_frame_equal(first.drop(columns="geometry"), second.drop(columns="geometry"))
    assert shapely.equals_exact(first.geometry.array, second.geometry.array, tolerance=tolerance).all()


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb", ".parquet", ".graphml"])
def test_edges_and_nodes_come_back(tmp_path, roads: RoadMap, suffix: str) -> None:
    path = tmp_path / f"roads{suffix}"
    roads.save(path)
    back = RoadMap.from_file(path)
    if suffix == ".geojson":
        back = back.reproject(26986)
    assert_same_edges(back, roads, tolerance=0.02 if suffix == ".geojson" else 1e-6)
    assert back.crs == roads.crs
    for column in ("id", "degree"):
        assert back.nodes[column].tolist() == roads.nodes[column].tolist()
    assert back.nodes["kind"].tolist() == roads.nodes["kind"].tolist()


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".parquet", ".graphml"])
def test_pixel_coordinates_come_back(tmp_path, make_roads, suffix: str) -> None:
    roads = make_roads(None)
    save(roads, tmp_path / f"roads{suffix}")
    back = load(tmp_path / f"roads{suffix}")
    assert_same_edges(back, roads, tolerance=1e-6)
    assert back.crs is None


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb", ".parquet", ".graphml", ".osm"])
def test_no_roads_come_back_as_none(tmp_path, suffix: str) -> None:
    save(RoadMap.empty(crs=26986), tmp_path / f"roads{suffix}")
    back = load(tmp_path / f"roads{suffix}")
    assert (len(back.edges), len(back.nodes)) == (0, 0)
    assert back.edges.dtypes.astype(str).tolist() == RoadMap.empty().edges.dtypes.astype(str).tolist()


def test_osm_comes_back_as_a_network(tmp_path, roads: RoadMap) -> None:
    save(roads, tmp_path / "roads.osm")
    back = load(tmp_path / "roads.osm").reproject(26986)
    assert len(back.edges) == len(roads.edges)
    assert sorted(back.nodes["degree"]) == sorted(roads.nodes["degree"])
    assert back.length_km == pytest.approx(roads.length_km, rel=1e-4)
    assert sorted(back.edges["width_m"]) == pytest.approx(sorted(roads.edges["width_m"]), abs=0.051)
    assert back.edges["probability"].isna().all()
    assert set(back.edges["highway"]) == {"road"}


def test_osm_is_read_by_osmium(tmp_path, roads: RoadMap) -> None:
    osmium = pytest.importorskip("osmium")
    save(roads, tmp_path / "roads.osm")
    nodes, ways = {}, {}
    for item in osmium.FileProcessor(str(tmp_path / "roads.osm")):
        if item.is_node():
            nodes[item.id] = (item.location.lon, item.location.lat)
        elif item.is_way():
            ways[item.id] = ([node.ref for node in item.nodes], dict(item.tags))
    assert len(ways) == len(roads.edges)
    assert max(nodes) < 0
    assert max(ways) < 0
    in_degrees = roads.reproject(4326).edges.set_index("id")
    for number, (refs, tags) in ways.items():
        row = in_degrees.loc[-1 - number]
        assert shapely.equals_exact(
            shapely.LineString([nodes[ref] for ref in refs]), row.geometry, tolerance=1e-7
        )
        assert tags["highway"] == "road"
        assert ("fixme" in tags) == row["bridged"]


@pytest.fixture
def lines() -> gpd.GeoDataFrame:
    """Two streets that cross at a shared vertex, a lane in two parts, and a feature without geometry."""
    wkt = [
        "LINESTRING (300000 4700000, 300050 4700000, 300100 4700000)",
        "LINESTRING Z (300050 4699950 1, 300050 4700000 2, 300050 4700050 3)",
        "MULTILINESTRING ((300100 4700000, 300100 4700040), (300100 4700040, 300140 4700040))",
        None,
    ]
    table = {"name": ["A", "B", "C", "D"], "width": ["7", None, "4.5 m", "2"]}
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries.from_wkt(wkt), crs="EPSG:32619")


def test_lines_of_others_become_a_network(lines: gpd.GeoDataFrame) -> None:
    roads = RoadMap.from_lines(lines)
    assert len(roads.edges) == 6
    assert roads.nodes["kind"].value_counts().to_dict() == {"end": 4, "joint": 2, "junction": 1}
    by_name = roads.edges.groupby("name")
    assert by_name.size().to_dict() == {"A": 2, "B": 2, "C": 2}
    assert by_name["width_m"].first().to_dict() == pytest.approx(
        {"A": 7.0, "B": np.nan, "C": np.nan}, nan_ok=True
    )
    assert by_name["length_m"].sum().to_dict() == pytest.approx({"A": 100, "B": 100, "C": 80}, rel=1e-3)
    assert roads.edges[EVIDENCE[:4]].isna().all(axis=None)
    assert not roads.edges[["bridged", "border"]].any(axis=None)
    assert nx.is_connected(roads.to_networkx().to_undirected())


@pytest.mark.parametrize("name", ["lines.gpkg", "lines.fgb", "lines.parquet"])
def test_files_of_others_are_read(tmp_path, lines: gpd.GeoDataFrame, name: str) -> None:
    path = tmp_path / name
    whole = lines[lines.geometry.notna()].assign(geometry=lambda table: shapely.force_2d(table.geometry))
    whole.to_parquet(path) if name.endswith("parquet") else pyogrio.write_dataframe(whole, path)
    roads = load(path)
    assert len(roads.edges) == 6
    assert roads.crs.to_epsg() == 32619
    assert roads.edges["width_m"].max() == 7


def test_one_layer_of_several_is_named(tmp_path, lines: gpd.GeoDataFrame) -> None:
    path = tmp_path / "city.gpkg"
    for layer in ("streets", "paths"):
        pyogrio.write_dataframe(lines[:2], path, layer=layer, append=path.exists(), geometry_type="Unknown")
    with pytest.raises(InputError, match="streets"):
        load(path)
    assert len(load(path, layer="streets").edges) == 4


def test_edited_edges_are_refused_with_the_reason(tmp_path, roads: RoadMap) -> None:
    """Whoever moves a line in an editor has to move its neighbours: a silent gap would break every route."""
    moved = roads.edges.copy()
    moved.loc[0, "geometry"] = shapely.transform(moved.geometry[0], lambda points: points + 5)
    pyogrio.write_dataframe(moved, tmp_path / "moved.fgb")
    with pytest.raises(InputError, match="does not touch its node"):
        load(tmp_path / "moved.fgb")


def test_load_refuses_what_holds_no_roads(tmp_path, roads: RoadMap) -> None:
    with pytest.raises(InputError, match="is not there"):
        load(tmp_path / "none.gpkg")
    for name in (
        "text.gpkg",
        "text.geojson",
        "text.fgb",
        "text.parquet",
        "text.graphml",
        "text.osm",
        "text.shp",
    ):
        (tmp_path / name).write_text("not a road map")
        with pytest.raises(InputError, match=name):
            load(tmp_path / name)
    points = roads.nodes[["geometry"]]
    pyogrio.write_dataframe(points, tmp_path / "points.gpkg", layer="nodes")
    with pytest.raises(InputError, match="0 layers"):
        load(tmp_path / "points.gpkg")
    with pytest.raises(InputError, match="Point"):
        RoadMap.from_lines(points)


def test_graphs_without_places_are_refused() -> None:
    graph = nx.MultiDiGraph()
    graph.add_edge(1, 2)
    with pytest.raises(InputError, match="no x and y"):
        RoadMap.from_networkx(graph)
