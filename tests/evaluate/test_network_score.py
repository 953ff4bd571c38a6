import math

import numpy as np
import pytest

from roadlift.evaluate import NetworkShape, RoadGraph, network_score

ROAD = RoadGraph.from_lines([[(0, 0), (1000, 0)]], widths_m=7)


def test_shapes_of_tiles_add_up():
    shape = NetworkShape.of(ROAD) + NetworkShape.of(ROAD)
    assert (shape.length_km, shape.components, shape.dead_ends) == (2, 2, 4)
    assert (shape.components_per_km, shape.dead_ends_per_km) == (1, 2)


def test_ends_at_the_border_are_no_dead_ends():
    assert NetworkShape.of(ROAD, bounds=(0, -100, 1200, 100)).dead_ends == 1


def test_a_crossing_is_one_junction_of_one_piece():
    cross = RoadGraph.from_lines([[(0, 0), (x, y)] for x, y in [(90, 0), (-90, 0), (0, 90), (0, -90)]])
    shape = NetworkShape.of(cross)
    assert (shape.components, shape.junctions, shape.dead_ends) == (1, 1, 4)


def test_length_offset_and_width():
    predicted = RoadGraph.from_lines(
        [[(0, 3), (600, 3)], [(0, 50), (400, 50)]], widths_m=np.array([9.0, 20.0])
    )
    score = network_score(ROAD, predicted)
    assert (score.length_ratio, score.matched_km, score.offset_m) == pytest.approx((1, 0.6, 3))
    assert (score.width_error_m, score.width_bias_m) == pytest.approx((2, 2))


def test_widths_too_wide_and_too_narrow_do_not_cancel():
    predicted = RoadGraph.from_lines(
        [[(0, 0), (500, 0)], [(500, 0), (1000, 0)]], widths_m=np.array([5.0, 9.0])
    )
    score = network_score(ROAD, predicted)
    assert (score.width_error_m, score.width_bias_m) == pytest.approx((2, 0))


def test_what_is_undefined_says_why():
    empty, bare = RoadGraph.from_lines([]), RoadGraph.from_lines([[(0, 0), (1000, 0)]])
    assert "no road has its width" in network_score(ROAD, bare).reason
    score = network_score(empty, ROAD)
    assert math.isnan(score.length_ratio)
    assert math.isnan(score.offset_m)
    assert "within 10 m" in score.reason
    assert math.isnan(network_score(empty, empty).predicted.dead_ends_per_km)
