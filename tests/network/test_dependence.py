"""What hangs on a single road, by hand and against taking each road away."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from roadlift.network.dependence import length_behind


def behind(*edges):
    u, v, length = (np.array(column) for column in zip(*edges, strict=True))
    return length_behind(u, v, length.astype(float)).tolist()


def test_a_town_and_a_village_joined_by_one_road():
    """Two triangles of 30 and 60 m, a road of 5 m between them, with a dead end of 7 m at the larger."""
    town = [(1, 2, 20), (2, 3, 20), (3, 1, 20)]
    village = [(11, 12, 10), (12, 13, 10), (13, 11, 10)]
    assert behind(*town, *village, (3, 11, 5), (1, 4, 7)) == [0, 0, 0, 0, 0, 0, 30, 0]


def test_two_roads_between_the_same_places_are_two_ways():
    assert behind((0, 1, 50), (1, 2, 5), (1, 2, 6), (2, 3, 40)) == [0, 0, 0, 0]


def test_loops_count_with_the_place_that_they_are_at():
    assert behind((0, 0, 80), (0, 1, 5), (1, 2, 30)) == [0, 30, 0]


def test_nothing():
    assert length_behind(np.zeros(0, int), np.zeros(0, int), np.zeros(0)).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 99)), min_size=1, max_size=16))
def test_like_taking_each_road_away(edges):
    for number, (u, v, _) in enumerate(edges):
        rest = nx.MultiGraph()
        rest.add_nodes_from([u, v])
        rest.add_weighted_edges_from(edges[:number] + edges[number + 1 :])
        sides = [nx.node_connected_component(rest, end) for end in (u, v)]
        lengths = [sum(m for a, _, m in edges[:number] + edges[number + 1 :] if a in side) for side in sides]
        assert behind(*edges)[number] == (0 if v in sides[0] else min(lengths))
