from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine

from roadlift.imagery.georef import Georef
from roadlift.network import NetworkOptions, vectorize

PIXELS = Georef(None, Affine.identity())
OPTIONS = NetworkOptions(threshold=0.5, threshold_low=0.5)


def gap(length: int, value: int = 0, size: int = 160) -> np.ndarray:
    """A road 7 px wide, 7 rows 77..83, with a gap of this length and value in its middle."""
    raster = np.zeros((size, size), np.uint8)
    raster[77:84] = 254
    raster[77:84, 80 - length // 2 : 80 + (length + 1) // 2] = value
    return raster


def roads(raster: np.ndarray, options: NetworkOptions = OPTIONS):
    return vectorize(raster, PIXELS, ground_resolution_m=1.0, options=options)


def test_a_short_gap_is_bridged_and_says_so() -> None:
    found = roads(gap(6))
    bridges = found.edges[found.edges["bridged"]]
    assert len(found.edges) == 3
    assert len(bridges) == 1
    assert 6 <= bridges["length_m"].iloc[0] <= 14
    assert 5 < bridges["bridge_cost_m"].iloc[0] < 9
    assert found.edges.loc[~found.edges["bridged"], "bridge_cost_m"].isna().all()
    assert sorted(found.nodes["kind"]) == ["border", "border", "bridge", "bridge"]
    assert found.issues["kind"].tolist() == ["bridged"]
    assert found.issues["cost_m"].tolist() == bridges["bridge_cost_m"].tolist()
    assert (
        shapely.hausdorff_distance(
            found.edges.geometry.union_all(), shapely.LineString([(0, 80.5), (160, 80.5)])
        )
        < 1
    )


@pytest.mark.parametrize(
    ("length", "value", "bridged"),
    [(36, 0, False), (36, 8, False), (30, 115, True), (24, 125, True), (60, 125, False)],
)
def test_longer_gaps_need_evidence(length: int, value: int, bridged: bool) -> None:
    assert roads(gap(length, value)).edges["bridged"].any() == bridged


def test_bridging_can_be_turned_off() -> None:
    off = NetworkOptions(threshold=0.5, threshold_low=0.5, max_gap_m=0)
    found = roads(gap(6), off)
    assert sorted(found.nodes["kind"]) == ["border", "border", "end", "end"]


def test_a_side_road_is_joined_to_the_road_it_heads_for() -> None:
    raster = gap(0)
    raster[:70, 77:84] = 254
    found = roads(raster)
    assert found.edges["bridged"].sum() == 1
    assert sorted(found.nodes["kind"]) == ["border", "border", "border", "bridge", "junction"]
    crossing = found.nodes[found.nodes["kind"] == "junction"].geometry.iloc[0]
    assert crossing.distance(shapely.Point(80.5, 80.5)) < 0.6


def test_parallel_ends_side_by_side_are_not_joined() -> None:
    raster = np.zeros((160, 160), np.uint8)
    raster[70:77, :80] = raster[86:93, :80] = 254
    assert not roads(raster).edges["bridged"].any()


def test_an_end_at_the_border_is_not_joined() -> None:
    raster = np.zeros((160, 160), np.uint8)
    raster[0:7, 20:160] = 254
    raster[77:84, :] = 254
    assert not roads(raster).edges["bridged"].any()


def test_no_data_is_not_crossed() -> None:
    raster = gap(6)
    raster[:, 79:81] = 255
    assert not roads(raster).edges["bridged"].any()


def test_each_end_is_joined_once_and_the_cheapest_wins() -> None:
    raster = gap(8)
    raster[120:160, 77:84] = 254  # a third end that heads for the gap, farther away
    found = roads(raster, NetworkOptions(threshold=0.5, threshold_low=0.5, max_gap_cost_m=60, max_gap_m=60))
    touching = np.bincount(np.concatenate([found.edges["u"], found.edges["v"]]))
    assert found.edges["bridged"].sum() >= 1
    assert (touching[found.nodes.loc[found.nodes["kind"] == "bridge", "id"]] == 2).all()


def test_the_bridge_follows_the_faint_road() -> None:
    """A faint bend: the straight line has no evidence, the path along the bend has."""
    raster = np.zeros((160, 160), np.uint8)
    raster[77:84, :60] = raster[77:84, 100:] = 254
    angle = np.linspace(0, np.pi, 200)
    rows, cols = (80 + 9 * np.sin(angle)).astype(int), (80 - 20 * np.cos(angle)).astype(int)
    for row in range(-3, 4):
        raster[rows + row, cols] = np.maximum(raster[rows + row, cols], 120)
    found = roads(raster, NetworkOptions(threshold=0.5, threshold_low=0.5, max_gap_m=60, max_gap_cost_m=30))
    bridge = found.edges[found.edges["bridged"]].geometry.iloc[0]
    assert bridge.bounds[3] > 84
