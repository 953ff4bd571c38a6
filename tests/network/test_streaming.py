"""A raster of any size, read in strips of any height, gives the same network, edge by edge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from roadlift.imagery import Georef, Window
from roadlift.network import NetworkOptions, vectorize
from roadlift.network import raster as raster_module
from roadlift.network.blocks import BLOCK_PX, MARGIN_M

DATA = Path(__file__).parents[2].parent / "shared/data/massachusetts"
PIXELS = Georef(None, Affine.identity())


class Windows:
    """A raster that notes what is asked of it."""

    def __init__(self, values: np.ndarray):
        self._values = values
        self.largest = 0

    @property
    def shape(self) -> tuple[int, int]:
        return self._values.shape

    def read(self, window: Window) -> np.ndarray:
        assert window == window.clip(self.shape)
        self.largest = max(self.largest, window.height * window.width)
        return self._values[window.slices].copy()


def roads_in_strips(values, pixels: int, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster_module, "STRIP_PIXELS", pixels)
        return vectorize(values, PIXELS, ground_resolution_m=1.0, options=NetworkOptions(**options))


def assert_same(one, two) -> None:
    for table in ("edges", "nodes", "issues"):
        first, second = getattr(one, table), getattr(two, table)
        assert first.drop(columns="geometry").equals(second.drop(columns="geometry")), table
        assert shapely.equals_identical(first.geometry.to_numpy(), second.geometry.to_numpy()).all(), table


def probabilities(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Smooth random ridges with no-data holes: everything from rings to gaps occurs in them."""
    generator = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(generator.normal(size=shape), 4 + 4 * generator.random())
    ridges = np.exp(-((noise / noise.std() / (0.1 + 0.2 * generator.random())) ** 2)) * 254
    ridges[generator.random(shape) < 0.02] = 0
    values = np.round(ridges).astype(np.uint8)
    values[ndimage.gaussian_filter(generator.normal(size=shape), 8) > 0.09] = 255
    return values


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.integers(20, 150), st.integers(20, 150), st.integers(1, 60))
def test_random_rasters(seed: int, rows: int, cols: int, height: int) -> None:
    values = probabilities(seed, (rows, cols))
    options = {"min_length_m": 5.0, "max_width_m": 20.0}
    assert_same(
        roads_in_strips(values, 1 << 23, **options), roads_in_strips(values, height * cols, **options)
    )


@pytest.mark.parametrize("height", [7, 97])
@pytest.mark.skipif(not DATA.exists(), reason="needs the labelled imagery at ../shared/data")
def test_real_masks(height: int) -> None:
    paths = sorted((DATA / "dev/masks").glob("*.png"))[:4]
    masks = [np.asarray(Image.open(path).convert("L")) > 127 for path in paths]
    values = np.vstack([np.hstack(masks[:2]), np.hstack(masks[2:])]).astype(np.uint8) * 254
    whole = roads_in_strips(values, 1 << 23)
    assert len(whole.edges) > 30
    assert_same(whole, roads_in_strips(values, height * values.shape[1]))


def test_a_block_is_all_that_is_read_at_once() -> None:
    values = np.zeros((13_000, 50), np.uint8)
    values[:, 20:27] = 254
    raster = Windows(values)
    found = roads_in_strips(raster, 64 * 50)
    assert len(found.edges) == 1
    assert raster.largest <= (BLOCK_PX + 2 * MARGIN_M) * 50


def test_seventy_thousand_pixels_wide() -> None:
    values = np.zeros((60, 70_000), np.uint8)
    values[27:34] = 254
    values[:, 65_533:65_540] = 254
    found = vectorize(values, PIXELS, ground_resolution_m=1.0)
    assert sorted(found.nodes["kind"]) == ["border"] * 4 + ["junction"]
    crossing = found.nodes[found.nodes["kind"] == "junction"].geometry.iloc[0]
    assert crossing.distance(shapely.Point(65_536.5, 30.5)) < 0.05
    assert found.length_km * 1000 == pytest.approx(70_060, rel=1e-6)


def test_a_grid_of_many_junctions() -> None:
    """Streets 12 px apart on 1000 x 1000 px: the same per pixel as the 4000 x 4000 grid of the benchmark."""
    size, step = 1000, 12
    values = np.zeros((size, size), np.uint8)
    for shift in range(3):
        values[4 + shift :: step] = values[:, 4 + shift :: step] = 254
    found = vectorize(values, PIXELS, ground_resolution_m=1.0, options=NetworkOptions(max_hole_m2=0))
    count = len(range(5, size, step))
    degree = found.nodes["degree"]
    assert (degree == 4).sum() == count**2
    assert len(found.edges) == 2 * count * (count + 1)
    inner = found.edges[~found.edges["border"]]
    np.testing.assert_allclose(inner["length_m"], step, atol=0.01)
    np.testing.assert_allclose(found.edges["width_m"], 3, atol=0.01)
