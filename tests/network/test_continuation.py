"""The width of edges that are too short to show it."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine

from roadlift.imagery.georef import Georef
from roadlift.network import vectorize
from roadlift.network.continuation import widths_of_continued_roads
from roadlift.network.linegraph import LineGraph
from roadlift.network.polylines import Polylines

MAIN = [[(0, 0), (0, 50)], [(0, 50), (0, 55)], [(0, 55), (0, 100)]]
SIDES = [[(0, 50), (40, 50)], [(0, 55), (-40, 55)]]


def widths(lines, width, measured) -> list[float]:
    lines = Polylines.of(lines)
    nodes, number = np.unique(np.concatenate([lines.starts, lines.ends]), axis=0, return_inverse=True)
    u, v = number.reshape(2, -1)
    graph = LineGraph(nodes, np.zeros(len(nodes), bool), np.ones(len(nodes)), u, v, lines)
    return widths_of_continued_roads(graph, np.array(width, float), np.array(measured, bool)).tolist()


def edges_of(mask: np.ndarray):
    whole = Georef(None, Affine.identity())
    return vectorize(mask.astype(np.uint8) * 254, whole, ground_resolution_m=1.0).edges


def test_a_link_has_the_width_of_the_road_it_continues_not_that_of_what_crosses_it() -> None:
    width = [7, 25, 8, 12, 12]
    assert widths([*MAIN, *SIDES], width, [True, False, True, True, True]) == [7, 8, 8, 12, 12]


def test_what_it_shows_is_kept_where_a_neighbour_is_as_wide() -> None:
    assert widths([*MAIN, *SIDES], [7, 6.5, 7, 4, 4], [True, False, True, True, True])[1] == 6.5


def test_a_row_of_short_edges_hands_the_width_on() -> None:
    row = [[(0, 0), (0, 50)], *([(0, at), (0, at + 3)] for at in (50, 53, 56, 59))]
    assert widths(row, [6, 20, 30, 20, 10], [True, False, False, False, False]) == [6] * 5


def test_an_edge_that_continues_none_is_no_wider_than_what_it_touches() -> None:
    rung = [[(0, -50), (0, 0)], [(0, 0), (0, 50)], [(0, 0), (8, 0)], [(8, -50), (8, 0)], [(8, 0), (8, 50)]]
    assert widths(rung, [7, 7, 30, 9, 9], [True, True, False, True, True])[2] == 9


def test_unknown_stays_unknown() -> None:
    assert np.isnan(widths([[(0, 0), (0, 5)], [(9, 0), (9, 50)]], [20, 7], [False, True])[0])
    assert np.isnan(widths([[(0, 0), (0, 5)]], [np.nan], [False])[0])


def test_an_edge_of_unknown_width_takes_that_of_its_road() -> None:
    assert widths(MAIN, [6, np.nan, 8], [True, False, True]) == [6, 8, 8]


def test_no_edges() -> None:
    assert widths([], [], []) == []


@pytest.mark.parametrize("apart", [16, 20, 24])
def test_between_two_wide_side_roads_a_road_is_as_wide_as_elsewhere(apart: int) -> None:
    """The link lies inside the side roads, which are 14 px wide: its own profiles run along them."""
    mask = np.zeros((160, 200), bool)
    mask[77:84] = True
    mask[77:, 100 - apart // 2 - 7 : 100 - apart // 2 + 7] = True
    mask[:84, 100 + apart // 2 - 7 : 100 + apart // 2 + 7] = True
    edges = edges_of(mask)
    between = edges[~edges["border"]]
    assert len(between) == 1
    np.testing.assert_allclose(between["width_m"], 7, atol=0.5)
    assert between["width_spread_m"].isna().all()


def test_a_bridge_has_the_width_of_the_road_that_it_continues() -> None:
    mask = np.zeros((160, 200), bool)
    mask[77:84] = True
    mask[:, 70:82] = False
    edges = edges_of(mask)
    bridge = edges["bridged"]
    assert bridge.sum() == 1
    np.testing.assert_allclose(edges["width_m"], 7, atol=0.1)
    assert edges["width_spread_m"].isna().tolist() == bridge.tolist()
