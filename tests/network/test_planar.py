from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.morphology import skeletonize

from roadlift.network.planar import find_crossings, keep_apart, pick
from roadlift.network.polylines import Polylines
from roadlift.network.smooth import simplify_lines, smooth_lines
from roadlift.network.trace import trace_skeleton

CASES = {
    "a cross": ([[(0, 0), (2, 2)], [(0, 2), (2, 0)]], [True, True]),
    "one end shared": ([[(0, 0), (2, 2)], [(2, 2), (4, 0)]], [False, False]),
    "both ends shared": ([[(0, 0), (1, 1), (2, 0)], [(0, 0), (1, -1), (2, 0)]], [False, False]),
    "the same twice": ([[(0, 0), (1, 1)], [(0, 0), (1, 1)]], [True, True]),
    "a part of another": ([[(0, 0), (4, 0)], [(1, 0), (2, 0)]], [True, True]),
    "a figure of eight": ([[(0, 0), (2, 2), (2, 0), (0, 2)]], [True]),
    "a ring": ([[(0, 0), (0, 2), (2, 2), (2, 0), (0, 0)]], [False]),
    "two rings at one node": (
        [[(0, 0), (0, 2), (2, 2), (0, 0)], [(0, 0), (0, -2), (-2, -2), (0, 0)]],
        [False, False],
    ),
    "a ring and its stem": ([[(0, 0), (0, 2), (2, 2), (0, 0)], [(0, 0), (-3, 0)]], [False, False]),
    "a ring crossed": ([[(0, 0), (0, 2), (2, 2), (2, 0), (0, 0)], [(-1, 1), (3, 1)]], [True, True]),
    "nothing": ([], []),
}


@pytest.mark.parametrize("name", CASES)
def test_crossings(name: str) -> None:
    lines, expected = CASES[name]
    assert find_crossings(Polylines.of(lines)).tolist() == expected


def test_lines_step_back_until_they_no_longer_cross() -> None:
    first = Polylines.of([[(0, 0), (2, 1), (4, 0)], [(1, 0), (2, 0.5), (3, 0)], [(9, 9), (9, 10), (9, 11)]])
    last = Polylines.of([[(0, 0), (2, 0.2), (4, 0)], [(1, 0), (2, 0.5), (3, 0)], [(9, 9), (9, 11)]])
    lines, stubborn = keep_apart([first, last])
    assert not stubborn.any()
    assert lines[0].tolist() == first[0].tolist()
    assert lines[2].tolist() == last[2].tolist()


def test_what_always_crossed_is_told() -> None:
    lines = Polylines.of([[(0, 0), (2, 2)], [(0, 2), (2, 0)], [(5, 5), (6, 6)]])
    assert keep_apart([lines, lines])[1].tolist() == [True, True, False]


def test_each_line_from_its_version() -> None:
    one = Polylines.of([[(0, 0), (1, 1), (2, 0)], [(5, 5), (6, 6)]])
    two = Polylines.of([[(0, 0), (2, 0)], [(5, 5), (5, 6), (6, 6)]])
    assert pick([one, two], np.array([1, 0])).coordinates.tolist() == [[0, 0], [2, 0], [5, 5], [6, 6]]
    assert pick([one, two], np.array([0, 1])).counts.tolist() == [3, 3]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.5, 6), st.floats(0.1, 8))
def test_smoothing_and_simplifying_never_make_lines_cross(seed: int, sigma: float, tolerance: float) -> None:
    generator = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(generator.random((50, 50)), 1 + 2 * generator.random())
    graph = trace_skeleton(skeletonize(noise > np.quantile(noise, 0.5)))
    lines = graph.lines
    rings = graph.rings[graph.u]
    before = find_crossings(lines)
    smooth = smooth_lines(lines, sigma=sigma, closed=rings)
    drawn, crossing = keep_apart([lines, smooth, simplify_lines(smooth, tolerance=tolerance)])
    assert not (crossing & ~before).any()
    assert not find_crossings(drawn.take(~crossing)).any()
    fixed = ~rings
    np.testing.assert_array_equal(drawn.starts[fixed], lines.starts[fixed])
    np.testing.assert_array_equal(drawn.ends[fixed], lines.ends[fixed])


@pytest.mark.parametrize("tolerance", [0.3, 1.0, 5.0])
def test_simplified_lines_stay_within_the_tolerance(tolerance: float) -> None:
    x = np.linspace(0, 200, 400)
    line = Polylines.of([np.stack([x, 10 * np.sin(x / 9)], axis=1)])
    simple = simplify_lines(line, tolerance=tolerance)
    assert simple.counts[0] < line.counts[0] / 4
    assert shapely.hausdorff_distance(line.to_shapely()[0], simple.to_shapely()[0], densify=0.01) <= tolerance
