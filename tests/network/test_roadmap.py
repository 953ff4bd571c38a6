from __future__ import annotations

import dataclasses

import networkx as nx
import numpy as np
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS

from roadlift.errors import InputError, UsageError
from roadlift.imagery.georef import Georef
from roadlift.network import RoadMap, Storage, merge, register_storage, vectorize
from roadlift.network import storage as storage_module


def roads_at(x: float = 100_000.0, epsg: int | None = 26986) -> RoadMap:
    raster = np.zeros((80, 80), np.uint8)
    raster[37:44] = raster[:, 37:44] = 254
    raster[44:, 44:] = 0
    rows, cols = np.mgrid[:80, :80]
    raster[np.abs(np.hypot(rows - 18, cols - 18) - 10) < 2.5] = 254
    crs = CRS.from_epsg(epsg) if epsg else None
    return vectorize(
        raster, Georef(crs, Affine(1, 0, x, 0, -1, 900_000)), ground_resolution_m=1.0, provenance={"at": x}
    )


def test_ids_follow_the_geometry() -> None:
    roads = roads_at()
    assert roads.nodes["id"].tolist() == list(range(len(roads.nodes)))
    points = shapely.get_coordinates(roads.nodes.geometry.array)
    assert np.array_equal(points, points[np.lexsort((points[:, 1], points[:, 0]))])
    assert (roads.edges["u"] <= roads.edges["v"]).all()
    assert roads.edges[["u", "v"]].apply(tuple, axis=1).is_monotonic_increasing


def test_degree_counts_a_loop_twice() -> None:
    roads = roads_at()
    ring = roads.nodes[roads.nodes["kind"] == "ring"]
    assert ring["degree"].tolist() == [2]


def broken(roads: RoadMap, **columns) -> None:
    dataclasses.replace(roads, edges=roads.edges.assign(**columns))


def test_invariants_are_checked() -> None:
    roads = roads_at()
    with pytest.raises(InputError, match="names node 99"):
        broken(roads, v=99)
    with pytest.raises(InputError, match="does not touch its node"):
        broken(roads, u=roads.edges["v"])
    with pytest.raises(InputError, match="unique"):
        broken(roads, id=0)
    with pytest.raises(InputError, match="lacks width_m"):
        dataclasses.replace(roads, edges=roads.edges.drop(columns="width_m"))
    with pytest.raises(InputError, match="same CRS"):
        dataclasses.replace(roads, nodes=roads.nodes.to_crs(4326))


def test_to_networkx_has_what_osmnx_asks_for() -> None:
    roads = roads_at()
    graph = roads.to_networkx()
    assert type(graph) is nx.MultiDiGraph
    assert graph.graph["crs"] == "EPSG:26986"
    assert graph.number_of_edges() == 2 * len(roads.edges)
    for node, attributes in graph.nodes(data=True):
        assert type(node) is int
        assert type(attributes["x"]) is type(attributes["y"]) is float
        assert type(attributes["street_count"]) is int
    for u, v, attributes in graph.edges(data=True):
        assert type(attributes["osmid"]) is int
        assert attributes["osmid"] < 0
        assert type(attributes["length"]) is float
        line = attributes.get("geometry")
        if line is not None:
            assert line.coords[0] == (graph.nodes[u]["x"], graph.nodes[u]["y"])
            assert line.coords[-1] == (graph.nodes[v]["x"], graph.nodes[v]["y"])
        else:
            assert attributes["length"] == pytest.approx(
                np.hypot(
                    graph.nodes[u]["x"] - graph.nodes[v]["x"], graph.nodes[u]["y"] - graph.nodes[v]["y"]
                ),
                rel=1e-3,
            )
    assert sum(reverse for *_, reverse in graph.edges(data="reversed")) == len(roads.edges)


def test_networkx_routes_both_ways_without_crs() -> None:
    graph = roads_at(0.0, epsg=None).to_networkx()
    assert graph.graph["crs"] is None
    ends = [node for node, kind in graph.nodes(data="kind") if kind == "border"]
    there = nx.shortest_path_length(graph, ends[0], ends[-1], weight="length")
    assert there == nx.shortest_path_length(graph, ends[-1], ends[0], weight="length") > 70


def test_reproject_keeps_lengths_and_ends() -> None:
    roads = roads_at()
    turned = roads.reproject("EPSG:4326")
    assert turned.crs.to_epsg() == 4326
    assert turned.length_km == roads.length_km
    back = turned.reproject(26986)
    assert (
        shapely.hausdorff_distance(back.edges.geometry.union_all(), roads.edges.geometry.union_all()) < 1e-4
    )


def test_reproject_refuses_what_is_no_crs_or_lies_elsewhere() -> None:
    with pytest.raises(UsageError, match="not a CRS"):
        roads_at().reproject("EPSG:999999")
    with pytest.raises(UsageError, match="does not reach"):
        roads_at().reproject("+proj=gnom +lat_0=-42 +lon_0=107")  # half the globe, seen from the other side


def test_pixel_coordinates_cannot_be_reprojected() -> None:
    with pytest.raises(UsageError, match="pixel coordinates"):
        roads_at(epsg=None).reproject(4326)


def test_merge_numbers_anew_whatever_the_order() -> None:
    west, east = roads_at(100_000.0), roads_at(200_000.0)
    one, two = merge([west, east]), merge([east, west], provenance={"why": "test"})
    assert len(one.edges) == 2 * len(west.edges)
    assert one.edges.to_wkt().equals(two.edges.to_wkt())
    assert one.nodes.to_wkt().equals(two.nodes.to_wkt())
    assert one.provenance == {"merged": [{"at": 100_000.0}, {"at": 200_000.0}]}
    assert two.provenance == {"why": "test"}
    assert one.length_km == pytest.approx(west.length_km + east.length_km)


def test_merge_with_nothing_changes_nothing() -> None:
    roads = roads_at()
    assert merge([roads, RoadMap.empty(crs=26986)]).edges.to_wkt().equals(roads.edges.to_wkt())
    assert merge([RoadMap.empty()]).crs is None


def test_merge_refuses_different_crs_and_nothing() -> None:
    with pytest.raises(UsageError, match="cannot be merged"):
        merge([roads_at(), roads_at(epsg=None)])
    with pytest.raises(UsageError, match="at least one"):
        merge([])


def test_saving_needs_the_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module, "_registered", [])
    with pytest.raises(UsageError, match=r"import roadlift\.export"):
        roads_at().save("roads.gpkg")
    calls = []
    storage = Storage(
        save=lambda *args, **options: calls.append((args[1], options)), load=lambda path, layer: path
    )
    register_storage(lambda: storage)
    roads_at().save("roads.gpkg", overwrite=True)
    assert calls == [("roads.gpkg", {"overwrite": True, "dst_crs": None})]
    assert RoadMap.from_file("x.gpkg") == "x.gpkg"


def test_repr_says_how_much() -> None:
    assert repr(roads_at()).endswith("km, EPSG:26986)")
