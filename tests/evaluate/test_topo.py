import math

import numpy as np
import pytest

from roadlift.errors import UsageError
from roadlift.evaluate import RoadGraph, topo


def tile(*edges):
    """Make a graph of edges whose points are (row, column), as in the reference's tiles."""
    return RoadGraph.from_lines([[(col, -row) for row, col in edge] for edge in edges])


def bounds(*edges):
    rows, cols = np.array([point for edge in edges for point in edge]).T
    return 0, -rows.max(), cols.max(), 0


MAIN = ((1500, 500), (1500, 1300))


def against(*predicted, truth=(MAIN,)):
    return topo(tile(*truth), tile(*predicted), bounds=bounds(*truth, *predicted))


def test_topo_equals_the_reference(vectors):
    cases = vectors("topo_sat2graph")
    assert cases
    for name, case in cases.items():
        edges, theirs = (case["gt_edges"], case["pred_edges"]), case["result"]
        score = topo(tile(*edges[0]), tile(*edges[1]), bounds=bounds(*edges[0], *edges[1]))
        if "error" in theirs:
            assert math.isnan(score.f1), name
            assert "no true road" in score.reason, name
            continue
        assert score.precision == pytest.approx(theirs["precision"], abs=1e-9), name
        assert score.recall == pytest.approx(theirs["overall_recall"], abs=1e-9), name
        assert score.f1 == pytest.approx(theirs["f1"] or 0, abs=1e-9), name
        assert (score.starts, score.paired, score.kept) == tuple(
            theirs[key] for key in ("n_start", "n_paired", "n_kept")
        ), name
        assert score.radius_m == pytest.approx(theirs["radius_deg"] * 111_111), name


@pytest.mark.parametrize(("shift", "expected"), [(0, 1), (5, 1), (11, 1), (12, 0)])
def test_a_shift_is_forgiven_up_to_eleven_metres(shift, expected):
    score = against(((1500 + shift, 500), (1500 + shift, 1300)))
    assert (score.precision, score.recall) == (expected, expected)


@pytest.mark.parametrize(
    ("predicted", "precision", "recall"),
    [
        ([((1500, 500), (1500, 900))], 1, 0.2517),
        ([((1500, 500), (1500, 890)), ((1500, 910), (1500, 1300))], 1, 0.4897),
    ],
    ids=["half", "a gap of 20 m"],
)
def test_values_that_the_reference_gave(predicted, precision, recall):
    score = against(*predicted)
    assert (score.precision, score.recall) == pytest.approx((precision, recall), abs=5e-5)


def test_a_spur_that_is_missed():
    halves = [((1500, 500), (1500, 900)), ((1500, 900), (1500, 1300))]
    score = against(*halves, truth=(*halves, ((1500, 900), (1400, 900))))
    assert (score.precision, score.recall) == pytest.approx((1, 0.8293), abs=5e-5)


def test_a_crossing_road_of_another_direction_is_no_place_to_start():
    score = against(((1100, 900), (1900, 900)))
    assert (score.paired, score.f1) == (0, 0)


def test_walks_are_shorter_on_small_tiles_unless_told():
    road = tile(((100, 50), (100, 350)))
    assert topo(road, road).radius_m == pytest.approx(166.7, abs=0.1)
    assert topo(road, road, radius_m=300).radius_m == pytest.approx(300)


def test_nothing_predicted_is_zero_and_nothing_true_is_undefined():
    assert topo(tile(MAIN), tile()).f1 == 0
    assert math.isnan(topo(tile(), tile(MAIN)).f1)
    assert math.isnan(topo(tile(), tile()).f1)


def test_a_length_that_is_none_is_refused():
    with pytest.raises(UsageError, match="interval_m is 0"):
        topo(tile(MAIN), tile(MAIN), interval_m=0)
