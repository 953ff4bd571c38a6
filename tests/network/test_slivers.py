"""Loops around strips that are too narrow for a block."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine

from roadlift.imagery.georef import Georef
from roadlift.network import NetworkOptions, vectorize
from roadlift.network.faces import faces_of
from roadlift.network.polylines import Polylines
from roadlift.network.slivers import find_slivers

REASON = "loop around a strip too narrow for a block"


def lens(apart: float, length: float = 60.0) -> Polylines:
    side = [(0, 0), (8, apart / 2), (length - 8, apart / 2), (length, 0)]
    return Polylines.of(
        [side, [(x, -y) for x, y in side], [(-40, 0), (0, 0)], [(length, 0), (length + 40, 0)]]
    )


@pytest.mark.parametrize(("apart", "narrow"), [(8, True), (10, True), (14, False)])
def test_a_lens_is_told_by_the_strip_between_its_roads(apart: float, narrow: bool) -> None:
    found = find_slivers(lens(apart), np.full(4, 7.0), min_block=4.0)
    assert len(found) == narrow
    if narrow:
        assert found.starts.tolist() == found.ends.tolist()
        assert found.lengths[0] == pytest.approx(lens(apart).lengths[:2].sum())


def test_narrower_roads_leave_more_between_them() -> None:
    assert len(find_slivers(lens(10), np.full(4, 3.0), min_block=4.0)) == 0
    assert len(find_slivers(lens(10), np.array([3.0, 11.0, 9, 9]), min_block=4.0)) == 1


def test_a_turning_circle_is_none() -> None:
    turn = np.linspace(0, 2 * np.pi, 60)
    circle = 7 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    circle[-1] = circle[0]
    assert len(find_slivers(Polylines.of([circle]), np.array([7.0]), min_block=4.0)) == 0


def test_unknown_widths_and_no_lines() -> None:
    assert len(find_slivers(lens(3), np.full(4, np.nan), min_block=4.0)) == 1
    assert len(find_slivers(Polylines.of([]), np.empty(0), min_block=4.0)) == 0


def test_neighbouring_faces_share_a_line() -> None:
    square = [
        [(0, 0), (0, 9)],
        [(0, 0), (9, 0), (9, 9), (0, 9)],
        [(0, 0), (-9, 0), (-9, 9), (0, 9)],
        [(0, 9), (0, 20)],
    ]
    rings, line, face = faces_of(Polylines.of(square))
    assert shapely.length(rings).tolist() == [36, 36]
    assert sorted(line.tolist()) == [0, 0, 1, 2]
    assert np.bincount(face).tolist() == [2, 2]


@pytest.mark.parametrize(("block", "listed"), [(4.0, 1), (1.0, 0), (0.0, 0)])
def test_a_painted_median_is_listed_and_stays(block: float, listed: int) -> None:
    mask = np.zeros((80, 240), np.uint8)
    mask[36:43, :] = mask[31:48, 70:170] = 254
    mask[38:41, 75:165] = 0
    options = NetworkOptions(min_block_m=block)
    roads = vectorize(mask, Georef(None, Affine.identity()), ground_resolution_m=1.0, options=options)
    assert (roads.issues["reason"] == REASON).sum() == listed
    assert (roads.nodes["degree"] == 3).sum() == 2
    assert len(roads.edges) == 4
