"""Clip, join, simplify: exact on small hand-made maps."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import CRS

from roadlift.errors import UsageError
from roadlift.network import RoadMap, merge
from roadlift.network.build import NetworkParts
from roadlift.network.evidence import join_measures
from roadlift.network.measure import geodesic_lengths
from roadlift.network.polylines import Polylines

UTM = "EPSG:32619"
ORIGIN = np.array([300_000.0, 4_700_000.0])


def make_map(nodes, edges, *, crs=UTM, origin=ORIGIN, **columns) -> RoadMap:
    """Nodes (x, y, kind); edges (u, v, inner points...); metres from the origin."""
    points = np.array([(x, y) for x, y, _ in nodes], float).reshape(-1, 2) + origin
    lines = Polylines.of(
        [[points[u], *(np.array(inner).reshape(-1, 2) + origin), points[v]] for u, v, *inner in edges]
    )
    count = len(edges)
    measures = pd.DataFrame(
        {
            "length_m": geodesic_lengths(lines, CRS(crs)) if crs else lines.lengths,
            "width_m": np.linspace(5, 9, count),
            "width_spread_m": 1.0,
            "probability": np.linspace(0.5, 1, count),
            "probability_min": 0.25,
            "probability_p10": 0.4,
            "border": False,
            "bridged": False,
            "bridge_cost_m": np.nan,
            "class_hint": "unknown",
            "source": "test",
        }
    ).assign(**columns)
    kinds = np.array([kind for *_, kind in nodes], dtype="U8")
    u, v = (np.array([edge[end] for edge in edges], dtype=np.int64) for end in (0, 1))
    issues = RoadMap.empty(crs=crs).issues
    return NetworkParts(points, kinds, u, v, lines, measures, issues).build(crs=crs, provenance={})


@pytest.fixture
def cross() -> RoadMap:
    """A street of 100 m with a junction at 40 m, and a lane of 30 m to the north with a bend."""
    nodes = [(0, 0, "end"), (40, 0, "junction"), (100, 0, "end"), (60, 30, "end")]
    return make_map(nodes, [(0, 1), (1, 2), (1, 3, (35, 20))])


def same(one: RoadMap, two: RoadMap, *, tolerance: float = 1e-6) -> None:
    pd.testing.assert_frame_equal(one.nodes.drop(columns="geometry"), two.nodes.drop(columns="geometry"))
    pd.testing.assert_frame_equal(
        one.edges.drop(columns="geometry"), two.edges.drop(columns="geometry"), atol=2.1e-3, rtol=0
    )
    assert shapely.equals_exact(one.edges.geometry.array, two.edges.geometry.array, tolerance=tolerance).all()
    pd.testing.assert_frame_equal(one.issues.to_wkt(), two.issues.to_wkt())


def box(west, south, east, north):
    return (ORIGIN[0] + west, ORIGIN[1] + south, ORIGIN[0] + east, ORIGIN[1] + north)


def test_clip_cuts_roads_at_the_edge(cross: RoadMap) -> None:
    east = cross.clip(box(70, -10, 200, 50))
    assert east.nodes["kind"].tolist() == ["border", "end"]
    assert east.edges["length_m"].tolist() == pytest.approx([30.0], rel=1e-3)
    assert east.edges["border"].tolist() == [True]
    assert east.edges["width_m"].tolist() == cross.edges["width_m"].iloc[[2]].tolist()
    assert east.edges.geometry[0].coords[0] == (ORIGIN[0] + 70, ORIGIN[1])


def test_clip_through_a_junction_says_that_roads_go_on(cross: RoadMap) -> None:
    west, east = cross.clip(box(-10, -10, 40, 50)), cross.clip(box(40, -10, 200, 50))
    assert west.nodes["kind"].tolist() == ["end", "border", "border"]
    assert len(east.edges) == 2
    same(west + east, cross)


def test_clip_away_everything_and_nothing(cross: RoadMap) -> None:
    same(cross.clip(box(-10, -10, 200, 50)), cross)
    nothing = cross.clip(box(500, 500, 600, 600))
    assert len(nothing.edges) == len(nothing.nodes) == 0
    assert nothing.edges.dtypes.equals(cross.edges.dtypes)


def test_clip_takes_tables_in_any_crs(cross: RoadMap) -> None:
    area = gpd.GeoSeries([shapely.box(*box(70, -10, 200, 50))], crs=UTM)
    assert len(cross.clip(area.to_frame("geometry").to_crs(4326)).edges) == 1
    with pytest.raises(UsageError, match="need a CRS"):
        cross.clip(area.set_crs(None, allow_override=True))


@pytest.mark.parametrize("area", [(1, 2, 3), (5, 0, 1, 1), "west", (0, 0, np.nan, 1), shapely.Point(0, 0)])
def test_clip_refuses_what_is_no_area(cross: RoadMap, area) -> None:
    with pytest.raises(UsageError, match="area"):
        cross.clip(area)


def test_a_bridge_is_shared_out_and_added_up() -> None:
    nodes = [(0, 0, "end"), (20, 0, "bridge"), (40, 0, "bridge"), (100, 0, "end")]
    bridged = [False, True, False]
    whole = make_map(nodes, [(0, 1), (1, 2), (2, 3)], bridged=bridged, bridge_cost_m=[np.nan, 12.0, np.nan])
    west, east = whole.clip(box(-10, -10, 25, 10)), whole.clip(box(25, -10, 200, 10))
    assert west.edges["bridge_cost_m"].tolist() == pytest.approx([np.nan, 3.0], nan_ok=True)
    same(west + east, whole)
    at_bridge = whole.clip(box(-10, -10, 20, 10)) + whole.clip(box(20, -10, 200, 10))
    same(at_bridge, whole)


def test_neighbours_grow_together_across_a_seam() -> None:
    west = make_map([(0, 0, "end"), (50, 1, "border")], [(0, 1)], width_m=6.0, border=True)
    east = make_map(
        [(50, -1, "border"), (80, 0, "end")], [(0, 1)], width_m=10.0, probability_min=0.1, border=True
    )
    one, other = west + east, east + west
    same(one, other, tolerance=0)
    edge = one.edges.iloc[0]
    assert len(one.edges) == 1
    assert one.nodes["kind"].tolist() == ["end", "end"]
    assert edge["length_m"] == pytest.approx(80, rel=1e-3)
    assert edge["width_m"] == pytest.approx((6 * 50 + 10 * 30) / 80, abs=0.01)
    assert edge["probability_min"] == 0.1
    assert not edge["border"]
    assert shapely.get_coordinates(edge.geometry).tolist() == [[300_000, 4_700_000], [300_080, 4_700_000]]


def test_what_a_road_is_for_is_told_by_the_whole() -> None:
    west = make_map([(0, 0, "border"), (50, 0, "border")], [(0, 1)], class_hint="through")
    east = make_map([(50, 0, "border"), (80, 0, "end")], [(0, 1)], class_hint="through")
    assert (west + east).edges["class_hint"].tolist() == ["isolated"]
    beyond = make_map([(50, 0, "border"), (80, 0, "border")], [(0, 1)], class_hint="through")
    assert (west + beyond).edges["class_hint"].tolist() == ["through"]


def test_a_bend_at_the_seam_stays_a_vertex() -> None:
    west = make_map([(0, 0, "end"), (50, 10, "border")], [(0, 1)])
    east = make_map([(50, 10, "border"), (80, 0, "end")], [(0, 1)])
    assert len((west + east).edges.geometry[0].coords) == 3


def test_ends_that_are_far_apart_or_no_border_stay_alone() -> None:
    west = make_map([(0, 0, "end"), (50, 4, "border")], [(0, 1)])
    east = make_map([(50, -4, "border"), (80, 0, "end")], [(0, 1)])
    assert len((west + east).edges) == 2
    assert len(merge([west, east], seam_m=9).edges) == 1
    dead = make_map([(0, 0, "end"), (50, 0, "end")], [(0, 1)])
    assert len((dead + east).edges) == 2


def test_the_nearer_of_two_lanes_is_joined() -> None:
    west = make_map([(0, 0, "end"), (50, 0, "border"), (0, 3, "end"), (50, 3, "border")], [(0, 1), (2, 3)])
    east = make_map([(50, 2.5, "border"), (80, 0, "end")], [(0, 1)])
    joined = west + east
    assert joined.edges["length_m"].round().tolist() == [50, 80]
    assert joined.nodes["kind"].tolist() == ["end", "end", "border", "end"]


def test_a_ring_cut_in_two_is_a_ring_again() -> None:
    corners = [(30, 0), (30, 30), (0, 30), (0, 0)]
    ring = make_map([(0, 0, "ring")], [(0, 0, *corners[:-1])])
    west, east = ring.clip(box(-5, -5, 15, 50)), ring.clip(box(15, -5, 50, 50))
    same(west + east, ring)
    north, south = east.clip(box(0, 7, 50, 50)), east.clip(box(0, -5, 50, 7))
    whole = merge([south, west, north])
    assert whole.nodes["kind"].tolist() == ["ring"]
    assert whole.length_km == pytest.approx(0.12, rel=1e-3)


def overlapping() -> tuple[RoadMap, RoadMap]:
    """One street seen by two images that overlap from 60 to 100 m, the second time 1.5 m further north."""
    west = make_map(
        [(0, 0, "border"), (80, 0, "junction"), (100, 0, "border"), (80, 40, "end")], [(0, 1), (1, 2), (1, 3)]
    )
    east = make_map(
        [(60, 1.5, "border"), (80, 1.5, "junction"), (200, 1.5, "border"), (80, 39, "end"), (150, 30, "end")],
        [(0, 1), (1, 2), (1, 3), (2, 4)],
    )
    return west, east


AREAS = (box(0, -50, 100, 50), box(60, -50, 200, 50))


def test_where_areas_overlap_the_first_map_wins_and_seams_are_joined() -> None:
    west, east = overlapping()
    twice, once = merge([west, east]), merge([west, east], areas=AREAS)
    assert twice.length_km > once.length_km + 0.07
    assert once.length_km == pytest.approx(
        0.24 + shapely.distance(shapely.Point(200, 1.5), shapely.Point(150, 30)) / 1e3, abs=2e-3
    )
    assert sorted(once.nodes["kind"]) == ["border", "border", "end", "end", "junction"]
    inside = shapely.box(*box(0, -50, 98, 50))
    kept, first = (one.edges.geometry.union_all().intersection(inside) for one in (once, west))
    assert shapely.hausdorff_distance(kept, first) < 0.9  # the seam moves to the middle of 1.5 m


def test_the_other_map_first() -> None:
    west, east = overlapping()
    swapped = merge([east, west], areas=AREAS[::-1])
    nodes = shapely.get_coordinates(swapped.nodes.geometry.array) - ORIGIN
    assert [80, 1.5] in nodes.tolist()
    assert [80, 40] not in nodes.tolist()


def test_an_area_inside_another_adds_nothing() -> None:
    west, east = overlapping()
    same(merge([west, east], areas=[box(-5, -60, 300, 60), AREAS[1]]), west.clip(box(-5, -60, 300, 60)))


def test_areas_that_only_touch_change_nothing(cross: RoadMap) -> None:
    halves = [box(-10, -10, 40, 50), box(40, -10, 200, 50)]
    same(merge([cross.clip(half) for half in halves], areas=halves), cross)


def test_areas_are_one_for_each_map(cross: RoadMap) -> None:
    with pytest.raises(UsageError, match="1 areas for 2 road maps"):
        merge([cross, cross], areas=[box(0, 0, 1, 1)])


def test_what_two_maps_both_hold_is_kept_once(cross: RoadMap) -> None:
    same(cross + cross, cross)
    same(merge([cross, cross, cross]), cross)


def test_other_columns_are_carried_through(cross: RoadMap) -> None:
    import dataclasses

    named = dataclasses.replace(
        cross, edges=cross.edges.assign(name=["a", "b", "c"], speed_min=[3.0, 2.0, 1.0])
    )
    whole = named.clip(box(-10, -10, 70, 50)) + named.clip(box(70, -10, 200, 50))
    assert whole.edges["name"].tolist() == ["a", "b", "c"]
    assert whole.edges["speed_min"].tolist() == [3.0, 2.0, 1.0]


def test_adding_something_else_is_a_type_error(cross: RoadMap) -> None:
    with pytest.raises(TypeError):
        cross + 1
    with pytest.raises(UsageError, match="seam_m"):
        merge([cross], seam_m=-1)


def test_measures_of_unlike_parts() -> None:
    parts = pd.DataFrame(
        {
            "length_m": [10.0, 30.0, 5.0],
            "width_m": [4.0, np.nan, 3.0],
            "probability_min": [0.4, 0.2, 0.9],
            "bridge_cost_m": [np.nan, 2.0, np.nan],
            "bridged": [False, True, False],
            "source": ["a", "b", "c"],
        }
    )
    joined = join_measures(parts, np.array([0, 0, 1]))
    assert joined["length_m"].tolist() == [40.0, 5.0]
    assert joined["width_m"].tolist() == [4.0, 3.0]
    assert joined["probability_min"].tolist() == [0.2, 0.9]
    assert joined["bridge_cost_m"].tolist() == pytest.approx([2.0, np.nan], nan_ok=True)
    assert joined["source"].tolist() == ["b", "c"]
    assert joined["bridged"].tolist() == [True, False]


def test_simplify_leaves_out_vertices_and_keeps_nodes() -> None:
    wobbly = [(x, 0.5 * (-1) ** x) for x in range(1, 20)]
    roads = make_map([(0, 0, "end"), (20, 0, "end")], [(0, 1, *wobbly)])
    simple = roads.simplify(1.5)
    assert len(simple.edges.geometry[0].coords) == 2
    assert simple.edges["length_m"].tolist() == pytest.approx([20], rel=1e-3)
    assert simple.nodes.equals(roads.nodes)
    with pytest.raises(UsageError, match="above 0"):
        roads.simplify(0)


def test_simplify_lets_no_road_cross_another() -> None:
    nodes = [(0, 0, "end"), (40, 0, "end"), (20, 6, "end"), (20, 2, "end")]
    arch = [(10, 8), (30, 8)]
    roads = make_map(nodes, [(0, 1, *arch), (2, 3)])
    assert shapely.crosses(*roads.edges.geometry.array) == np.False_
    assert len(roads.simplify(5).edges.geometry[0].coords) == 4
    flat = make_map(nodes[:2], [(0, 1, *arch)])
    assert len(flat.simplify(10).edges.geometry[0].coords) == 2
