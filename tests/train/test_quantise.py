"""int8 is drawn from training images, checked before it is written, and loaded where it is quick."""

import numpy as np
import pytest

from roadlift.errors import InputError, ModelError, UsageError
from roadlift.model import load_model
from roadlift.model.library import is_quantised, model_bytes
from roadlift.model.processor import has_int8_arithmetic
from roadlift.train.data import IGNORE, Sample
from roadlift.train.judge import ratio_interval
from roadlift.train.publish import check_int8
from roadlift.train.quantise import calibration_crops


def _sample(rows, cols, *, blank=False):
    label = np.full((rows, cols), IGNORE if blank else 0, np.uint8)
    return Sample("a", np.full((rows, cols, 3), 9, np.uint8), label)


def test_crops_leave_blank_images_out_and_fit_the_stride():
    crops = calibration_crops([_sample(70, 400), _sample(400, 400, blank=True)], stride=32)
    assert [crop.shape for crop in crops] == [(64, 320, 3)]


def test_images_without_any_usable_part_are_refused():
    with pytest.raises(InputError, match="None of the 1 training images"):
        calibration_crops([_sample(400, 400, blank=True)], stride=32)
    with pytest.raises(InputError, match="32 x 32"):
        calibration_crops([_sample(20, 20)], stride=32)


@pytest.mark.parametrize("int8", [0.5449, float("nan")])
def test_int8_that_loses_too_much_is_refused_with_the_figures(int8):
    with pytest.raises(ModelError, match=r"0\.5500.*--no-int8"):
        check_int8(0.55, int8)


def test_int8_that_loses_little_is_taken():
    check_int8(0.55, 0.5451)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flags\t\t: fpu avx512_vnni sse", True),
        ("Features\t: fp asimddp", True),
        ("flags\t\t: fpu avx2", False),
    ],
)
def test_int8_arithmetic_is_told_from_the_flags_of_the_processor(tmp_path, text, expected):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\n{text}\n")
    assert has_int8_arithmetic(file) is expected


def test_a_processor_that_tells_nothing_computes_in_float(tmp_path):
    assert has_int8_arithmetic(tmp_path / "none") is False


def test_the_built_in_model_has_both_precisions():
    tile = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    models = {precision: load_model(precision=precision, threads=1) for precision in ("f32", "int8")}
    assert {name: model.runtime.precision for name, model in models.items()} == {"f32": "f32", "int8": "int8"}
    ours, theirs = (model.predict(tile).astype(int) for model in models.values())
    assert 0 < np.abs(ours - theirs).max() < 40
    assert models["f32"].card.scores == models["int8"].card.scores


def test_a_float_file_is_not_taken_for_int8(tmp_path):
    path = tmp_path / "float.onnx"
    path.write_bytes(model_bytes("roadlift-1m")[0])
    assert not is_quantised(path.read_bytes())
    with pytest.raises(UsageError, match="not an int8 network"):
        load_model(path, precision="int8")


def test_an_interval_is_that_of_images_drawn_again():
    low, high = ratio_interval(np.array([0.0, 1.0] * 50), np.ones(100))
    assert 0.38 < low < 0.44
    assert 0.56 < high < 0.62
