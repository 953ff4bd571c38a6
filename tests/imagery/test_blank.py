"""What fills an image up where it shows nothing has no say in its statistics."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from roadlift.imagery import ImagerySource, Pixels, Stretch, sample_of_image, without_filling
from roadlift.scene import render


def _everywhere(values):
    return Pixels(values, np.ones(values.shape[1:], bool))


@pytest.mark.parametrize("filling", [0, 2, 252, 255])
def test_collars_do_not_change_the_stretch(tmp_path, filling):
    scene = np.moveaxis(render(1, shape=(300, 300)).image, 2, 0)
    collared = np.pad(scene, [(0, 0), (200, 400), (300, 500)], constant_values=filling)
    path = tmp_path / "collared.tif"
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "height": 900, "width": 1100}
    place = {"crs": "EPSG:32619", "transform": Affine(1, 0, 300_000, 0, -1, 4_700_000), "photometric": "RGB"}
    with rasterio.open(path, "w", **profile, **place) as file:
        file.write(collared)
    with ImagerySource(path) as source:
        assert Stretch.fit(sample_of_image(source)) == Stretch.fit(_everywhere(scene))


def test_small_dark_things_count():
    values = np.full((3, 60, 60), 90, np.uint8)
    values[:, 5:15, 5:15] = 0
    values[0, 20:50, 20:50] = 0
    assert without_filling(_everywhere(values)).valid.all()
    assert without_filling(_everywhere(values), scale=0.25).valid.sum() == 3500


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_other_types_are_filled_with_zeros(dtype):
    values = np.full((3, 60, 60), 1000, dtype)
    values[:, :30] = 0
    values[:, 30:31] = 1
    assert without_filling(_everywhere(values)).valid.sum() == 1800


def test_where_nothing_else_is_the_whole_range_is_taken():
    assert Stretch.fit(without_filling(_everywhere(np.zeros((3, 40, 40), np.uint8)))) == Stretch.none("uint8")
