from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine

from roadlift.imagery.georef import Georef
from roadlift.network import vectorize
from roadlift.network.centre import centre_lines
from roadlift.network.frame import reach_border
from roadlift.network.linegraph import LineGraph
from roadlift.network.polylines import Polylines
from roadlift.network.raster import ArrayRaster

PIXELS = Georef(None, Affine.identity())
SIZE = 160


def bend(seed: int) -> shapely.LineString:
    """A smooth curve across the whole picture, x and y."""
    generator = np.random.default_rng(seed)
    x = np.linspace(-20, SIZE + 20, 800)
    y = SIZE / 2 + sum(
        generator.normal() * 22 / k**1.5 * np.sin(k * x / 40 + generator.random() * 6) for k in (1, 2, 3)
    )
    return shapely.LineString(np.stack([x, y], axis=1) if seed % 2 else np.stack([y, x], axis=1))


def render(lines, width: float, softness: float = 1.0) -> np.ndarray:
    """Probability that falls off at both edges of roads of one width."""
    rows, cols = np.mgrid[:SIZE, :SIZE]
    shape = shapely.union_all(lines)
    shapely.prepare(shape)
    distance = shapely.distance(shape, shapely.points(cols + 0.5, rows + 0.5))
    return np.round(254 / (1 + np.exp((distance - width / 2) / softness))).astype(np.uint8)


@pytest.mark.parametrize(("seed", "width", "softness"), [(0, 5, 0.2), (1, 7, 1.0), (2, 12, 1.5), (3, 7, 0.2)])
def test_lines_lie_in_the_middle_to_a_fraction_of_a_pixel(seed: int, width: float, softness: float) -> None:
    truth = bend(seed)
    inside = truth.intersection(shapely.box(0, 0, SIZE, SIZE))
    roads = vectorize(render([truth], width, softness), PIXELS, ground_resolution_m=1.0)
    assert len(roads.edges) == 1
    line = roads.edges.geometry.iloc[0]
    points = shapely.points(shapely.get_coordinates(shapely.segmentize(line, 1.0)))
    assert shapely.distance(truth, points).mean() < 0.25
    assert line.length == pytest.approx(inside.length, rel=0.01)
    assert roads.edges["width_m"].iloc[0] == pytest.approx(width, abs=0.75)


def straight(offset: float, border: bool = False) -> LineGraph:
    lines = Polylines.of([[(20 + offset, 0), (20 + offset, 59)]])
    ends = np.array([[20 + offset, 0.0], [20 + offset, 59.0]])
    return LineGraph(ends, np.full(2, border), np.full(2, 4.0), np.array([0]), np.array([1]), lines)


@pytest.mark.parametrize("offset", [0.0, 0.5, -1.5])
def test_a_line_beside_the_middle_moves_there_with_its_ends(offset: float) -> None:
    raster = np.zeros((41, 60), np.uint8)
    raster[17:24] = 254
    graph = centre_lines(straight(offset), ArrayRaster(raster), max_width=20, sigma=3)
    np.testing.assert_allclose(graph.lines.coordinates[:, 0], 20, atol=1e-6)
    np.testing.assert_array_equal(graph.nodes, [graph.lines.starts[0], graph.lines.ends[0]])


def test_a_wide_place_does_not_pull_the_line() -> None:
    raster = np.zeros((41, 60), np.uint8)
    raster[17:24] = 254
    raster[17:35, 25:32] = 254  # a car park on one side
    graph = centre_lines(straight(0.0), ArrayRaster(raster), max_width=60, sigma=3)
    np.testing.assert_allclose(graph.lines.coordinates[:, 0], 20, atol=0.05)


def test_lines_that_leave_reach_the_edge_of_the_image() -> None:
    graph = reach_border(straight(0.0, border=True), (41, 60))
    assert graph.nodes.tolist() == [[20, -0.5], [20, 59.5]]
    assert graph.lines.lengths.tolist() == [60]
    untouched = reach_border(straight(0.0, border=False), (41, 60))
    assert untouched.lines.lengths.tolist() == [59]


def test_an_oblique_line_is_lengthened_along_itself() -> None:
    lines = Polylines.of([[(10, 10), (1, 1)]])
    graph = LineGraph(
        np.array([[10.0, 10], [1, 1]]),
        np.array([False, True]),
        np.ones(2),
        np.array([0]),
        np.array([1]),
        lines,
    )
    np.testing.assert_allclose(reach_border(graph, (30, 30)).nodes[1], [-0.5, -0.5])


def test_an_end_beside_no_data_far_from_the_edge_stays() -> None:
    lines = Polylines.of([[(10, 10), (10, 20)]])
    graph = LineGraph(
        np.array([[10.0, 10], [10, 20]]), np.ones(2, bool), np.ones(2), np.array([0]), np.array([1]), lines
    )
    assert reach_border(graph, (30, 60)).nodes.tolist() == [[10, 10], [10, 20]]
