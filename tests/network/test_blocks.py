"""A raster in blocks gives the network that it gives as a whole: roads across seams, along them, around their corners."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from roadlift.imagery import Georef
from roadlift.network import NetworkOptions, road_mask, vectorize
from roadlift.network import blocks as blocks_module
from roadlift.network.blocks import blocks_of, road_masks
from roadlift.scene import render
from roadlift.segment import blocks_in

PIXELS = Georef(None, Affine.identity())
ROW, COL = np.mgrid[:1000, :1000].astype(float)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 512 pixels at most, with a margin of 128."""
    monkeypatch.setattr(blocks_module, "BLOCK_PX", 512)
    monkeypatch.setattr(blocks_module, "ALIGNED_PX", 64)


@pytest.fixture(scope="module")
def scene():
    return render(4, shape=(1050, 1000)).label() > 0


def roads_of(mask, **how):
    return vectorize(np.where(mask, 254, 0).astype(np.uint8), PIXELS, ground_resolution_m=1.0, **how)


def whole_of(mask):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_module, "BLOCK_PX", 10_000)
        return roads_of(mask)


def beyond(one, other, distance):
    """Metres of the roads of ``one`` that are farther than that from those of ``other``."""
    return one.edges.union_all().difference(other.edges.union_all().buffer(distance)).length


def assert_alike(one, other, *, within=0.5):
    assert len(one.edges) == len(other.edges)
    assert one.nodes["kind"].value_counts().to_dict() == other.nodes["kind"].value_counts().to_dict()
    assert one.length_km == pytest.approx(other.length_km, rel=1e-3)
    assert beyond(one, other, within) == beyond(other, one, within) == 0
    assert np.sort(one.edges["width_m"]) == pytest.approx(
        np.sort(other.edges["width_m"]), abs=0.2, nan_ok=True
    )
    assert len(one.issues) == len(other.issues)


@given(st.integers(1, 30_000), st.integers(1, 30_000), st.integers(0, 300))
def test_cores_cover_the_raster_once(rows, cols, margin):
    found = blocks_of((rows, cols), margin=margin)
    assert sum(block.core.height * block.core.width for block in found) == rows * cols
    for block in found:
        assert max(block.core.shape) <= blocks_module.BLOCK_PX + blocks_module.ALIGNED_PX
        assert block.core.row % blocks_module.ALIGNED_PX == block.core.col % blocks_module.ALIGNED_PX == 0
        assert block.window == block.core.pad(margin).clip((rows, cols))


@pytest.mark.parametrize(("shift", "slope"), [(0, 0), (0.5, 0), (-0.5, 0.004), (1, 0.03)])
def test_a_road_along_a_seam_is_one_road(small_blocks, shift, slope):
    """The seams of 1000 pixels in two blocks lie at 512."""
    mask = np.abs(ROW - 512 - shift - slope * (COL - 400)) < 4
    mask |= np.abs(COL - 300) < 4
    found = roads_of(mask)
    assert sorted(found.nodes["kind"]) == ["border"] * 4 + ["junction"]
    assert len(found.edges) == 4
    assert_alike(found, whole_of(mask))


def test_rings_over_seams(small_blocks):
    distance = np.hypot(ROW - 520, COL - 505)
    mask = (np.abs(distance - 40) < 3) | (np.abs(distance - 400) < 4)
    found = roads_of(mask)
    assert sorted(found.edges["u"] == found.edges["v"]) == [True, True]
    assert found.length_km * 1000 == pytest.approx(2 * np.pi * 440, rel=0.01)
    assert beyond(found, whole_of(mask), 0.5) == 0


def test_a_fork_and_a_gap_on_a_corner(small_blocks):
    mask = (np.abs(ROW - 512) < 4) & (np.abs(COL - 530) > 12)
    mask |= (np.abs(ROW - COL) < 5) & (ROW < 505)
    mask |= np.abs(ROW - COL - 60) < 5
    assert_alike(roads_of(mask), whole_of(mask))


def test_a_scene(small_blocks, scene, monkeypatch):
    found = roads_of(scene)
    assert_alike(found, whole_of(scene))
    monkeypatch.setattr("roadlift.network.raster.STRIP_PIXELS", 20_000)
    for processes in (1, 3):
        other = roads_of(scene, processes=processes)
        assert found.edges.drop(columns="geometry").equals(other.edges.drop(columns="geometry"))
        assert shapely.equals_identical(
            found.edges.geometry.to_numpy(), other.edges.geometry.to_numpy()
        ).all()
        assert found.issues.drop(columns="geometry").equals(other.issues.drop(columns="geometry"))


@given(st.integers(1, 30_000), st.integers(1, 30_000))
def test_the_plan_knows_the_blocks(rows, cols):
    assert blocks_in((rows, cols)) == len(blocks_of((rows, cols), margin=100))


def test_masks_of_blocks_are_parts_of_the_whole_mask(small_blocks, scene):
    values = np.where(scene, 254, 60).astype(np.uint8)
    values[500:520] = 140
    options = NetworkOptions()
    whole = road_mask(values, ground_resolution_m=1.0, options=options)
    found = np.zeros_like(whole)
    for window, mask in road_masks(values, ground_resolution_m=1.0, options=options):
        found[window.slices] = mask
    assert (found == whole).all()
