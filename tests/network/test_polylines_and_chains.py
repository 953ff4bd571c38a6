from __future__ import annotations

import numpy as np
import shapely

from roadlift.network.chains import label_groups, order_chains
from roadlift.network.polylines import Polylines, ragged_positions

LINES = Polylines.of([[(0, 0), (0, 3), (4, 3)], [(1, 1), (1, 2)], [(5, 5), (5, 5), (5, 9)]])
NONE = Polylines.of([])


def test_derived_values() -> None:
    assert LINES.counts.tolist() == [3, 2, 3]
    assert LINES.owner.tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert LINES.steps.tolist() == [0, 3, 4, 0, 1, 0, 0, 4]
    assert LINES.along.tolist() == [0, 3, 7, 0, 1, 0, 0, 4]
    assert LINES.lengths.tolist() == [7, 1, 4]
    assert LINES.ends.tolist() == [[4, 3], [1, 2], [5, 9]]


def test_take_orders_and_turns() -> None:
    taken = LINES.take(np.array([1, 0]), flip=np.array([False, True]))
    assert taken.coordinates.tolist() == [[1, 1], [1, 2], [4, 3], [0, 3], [0, 0]]
    assert LINES.take(np.array([False, True, False])).coordinates.tolist() == [[1, 1], [1, 2]]


def test_joined_puts_lines_end_to_end() -> None:
    lines = Polylines.of([[(0, 0), (0, 1)], [(0, 1), (0, 2)], [(9, 9), (9, 8)]])
    joined = lines.joined(np.array([0, 0, 1]))
    assert joined.coordinates.tolist() == [[0, 0], [0, 1], [0, 2], [9, 9], [9, 8]]
    assert joined.offsets.tolist() == [0, 3, 5]


def test_without_repeats_keeps_both_ends() -> None:
    lines = Polylines.of([[(0, 0), (0, 0), (0, 1), (0, 1)], [(2, 2), (2, 2)]])
    assert lines.without_repeats().coordinates.tolist() == [[0, 0], [0, 1], [2, 2], [2, 2]]


def test_resampled_is_even_and_keeps_ends() -> None:
    lines = Polylines.of([[(0, 0), (0, 10)], [(7, 7), (7, 7.2)], [(0, 0), (3, 0), (3, 3)]])
    even = lines.resampled(1.0)
    assert even.counts.tolist() == [11, 2, 7]
    assert even[0][:, 1].tolist() == list(range(11))
    assert even[1].tolist() == [[7, 7], [7, 7.2]]
    np.testing.assert_allclose(even[2][3], [3, 0])


def test_no_lines() -> None:
    assert len(NONE) == 0
    assert len(NONE.resampled(1.0)) == len(NONE.without_repeats()) == 0
    assert NONE.to_shapely().shape == (0,)
    assert len(Polylines.from_shapely(np.empty(0, dtype=object))) == 0


def test_shapely_round_trip() -> None:
    back = Polylines.from_shapely(LINES.to_shapely())
    np.testing.assert_array_equal(back.coordinates, LINES.coordinates)
    assert shapely.length(LINES.to_shapely()).tolist() == LINES.lengths.tolist()


def test_ragged_positions_of_empty_runs() -> None:
    assert ragged_positions(np.array([3, 9, 1]), np.array([1, 0, 2])).tolist() == [3, 1, 2]


def test_a_ring_opens_at_its_smallest_item() -> None:
    chains = order_chains(6, np.array([5, 2, 4, 1]), np.array([2, 4, 1, 5]))  # ring 1-4-2-5, and 0, 3
    assert chains.order.tolist() == [0, 1, 4, 2, 5, 3]
    assert chains.closed.tolist() == [False, True, False]
    assert chains.heads.tolist() == [0, 1, 3]
    assert chains.tails.tolist() == [0, 5, 3]


def test_two_rings_side_by_side() -> None:
    chains = order_chains(6, np.array([0, 1, 2, 3, 4, 5]), np.array([1, 2, 0, 4, 5, 3]))
    assert chains.order.tolist() == [0, 1, 2, 3, 4, 5]
    assert chains.closed.tolist() == [True, True]


def test_no_items() -> None:
    chains = order_chains(0, np.empty(0, int), np.empty(0, int))
    assert len(chains.order) == len(chains.closed) == 0


def test_label_groups() -> None:
    assert label_groups(4, np.array([3]), np.array([1])).tolist() == [0, 1, 2, 1]
