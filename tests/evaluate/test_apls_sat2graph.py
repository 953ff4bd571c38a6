import math

import pytest

from roadlift.errors import UsageError
from roadlift.evaluate import RoadGraph, apls_sat2graph

TILE = {"bounds": (0, 0, 2048, 2048)}
SMALL = {"bounds": (0, -352, 352, 0), "margin_m": 30, "interval_m": 30, "min_way_m": 30, "cover_hops": 3}


def north_up(edges):
    return RoadGraph.from_lines([[(col, -row) for row, col in edge] for edge in edges])


def road(*lines):
    return RoadGraph.from_lines(lines)


def value(text):
    return [math.nan if part == "NaN" else float(part) for part in text.split()]


def test_sat2graph_equals_the_reference(vectors):
    cases = vectors("apls_sat2graph_go")
    assert cases
    for name, case in cases.items():
        tile = SMALL if case["small"] else {"bounds": (0, -2048, 2048, 0)}
        score = apls_sat2graph(north_up(case["gt_edges"]), north_up(case["pred_edges"]), **tile)
        outcomes = [value(outcome) for outcome in case["outcomes"]]
        ours = [score.truth_onto_prediction, score.prediction_onto_truth, score.value]
        if name == "empty_pred":
            assert ours[0] == 0
            assert math.isnan(ours[1])
            assert score.value == 0, "the reference gives NaN, and scripts leave the tile out"
            continue
        assert any(ours == pytest.approx(outcome, abs=1e-4, nan_ok=True) for outcome in outcomes), name


@pytest.mark.parametrize(
    ("predicted", "forth", "back", "mean"),
    [
        (road([(500, 500), (900, 500)]), 1, 1, 1),
        (road([(500, 505), (900, 505)]), 1, 1, 1),
        (road([(500, 512), (900, 512)]), 0, 0, 0),
        (road([(500, 500), (690, 500)], [(710, 500), (900, 500)]), 0.2121, 0.9952, 0.6037),
    ],
    ids=["same", "5 m beside", "12 m beside", "a gap of 20 m"],
)
def test_values_that_the_reference_gave(predicted, forth, back, mean):
    score = apls_sat2graph(road([(500, 500), (900, 500)]), predicted, **TILE)
    ours = score.truth_onto_prediction, score.prediction_onto_truth, score.value
    assert ours == pytest.approx((forth, back, mean), abs=1e-4)


def test_one_of_two_roads():
    both = road([(500, 500), (900, 500)], [(500, 800), (900, 800)])
    score = apls_sat2graph(both, road([(500, 500), (900, 500)]), **TILE)
    assert (score.truth_onto_prediction, score.prediction_onto_truth) == pytest.approx((0.1619, 1), abs=1e-4)


def test_the_two_variants_are_different_metrics():
    from roadlift.evaluate import apls_spacenet

    truth, beside = road([(500, 500), (900, 500)]), road([(500, 505), (900, 505)])
    assert apls_spacenet(truth, beside).value == 0
    assert apls_sat2graph(truth, beside, **TILE).value == 1


def test_a_ring_has_no_control_points():
    ring = road([(500, 500), (900, 500), (900, 900), (500, 900), (500, 500)])
    score = apls_sat2graph(ring, ring, **TILE)
    assert math.isnan(score.value)
    assert "no control points in the truth" in score.reason


def test_roads_through_a_ring_are_found():
    lines = [[(500, 500), (900, 500), (900, 900), (500, 900), (500, 500)], [(500, 500), (300, 300)]]
    assert apls_sat2graph(road(*lines), road(*lines), **TILE).value == 1


def test_no_interval_is_refused():
    with pytest.raises(UsageError, match="interval_m is 0"):
        apls_sat2graph(road([(0, 0), (9, 0)]), road([(0, 0), (9, 0)]), interval_m=0)
