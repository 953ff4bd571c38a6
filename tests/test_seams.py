"""Seams of the shipped model: exact tiles leave none, default ones few; docs/tiling.md has the whole table."""

from pathlib import Path

import numpy as np
import pytest

from roadlift import ExtractOptions, load_model
from roadlift.imagery import ImagerySource, Pixels
from roadlift.network import road_mask
from roadlift.segment import NO_DATA, PredictOptions, predict

IMAGE = Path(__file__).parents[2] / "shared" / "data" / "georeferenced" / "agawam_4500x6000_1m.tif"
SHAPE = (1000, 1000)


class _Crop:
    """The middle of an image."""

    shape = SHAPE

    def __init__(self, source):
        self._source, self.dtype = source, source.dtype

    def read(self, window):
        return self._source.read(window.shift(900, 900))

    def sample(self, max_pixels=2**20):
        pixels = self._source.sample(max_pixels)
        return Pixels(pixels.values, pixels.valid)


class _Array:
    def __init__(self):
        self.array = np.full(SHAPE, NO_DATA, np.uint8)

    def write(self, window, values):
        self.array[window.slices] = values


@pytest.mark.skipif(not IMAGE.exists(), reason="the imagery ../shared/data/georeferenced is not here")
def test_tiles_of_the_shipped_model_equal_the_whole_image():
    model = load_model()
    options = ExtractOptions().network(model.card)

    def run(**how):
        sink = _Array()
        with ImagerySource(IMAGE) as source:
            predict(_Crop(source), model, sink, PredictOptions(**how))
        return sink.array, road_mask(sink.array, ground_resolution_m=1.0, options=options)

    whole, mask = run(tile_size=1024, exact=True)
    assert mask.sum() > 40_000
    _, default = run(tile_size=512)
    _, patches = run(tile_size=256, halo=0)
    assert (default != mask).sum() < 5e-4 * mask.sum()
    assert (patches != mask).sum() > 0.03 * mask.sum()
    exact, exact_mask = run(tile_size=512, exact=True)
    assert np.abs(exact.astype(int) - whole).max() <= 1
    assert np.array_equal(exact_mask, mask)
