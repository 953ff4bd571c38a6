"""Shapes of roads that a network must keep: corners, roundabouts, carriageways, crossings."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine

from roadlift.imagery.georef import Georef
from roadlift.network import vectorize

PIXELS = Georef(None, Affine.identity())


def paint(lines, *, width: float = 7.0, size: int = 160) -> np.ndarray:
    """Roads of one width around lines in pixel coordinates (x, y)."""
    rows, cols = np.mgrid[:size, :size]
    shape = shapely.buffer(shapely.union_all([shapely.LineString(line) for line in lines]), width / 2)
    shapely.prepare(shape)
    return shapely.contains_xy(shape, cols + 0.5, rows + 0.5).astype(np.uint8) * 254


def roads_of(lines, **options):
    return vectorize(paint(lines, **options), PIXELS, ground_resolution_m=1.0)


@pytest.mark.parametrize("angle", [60, 90, 120])
@pytest.mark.parametrize("turn", [0, 25])
def test_corners_stay_corners(angle: float, turn: float) -> None:
    corner = np.array([80.0, 80.0])
    legs = [corner + 120 * np.array([np.cos(a), np.sin(a)]) for a in np.deg2rad([turn, turn + 180 - angle])]
    roads = roads_of([[legs[0], corner, legs[1]]])
    assert len(roads.edges) == 1
    assert shapely.distance(roads.edges.geometry.iloc[0], shapely.Point(corner)) < 0.6
    vertices = shapely.get_coordinates(roads.edges.geometry.iloc[0])
    assert np.hypot(*(vertices - corner).T).min() < 0.8


@pytest.mark.parametrize("radius", [12, 20, 40])
def test_bends_stay_round(radius: float) -> None:
    angle = np.linspace(0, np.pi / 2, 60)
    bend = np.stack([80 + radius * np.sin(angle), 80 - radius * np.cos(angle)], axis=1)
    truth = np.concatenate([[(-20, 80 - radius)], bend, [(80 + radius, 180)]])
    roads = roads_of([truth])
    assert shapely.hausdorff_distance(roads.edges.geometry.iloc[0], shapely.LineString(truth), 0.05) < 20.8
    inside = shapely.box(5, 5, 155, 155)
    drawn = roads.edges.geometry.iloc[0].intersection(inside)
    points = shapely.points(shapely.get_coordinates(shapely.segmentize(drawn, 1.0)))
    assert shapely.distance(shapely.LineString(truth), points).max() < 0.8


def test_a_roundabout_keeps_its_ring() -> None:
    angle = np.linspace(0, 2 * np.pi, 100)
    ring = np.stack([80 + 18 * np.cos(angle), 80 + 18 * np.sin(angle)], axis=1)
    legs = [
        [(80 + 18 * c, 80 + 18 * s), (80 + 120 * c, 80 + 120 * s)]
        for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))
    ]
    roads = roads_of([ring, *legs])
    assert sorted(roads.nodes["degree"]) == [1] * 4 + [3] * 4
    around = roads.edges[~roads.edges["border"]]
    assert len(around) == 4
    assert around["length_m"].sum() == pytest.approx(2 * np.pi * 18, rel=0.02)


@pytest.mark.parametrize(("radius", "legs"), [(8, 3), (9, 4), (12, 2)])
def test_a_mini_roundabout_stays_round(radius: float, legs: int) -> None:
    turn = np.linspace(0, 2 * np.pi, 100)
    ring = 80 + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    ways = [np.array([np.cos(a), np.sin(a)]) for a in 0.3 + 2 * np.pi * np.arange(legs) / legs]
    roads = roads_of([ring, *([80 + radius * way, 80 + 120 * way] for way in ways)])
    around = roads.edges[~roads.edges["border"]].geometry.to_numpy()
    assert len(around) == legs
    distance = np.hypot(*(shapely.get_coordinates(shapely.segmentize(around, 1.0)) - 80).T)
    assert np.abs(distance - radius).max() < 0.9


def test_a_square_block_keeps_its_corners() -> None:
    corner = [(70, 70), (90, 70), (90, 90), (70, 90), (70, 70)]
    roads = roads_of([corner, [(70, 70), (-20, 70)], [(90, 90), (180, 90)]], width=5)
    junctions = roads.nodes.loc[roads.nodes["degree"] == 3].geometry
    assert sorted(junctions.distance(shapely.MultiPoint([(70, 70), (90, 90)])) < 0.3) == [True, True]


@pytest.mark.parametrize("gap", [4, 8])
def test_two_carriageways_stay_two(gap: float) -> None:
    roads = roads_of([[(-20, 70.5), (180, 70.5)], [(-20, 77.5 + gap), (180, 77.5 + gap)]])
    assert len(roads.edges) == 2
    np.testing.assert_allclose(roads.edges["width_m"], 7, atol=0.1)


@pytest.mark.parametrize("angle", [20, 25, 33, 40, 60, 90])
def test_a_crossing_is_one_node_where_the_axes_cross(angle: float) -> None:
    legs = [80 + 130 * np.array([np.cos(a), np.sin(a)]) for a in np.deg2rad([0, angle])]
    roads = roads_of([[leg, 160 - leg] for leg in legs])
    assert sorted(roads.nodes["degree"]) == [1, 1, 1, 1, 4]
    centre = roads.nodes.loc[roads.nodes["degree"] == 4].geometry.iloc[0]
    assert centre.distance(shapely.Point(80, 80)) < 0.7


@pytest.mark.parametrize("angle", [12, 20, 35])
def test_a_road_that_leaves_at_a_slant_goes_straight_on_to_the_edge(angle: float) -> None:
    way = np.array([np.cos(np.deg2rad(angle)), -np.sin(np.deg2rad(angle))])
    leaves = np.array([110.0, 0.0])  # where the true middle crosses the upper edge of the image
    road = [tuple(leaves - 200 * way), tuple(leaves + 200 * way)]
    line = roads_of([road]).edges.geometry.iloc[0]
    ends = shapely.points(np.array(line.coords)[[0, -1]])
    assert shapely.distance(ends, shapely.Point(leaves)).min() < 2.5
    points = shapely.points(shapely.get_coordinates(shapely.segmentize(line, 1.0)))
    assert shapely.distance(shapely.LineString(road), points)[3:-3].max() < 0.7


def test_a_road_that_leaves_does_not_run_across_another() -> None:
    """Straight on it would cross the road that comes along the edge of the image."""
    mask = paint([[(-60, 60), (140, 4)], [(108, 40), (108, -20)]])
    roads = vectorize(mask, PIXELS, ground_resolution_m=1.0)
    assert "crosses another road without a junction" not in set(roads.issues["reason"])


@pytest.mark.parametrize("angle", [35, 50])
def test_a_side_road_goes_straight_to_where_its_axis_meets_a_wide_road(angle: float) -> None:
    way = np.array([np.cos(np.deg2rad(angle)), -np.sin(np.deg2rad(angle))])
    side = shapely.LineString([(70, 90), tuple(np.array([70, 90]) + 200 * way)])
    mask = paint([[(-20, 90), (180, 90)]], width=16) | paint([list(side.coords)], width=6)
    roads = vectorize(mask, PIXELS, ground_resolution_m=1.0)
    junction = roads.nodes[roads.nodes["degree"] == 3].geometry.iloc[0]
    assert junction.distance(shapely.Point(70, 90)) < 4.5
    assert abs(junction.y - 90) < 0.6


def test_offset_side_roads_stay_two_junctions() -> None:
    roads = roads_of([[(-20, 80), (180, 80)], [(60, 80), (60, -20)], [(85, 80), (85, 180)]])
    assert sorted(roads.nodes["degree"]) == [1, 1, 1, 1, 3, 3]


def test_side_roads_less_than_a_road_width_apart_are_one_crossing() -> None:
    apart = 6  # along the main road, between axes that lean by 31 degrees
    legs = [[(80 - apart / 2, 80), (20 - apart / 2, -20)], [(80 + apart / 2, 80), (140 + apart / 2, 180)]]
    roads = roads_of([[(-20, 80), (180, 80)], *legs])
    assert sorted(roads.nodes["degree"]) == [1, 1, 1, 1, 4]


def test_roads_that_leave_forwards_and_backwards_are_no_crossing() -> None:
    """A slip road leaves to the one side, and further on another joins from the other side."""
    roads = roads_of([[(-20, 80), (180, 80)], [(60, 80), (160, 30)], [(90, 80), (-10, 130)]])
    assert sorted(roads.nodes["degree"]) == [1, 1, 1, 1, 3, 3]


def test_a_side_road_meets_the_axis_of_the_main_road() -> None:
    roads = roads_of([[(-20, 80), (180, 80)], [(80, 80), (110, -40)]])
    junction = roads.nodes[roads.nodes["degree"] == 3].geometry.iloc[0]
    assert junction.distance(shapely.Point(80, 80)) < 0.6
