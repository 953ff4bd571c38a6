import math

import pytest

from roadlift.errors import UsageError
from roadlift.evaluate import RoadGraph, junction_score

ARMS = ((-200, 0), (200, 0), (0, -200), (0, 200))


def cross(x=0.0, y=0.0, arms=ARMS):
    return [[(x, y), (x + dx, y + dy)] for dx, dy in arms]


def graph(*lines):
    return RoadGraph.from_lines(lines)


def same(ours, theirs):
    return math.isnan(ours) if theirs is None else ours == pytest.approx(theirs, abs=1e-9)


def test_junction_score_equals_the_reference(vectors):
    cases = vectors("junction_roadtracer")
    assert cases
    for name, case in cases.items():
        sides = [RoadGraph.from_lines(case[key]) for key in ("gt_edges", "pred_edges")]
        theirs = case["result"]
        score = junction_score(*sides, scale=case["scale"])
        if "error" in theirs:
            assert math.isnan(score.correct), name
            assert score.error == 1, name
            continue
        assert same(score.correct, theirs["f_correct"]), name
        assert same(score.error, theirs["f_error"]), name
        assert (score.truth, score.predicted, score.matched, score.extra) == tuple(
            theirs[key] for key in ("n_truth", "n_pred", "n_correct", "n_extra")
        ), name


@pytest.mark.parametrize(
    ("truth", "predicted", "correct", "error"),
    [
        (cross(), cross(), 1, 0),
        (cross(), cross(arms=ARMS[:3]), 0.75, 0),
        (cross(arms=ARMS[:3]), cross(), 1, 0.2),
        (cross(), cross(100), 0, 1),
        (cross() + cross(1000), cross(), 0.5, 0),
        (cross(), cross() + cross(1000), 1, 0.5),
    ],
    ids=["same", "an arm missed", "an arm too many", "too far", "one of two", "one too many"],
)
def test_crosses(truth, predicted, correct, error):
    score = junction_score(graph(*truth), graph(*predicted))
    assert (score.correct, score.error) == pytest.approx((correct, error))


def test_two_nodes_near_each_other_are_one_junction():
    offset = [
        [(-200, 0), (0, 0)],
        [(0, 0), (0, 200)],
        [(0, 0), (20, 0)],
        [(20, 0), (20, -200)],
        [(20, 0), (200, 0)],
    ]
    score = junction_score(graph(*offset), graph(*cross()))
    assert (score.truth, score.matched, score.correct) == (1, 1, 1)


def test_junctions_that_only_the_prediction_has_are_all_wrong():
    score = junction_score(graph([(0, 0), (9, 0)]), graph(*cross(), *cross(1000)))
    assert math.isnan(score.correct)
    assert (score.error, score.extra, score.reason) == (1, 2, "the truth has no junction")


def test_the_border_can_be_left_out():
    roads = graph(*cross(), *cross(1000))
    assert junction_score(roads, roads, bounds=(-50, -50, 50, 50)).truth == 1


def test_scale_multiplies_the_radii():
    assert junction_score(graph(*cross()), graph(*cross(100)), scale=1.7).correct == 1


def test_no_scale_is_refused():
    with pytest.raises(UsageError, match="scale is 0"):
        junction_score(graph(), graph(), scale=0)
