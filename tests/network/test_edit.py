"""Corrections by a person: exact answers on small networks, and what holds for any drawn line."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from roadlift.errors import UsageError
from roadlift.network import RoadMap
from roadlift.network.edit import Accept, Draw, Remove, about_edges, edit_roads

UTM = "EPSG:32619"
# A cross: four arms of 100 m around (100, 100), and a street apart.
CROSS = [
    "LINESTRING (0 100, 100 100)",
    "LINESTRING (100 100, 200 100)",
    "LINESTRING (100 0, 100 100)",
    "LINESTRING (100 100, 100 200)",
    "LINESTRING (0 300, 200 300)",
]


def network(lines=CROSS, crs=UTM, **columns):
    table = gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries.from_wkt(lines, crs=crs))
    return RoadMap.from_lines(table)


def edge_at(roads, x, y):
    """Id of the edge at a place."""
    return int(roads.edges["id"][roads.edges.distance(shapely.Point(x, y)).argmin()])


def kinds(roads):
    places = shapely.get_coordinates(roads.nodes.geometry.to_numpy()).round(3).tolist()
    return {tuple(place): kind for place, kind in zip(places, roads.nodes["kind"], strict=True)}


def test_no_edits_change_nothing():
    roads = network()
    same = edit_roads(roads, [])
    assert same.edges.geometry.equals(roads.edges.geometry)
    assert same.edges["unedited_id"].tolist() == roads.edges["id"].tolist()
    assert kinds(same) == kinds(roads)


def test_removed_road_leaves_its_neighbours():
    roads = network()
    arm = edge_at(roads, 150, 100)
    edited = edit_roads(roads, [Remove(arm)])
    assert arm not in edited.edges["unedited_id"].tolist()
    assert len(edited.edges) == 4
    assert kinds(edited)[(100, 100)] == "junction"
    assert (200, 100) not in kinds(edited)
    twice = edit_roads(roads, [Remove(arm), Remove(edge_at(roads, 50, 100))])
    assert kinds(twice)[(100, 100)] == "joint"


def test_drawn_between_two_roads_snaps_to_both():
    roads = network()
    edited = edit_roads(roads, [Draw(shapely.LineString([(50, 105), (50, 296)]))])
    drawn = edited.edges[edited.edges["edited"] == "drawn"]
    assert drawn.geometry.iloc[0].equals_exact(shapely.LineString([(50, 100), (50, 300)]), 1e-6)
    assert drawn["length_m"].iloc[0] == pytest.approx(200, rel=0.01)
    assert drawn["source"].tolist() == ["drawn"]
    assert drawn["unedited_id"].tolist() == [-1]
    assert drawn["edit"].tolist() == [0]
    assert drawn["width_m"].isna().all()
    assert kinds(edited)[(50, 100)] == kinds(edited)[(50, 300)] == "junction"
    halves = edited.edges[edited.edges["unedited_id"] == edge_at(roads, 50, 100)]
    assert sorted(halves["length_m"].round()) == [50, 50]


def test_drawn_across_a_road_makes_a_junction():
    roads = network()
    edited = edit_roads(roads, [Draw(shapely.LineString([(150, 60), (150, 140)]))])
    assert kinds(edited)[(150, 100)] == "junction"
    assert (edited.edges["edited"] == "drawn").sum() == 2
    assert len(edited.edges) == len(roads.edges) + 3


def test_drawn_through_a_junction_meets_it():
    roads = network()
    edited = edit_roads(roads, [Draw(shapely.LineString([(60, 61), (100, 101), (140, 141)]))])
    assert kinds(edited)[(100, 100)] == "junction"
    degree = edited.nodes.set_index("kind").loc["junction", "degree"]
    assert degree == 6
    assert len(edited.edges) == len(roads.edges) + 2


def test_drawn_roads_meet_each_other_and_a_drawn_one_that_was_cut_keeps_its_edit():
    edited = edit_roads(
        RoadMap.empty(crs=UTM),
        [Draw(shapely.LineString([(0, 0), (100, 0)])), Draw(shapely.LineString([(50, -40), (50, 40)]))],
    )
    assert sorted(edited.edges["edit"]) == [0, 0, 1, 1]
    assert kinds(edited)[(50, 0)] == "junction"
    assert edited.edges["length_m"].sum() == pytest.approx(180, rel=0.01)


def test_drawn_in_pixels_is_as_long_as_pixels_are():
    edited = edit_roads(RoadMap.empty(), [Draw(shapely.LineString([(0, 0), (30, 40)]))], metres_per_pixel=0.5)
    assert edited.edges["length_m"].tolist() == [25.0]


def test_drawn_in_degrees():
    roads = network(["LINESTRING (-71 42, -71 42.002)"], crs="EPSG:4326")
    edited = edit_roads(roads, [Draw(shapely.LineString([(-71.00005, 42.001), (-71.002, 42.001)]))])
    assert len(edited.edges) == 3
    assert (edited.nodes["kind"] == "junction").sum() == 1


def test_accepted_bridge_and_its_issue():
    roads = network(bridged=[True, False, False, False, False])
    bridge = edge_at(roads, 50, 100)
    lines = gpd.GeoSeries.from_wkt(["LINESTRING (40 100, 60 100)", "LINESTRING (20 300, 60 300)"], crs=UTM)
    issues = gpd.GeoDataFrame(
        {"id": [0, 1], "kind": ["bridged", "doubtful"], "reason": "x", "length_m": 20.0, "cost_m": 1.0},
        geometry=lines,
    )
    roads = RoadMap(roads.edges, roads.nodes, issues, {"roadlift": "test"})
    about = about_edges(roads.issues, roads.edges, tolerance=2.0)
    assert about.tolist() == [bridge, edge_at(roads, 100, 300)]
    edited = edit_roads(roads, [Accept(bridge)])
    assert edited.edges.set_index("unedited_id").loc[bridge, "edited"] == "accepted"
    assert edited.issues["kind"].tolist() == ["doubtful"]
    assert edit_roads(roads, [Remove(bridge)]).issues["kind"].tolist() == ["doubtful"]
    assert edited.provenance == {"roadlift": "test"}


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (Remove(99), "edit 1: there is no road 99"),
        (Accept(99), "edit 1: there is no road 99"),
        (Accept(0), "edit 1: road 0 is no bridge"),
        (
            Draw(shapely.LineString([(0, 0), (50, 50), (50, 0), (0, 50)])),
            "edit 1: the drawn road crosses itself",
        ),
        (
            Draw(shapely.LineString([(9, 9), (9, 9)])),
            "edit 1: the drawn road crosses itself or has no length",
        ),
        (
            Draw(shapely.LineString([(100, 101), (101, 100)])),
            "edit 1: the drawn road begins and ends at one place",
        ),
    ],
)
def test_edits_that_cannot_be(edit, says):
    with pytest.raises(UsageError, match=says):
        edit_roads(network(), [edit])


places = st.tuples(st.integers(-20, 220), st.integers(-20, 320)).map(
    lambda place: (float(place[0]), float(place[1]))
)


@settings(max_examples=25, phases=[Phase.explicit, Phase.generate])
@given(st.lists(st.lists(places, min_size=2, max_size=5, unique=True), min_size=1, max_size=3))
def test_any_drawn_lines_make_a_sound_network(paths):
    """The result is checked when it is made (ends on nodes); here: nothing is lost, and crossings are nodes."""
    roads = network()
    try:
        edited = edit_roads(roads, [Draw(shapely.LineString(path)) for path in paths])
    except UsageError:
        assume(False)
    kept = edited.edges[edited.edges["edited"] != "drawn"]
    assert kept["length_m"].sum() == pytest.approx(roads.edges["length_m"].sum(), rel=1e-3)
    assert set(kept["unedited_id"]) == set(roads.edges["id"])
    assert set(edited.edges["edit"]) - {-1} <= set(range(len(paths)))
    nodes = shapely.union_all(edited.nodes.geometry.to_numpy())
    lines = edited.edges.geometry.to_numpy()
    for first, second in zip(*np.triu_indices(len(lines), 1), strict=True):
        shared = shapely.intersection(lines[first], lines[second])
        assert shared.is_empty or shapely.length(shared) > 0 or nodes.distance(shared) < 1e-6
