"""Rendered scenes, whose roads are known exactly: place, length and width of what is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from roadlift.network import vectorize
from roadlift.scene import render

SIZE = 384
MARGIN = 10


@pytest.fixture(scope="module", params=[100, 103, 106])
def scene(request: pytest.FixtureRequest):
    truth = render(request.param, shape=(SIZE, SIZE))
    return truth, vectorize(truth.mask.astype(np.uint8) * 254, truth.georef, ground_resolution_m=1.0)


def inside(lines, georef) -> np.ndarray:
    """What of the lines is clear of the frame, on which roads are cut in half."""
    x, y = georef.to_map(np.array([MARGIN, SIZE - MARGIN]), np.array([MARGIN, SIZE - MARGIN]))
    return shapely.intersection(lines.to_numpy(), shapely.box(x.min(), y.min(), x.max(), y.max()))


def test_lines_lie_within_half_a_pixel_of_the_true_centrelines(scene) -> None:
    truth, roads = scene
    drawn = inside(roads.edges.geometry, truth.georef)
    points = shapely.points(shapely.get_coordinates(shapely.segmentize(drawn, 1.0)))
    distance = shapely.distance(truth.roads().geometry.union_all(), points)
    assert distance.mean() < 0.3
    assert np.quantile(distance, 0.95) < 1.0


def test_the_length_is_that_of_the_true_roads(scene) -> None:
    truth, roads = scene
    drawn, true = (inside(table.geometry, truth.georef) for table in (roads.edges, truth.roads()))
    assert shapely.length(drawn).sum() == pytest.approx(shapely.length(true).sum(), rel=0.01)


def test_widths_are_those_of_the_true_roads(scene) -> None:
    truth, roads = scene
    table = truth.roads()
    middle = shapely.line_interpolate_point(roads.edges.geometry.to_numpy(), 0.5, normalized=True)
    nearest = shapely.STRtree(table.geometry.to_numpy()).nearest(middle)
    sure = shapely.distance(table.geometry.to_numpy()[nearest], middle) < 1.5
    error = roads.edges["width_m"].to_numpy() - table["width_m"].to_numpy()[nearest]
    known = np.isfinite(error)
    assert (sure & known).sum() >= 8
    assert np.abs(error[sure & known]).max() < 1.5
    assert roads.edges["length_m"].to_numpy()[~known].sum() < 0.01 * roads.edges["length_m"].sum()


def test_no_two_roads_cross(scene) -> None:
    _, roads = scene
    assert "crosses another road without a junction" not in set(roads.issues["reason"])
