import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from roadlift.errors import LimitError, UsageError
from roadlift.evaluate import RoadGraph, apls_spacenet
from roadlift.evaluate.apls import MAX_NODES

LATTICE = [((x, y), (x + dx, y + dy)) for x in range(4) for y in range(4) for dx, dy in ((1, 0), (0, 1))]
roads = st.sets(st.sampled_from(LATTICE), min_size=1).map(
    lambda edges: RoadGraph.from_lines([np.array(edge) * 70.0 for edge in sorted(edges)])
)


def line(*points):
    return RoadGraph.from_lines([points])


def test_spacenet_equals_the_reference(vectors):
    cases = vectors("apls_cosmiq")
    assert cases
    for name, case in cases.items():
        params = case["params"]
        score = apls_spacenet(
            RoadGraph.from_lines(case["gt"]),
            RoadGraph.from_lines(case["pred"]),
            interval_m=params["delta"],
            min_curvature=params["eps"],
            snap_m=params["snap"],
            min_way_m=params["minlen"],
            one_point_per_place=params["rename"],
        )
        ours = score.value, score.truth_onto_prediction, score.prediction_onto_truth
        theirs = case["apls"], case["gt_onto_prop"], case["prop_onto_gt"]
        assert ours == pytest.approx(theirs, abs=1e-9), name
        assert (score.truth_points, score.predicted_points) == (case["n_cp_gt"], case["n_cp_prop"]), name


@pytest.mark.parametrize(
    ("predicted", "forth", "back"),
    [
        (line((0, 0), (100, 0)), 1, 1),
        (line((0, 3), (100, 3)), 1, 1),
        (line((0, 5), (100, 5)), 0, 0),
        (line((0, 0), (50, 0)), 1 / 3, 1),
        (line((100, 0), (0, 0)), 1, 1),
        (RoadGraph.from_lines([[(0, 0), (100, 0)], [(0, 200), (100, 200)]]), 1, 1 / 2),
        (RoadGraph.from_lines([]), 0, 0),
    ],
    ids=["same", "3 m beside", "5 m beside", "half", "reversed", "a second road", "nothing"],
)
def test_spacenet_of_a_straight_road(predicted, forth, back):
    score = apls_spacenet(line((0, 0), (100, 0)), predicted)
    assert (score.truth_onto_prediction, score.prediction_onto_truth) == pytest.approx((forth, back))
    assert score.value == pytest.approx(2 * forth * back / (forth + back) if forth and back else 0)
    assert bool(score.reason) is (score.value == 0 and back == 0)


@settings(max_examples=20, deadline=None)
@given(roads)
def test_a_network_agrees_with_itself(graph):
    assert apls_spacenet(graph, graph).value == pytest.approx(1)


@settings(max_examples=20, deadline=None)
@given(roads, roads)
def test_swapping_the_sides_swaps_the_directions(one, other):
    score, swapped = apls_spacenet(one, other), apls_spacenet(other, one)
    assert score.truth_onto_prediction == pytest.approx(swapped.prediction_onto_truth)
    assert score.value == pytest.approx(swapped.value)
    assert 0 <= score.value <= 1


def test_the_place_on_the_globe_does_not_matter():
    truth = RoadGraph.from_lines([[(0, 0), (300, 20)], [(300, 20), (300, 400)]])
    predicted = RoadGraph.from_lines([[(0, 1), (300, 21)], [(301, 30), (300, 400)]])
    far = [graph.moved(331_000.5, 4_690_000.25) for graph in (truth, predicted)]
    assert apls_spacenet(*far).value == pytest.approx(apls_spacenet(truth, predicted).value, abs=1e-6)


def test_no_interval_is_refused():
    with pytest.raises(UsageError, match="interval_m is 0"):
        apls_spacenet(line((0, 0), (1, 0)), line((0, 0), (1, 0)), interval_m=0)


def test_a_graph_over_the_limit_is_refused_before_any_work():
    many = RoadGraph.from_lines(shapely.linestrings([[[x, 0], [x, 1]] for x in range(MAX_NODES // 2 + 1)]))
    with pytest.raises(LimitError, match="Score it in tiles"):
        apls_spacenet(many, many)


def test_nothing_against_nothing_is_zero_with_a_reason():
    empty = RoadGraph.from_lines([])
    score = apls_spacenet(empty, empty)
    assert score.value == 0
    assert "no roads" in score.reason
    assert not math.isnan(score.value)
