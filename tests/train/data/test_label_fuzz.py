"""Masks of any type and any damage are read, or refused by name."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roadlift.errors import RoadliftError
from roadlift.train.data import read_sample

SIDE = 8
TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]


def _values(dtype):
    if dtype.startswith("float"):
        width = int(dtype[5:])
        return st.floats(width=width) | st.sampled_from([0.0, 0.25, 1.0])
    limits = np.iinfo(dtype)
    return st.integers(int(limits.min), int(limits.max)) | st.sampled_from([0, 1, int(limits.max)])


@st.composite
def _masks(draw):
    dtype = draw(st.sampled_from(TYPES))
    few = draw(st.lists(_values(dtype), min_size=1, max_size=3))
    shape = (draw(st.sampled_from([1, 1, 3])), SIDE, draw(st.sampled_from([SIDE, SIDE, SIDE + 1])))
    return draw(arrays(dtype, shape, elements=st.sampled_from(few)))


@pytest.fixture
def image(tmp_path, write_raster, picture):
    return write_raster(tmp_path / "a.png", picture(SIDE, SIDE))


def _read(image, mask):
    try:
        sample = read_sample(image, mask)
    except RoadliftError as error:
        assert mask.name in str(error)  # noqa: PT017
        return None
    assert sample.label.shape == (SIDE, SIDE)
    assert set(np.unique(sample.label)) <= {0, 1, 255}
    return sample.label


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=_masks(), nodata=st.sampled_from([None, 0, 1]))
def test_masks_of_any_type(image, write_raster, mask, nodata):
    path = write_raster(image.with_name("mask.tif"), mask, nodata=nodata)
    label = _read(image, path)
    if label is not None and nodata is None and set(np.unique(mask[0])) <= {0, 1}:
        np.testing.assert_array_equal(label, mask[0])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from([".png", ".tif", ".jpg"]), data=st.data())
def test_masks_with_any_damage(image, write_raster, suffix, data):
    mask = np.eye(SIDE, dtype=np.uint8) * 255
    path = image.with_name(f"mask{suffix}")
    path.unlink(missing_ok=True)
    write_raster(path, mask)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    _read(image, path)
