from __future__ import annotations

import numpy as np
import pytest

from roadlift.network.junctions import contract_links, meet_on_axes
from roadlift.network.linegraph import LineGraph, merge_through_nodes
from roadlift.network.polylines import Polylines
from roadlift.network.prune import drop_stray_lines, prune_spurs, straighten_ends
from roadlift.network.smooth import simplify_lines, smooth_lines


def graph_of(lines, border=(), radius: float = 3.5) -> LineGraph:
    """A graph whose nodes are the distinct end points of the lines."""
    lines = Polylines.of(lines)
    nodes, number = np.unique(np.concatenate([lines.starts, lines.ends]), axis=0, return_inverse=True)
    at_border = np.array([tuple(node) in set(border) for node in nodes])
    number = number.ravel()
    return LineGraph(
        nodes, at_border, np.full(len(nodes), radius), number[: len(lines)], number[len(lines) :], lines
    )


def ends_meet_nodes(graph: LineGraph) -> bool:
    return np.array_equal(graph.lines.starts, graph.nodes[graph.u]) and np.array_equal(
        graph.lines.ends, graph.nodes[graph.v]
    )


MAIN = [[(0, 0), (0, 50)], [(0, 50), (0, 100)]]


def test_short_spur_goes_and_the_road_is_whole_again() -> None:
    graph, dropped = prune_spurs(graph_of([*MAIN, [(0, 50), (6, 50)]]), min_length=10, width_ratio=1)
    assert graph.lines.lengths.tolist() == [100]
    assert graph.lines.coordinates.tolist() == [[0, 0], [0, 50], [0, 100]]
    assert dropped.coordinates.tolist() == [[0, 50], [6, 50]]


@pytest.mark.parametrize(("length", "radius", "left"), [(11, 3.5, 3), (11, 6, 1), (13, 6, 3)])
def test_spur_is_measured_in_metres_and_in_widths(length: float, radius: float, left: int) -> None:
    graph = graph_of([*MAIN, [(0, 50), (length, 50)]], radius=radius)
    assert len(prune_spurs(graph, min_length=10, width_ratio=1)[0].lines) == left


def test_spur_that_leaves_the_image_stays() -> None:
    graph = graph_of([*MAIN, [(0, 50), (6, 50)]], border=[(6, 50)])
    assert len(prune_spurs(graph, min_length=10, width_ratio=1)[0].lines) == 3


def test_fork_at_the_end_keeps_its_longer_tine() -> None:
    graph = graph_of([[(0, 0), (0, 50)], [(0, 50), (4, 54)], [(0, 50), (-3, 53)]])
    graph, dropped = prune_spurs(graph, min_length=10, width_ratio=1)
    assert graph.nodes.tolist() == [[0, 0], [4, 54]]
    assert dropped.ends.tolist() == [[-3, 53]]


def test_pruning_repeats_until_nothing_is_short() -> None:
    twig = [[(0, 50), (4, 50)], [(4, 50), (7, 50)], [(4, 50), (4, 53)]]
    graph, dropped = prune_spurs(graph_of([*MAIN, *twig]), min_length=10, width_ratio=1)
    assert graph.lines.lengths.tolist() == [100]
    assert len(dropped) == 2


def test_free_ends_run_straight_on() -> None:
    line = [(0, column) for column in range(30)] + [(-1, 30), (-2, 31), (-3, 32)]
    graph = straighten_ends(graph_of([line], border=[(0, 0)]))
    assert graph.lines.starts.tolist() == [[0, 0]]
    assert abs(graph.lines.ends[0, 0]) < 0.5
    assert graph.lines.lengths[0] == pytest.approx(29 + 3 * np.sqrt(2), abs=0.8)
    assert ends_meet_nodes(graph)


def test_ends_of_very_short_lines_stay() -> None:
    graph = graph_of([[(0, 0), (0, 3)]])
    assert straighten_ends(graph).nodes.tolist() == graph.nodes.tolist()


def test_stray_lines_go_by_the_length_of_their_whole_part() -> None:
    short, two = [(0, 0), (0, 12)], [[(9, 0), (9, 12)], [(9, 12), (9, 24)]]
    edge = [(20, 0), (20, 5)]
    graph, dropped = drop_stray_lines(graph_of([short, *two, edge], border=[(20, 0)]), min_length=20)
    assert graph.lines.lengths.tolist() == [12, 12, 5]
    assert dropped.coordinates.tolist() == [[0, 0], [0, 12]]


def test_merge_turns_edges_round() -> None:
    graph = merge_through_nodes(graph_of([[(0, 2), (0, 0)], [(0, 2), (0, 5)], [(0, 9), (0, 5)]]))
    assert sorted(map(tuple, graph.lines.coordinates.tolist())) == [(0, 0), (0, 2), (0, 5), (0, 9)]
    assert graph.lines.lengths.tolist() == [9]
    assert ends_meet_nodes(graph)


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_merge_makes_one_loop_of_a_ring(parts: int) -> None:
    angle = np.arange(parts) * 2 * np.pi / parts
    corners = np.stack([np.cos(angle), np.sin(angle)], axis=1) * 10
    lines = [np.array([corners[i], corners[i] * 1.5, corners[(i + 1) % parts]]) for i in range(parts)]
    lines[0] = lines[0][::-1]
    graph = merge_through_nodes(graph_of(lines))
    assert len(graph.lines) == len(graph.nodes) == 1
    assert graph.loops.tolist() == [True]
    np.testing.assert_allclose(graph.lines.lengths, sum(Polylines.of(lines).lengths))


def test_merge_leaves_a_lone_loop_and_border_nodes() -> None:
    loop = [(0, 0), (0, 9), (9, 9), (0, 0)]
    graph = graph_of([loop, [(50, 0), (50, 5)], [(50, 5), (50, 9)]], border=[(50, 5)])
    assert len(merge_through_nodes(graph).lines) == 3


def test_close_tees_become_one_crossing() -> None:
    legs = [[(-30, 0), (0, 0)], [(0, 4), (30, 4)], [(0, -30), (0, 0)], [(0, 4), (0, 34)]]
    graph = contract_links(graph_of([*legs, [(0, 0), (0, 4)]]), width_ratio=1.0, max_length=20)
    assert sorted(graph.degree.tolist()) == [1, 1, 1, 1, 4]
    assert [0.0, 2.0] in graph.nodes.tolist()
    assert ends_meet_nodes(graph)


@pytest.mark.parametrize(("width_ratio", "max_length"), [(0.5, 20), (1.0, 3)])
def test_links_longer_than_the_road_is_wide_stay(width_ratio: float, max_length: float) -> None:
    legs = [[(-30, 0), (0, 0)], [(0, 4), (30, 4)], [(0, -30), (0, 0)], [(0, 4), (0, 34)]]
    graph = graph_of([*legs, [(0, 0), (0, 4)]])
    assert len(contract_links(graph, width_ratio=width_ratio, max_length=max_length).lines) == 5


def test_a_row_of_tees_does_not_collapse() -> None:
    """Side roads every 5 px along a road 7 px wide: pairs join, the row does not become one point."""
    main = [[(0, 5 * i), (0, 5 * i + 5)] for i in range(8)]
    sides = [[(0, 5 * i), (40, 5 * i)] for i in range(1, 8)]
    graph = contract_links(graph_of([*main, *sides]), width_ratio=1.0, max_length=20)
    junctions = graph.nodes[graph.degree > 2]
    assert len(junctions) >= 3
    assert np.ptp(junctions[:, 1]) > 20


def bent(leg: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """A leg that bends to another point over its last three pixels, as skeletons do."""
    leg = leg.copy()
    leg[:3] += (towards - leg[0]) * np.array([1.0, 2 / 3, 1 / 3])[:, None]
    return leg


def meet(graph: LineGraph) -> LineGraph:
    return meet_on_axes(graph, graph.degree >= 3)


def test_junction_moves_to_the_crossing_of_its_axes() -> None:
    along = np.arange(0.0, 41.0)
    zero = np.zeros_like(along)
    wrong = np.array([2.0, 1.0])
    legs = [np.stack(leg, axis=1) for leg in ((along, zero), (-along, zero), (zero, along), (zero, -along))]
    graph = meet(graph_of([bent(leg, wrong) for leg in legs]))
    centre = graph.nodes[graph.degree == 4][0]
    assert np.hypot(*centre) < 0.1
    assert ends_meet_nodes(graph)
    inner = graph.lines.along < 3
    assert inner.sum() == 4  # only the node itself: the bent part is gone


def test_parallel_legs_leave_the_node_where_it_is() -> None:
    legs = [[(0, 0), (0, 20), (0, 40)], [(0, 0), (0, -20), (0, -40)], [(0, 0), (1, 0)]]
    graph = meet(graph_of([Polylines.of([leg]).resampled(1.0)[0] for leg in legs]))
    np.testing.assert_allclose(graph.nodes[graph.degree == 3][0], [0, 0], atol=1e-6)


def circle(radius: float, count: int = 200) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, count)
    points = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points[-1] = points[0]
    return points


def test_smoothing_flattens_a_staircase_and_keeps_the_ends() -> None:
    steps = np.array([(row, row // 3) for row in range(90)], dtype=float)
    smooth = smooth_lines(Polylines.of([steps]), sigma=3.0, closed=np.array([False]))
    assert smooth.starts.tolist() == [[0, 0]]
    assert smooth.ends.tolist() == [[89, 29]]
    inner = smooth.coordinates[10:-10]
    assert np.abs(inner[:, 1] - (inner[:, 0] - 1) / 3).max() < 0.15


def test_smoothing_keeps_the_size_of_a_ring() -> None:
    smooth = smooth_lines(Polylines.of([circle(12.0)]), sigma=3.0, closed=np.array([True]))
    np.testing.assert_allclose(np.hypot(*smooth.coordinates.T), 12.0, rtol=0.005)
    np.testing.assert_array_equal(smooth.starts, smooth.ends)


def test_smoothing_by_nothing_is_nothing() -> None:
    lines = Polylines.of([circle(12.0)])
    assert smooth_lines(lines, sigma=0, closed=np.array([True])) is lines
    assert simplify_lines(lines, tolerance=0) is lines


def test_simplified_line_stays_within_the_tolerance() -> None:
    import shapely

    line = np.stack([np.arange(100.0), 5 * np.sin(np.arange(100) / 9)], axis=1)
    before = Polylines.of([line])
    after = simplify_lines(before, tolerance=0.5)
    assert len(after.coordinates) < 25
    assert shapely.hausdorff_distance(before.to_shapely()[0], after.to_shapely()[0]) <= 0.5
    np.testing.assert_array_equal(after.ends, before.ends)
