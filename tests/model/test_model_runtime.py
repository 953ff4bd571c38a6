"""Both runtimes: same numbers as NumPy, whatever the batch, the threads and the order of shapes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from scipy.ndimage import uniform_filter

from roadlift.errors import InputError, ModelError, UsageError
from roadlift.model import Model, _onnxruntime, _openvino, list_models, load_model, runtime
from roadlift.model.library import find_card

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOTH = pytest.mark.parametrize("name", ["openvino", "onnxruntime"])


def images(count: int, rows: int = 32, cols: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, rows, cols, 3)).astype(np.uint8)


def expected(batch: np.ndarray) -> np.ndarray:
    """The toy network in NumPy: 6 x mean over 5 x 5 x 3 of the zero-padded image, less 3, sigmoid."""
    mean = uniform_filter(batch.astype(np.float64) / 255, (0, 5, 5, 0), mode="constant").mean(axis=-1)
    return 254 / (1 + np.exp(3 - 6 * mean))


@BOTH
def test_against_numpy(toy_path: Path, name: str) -> None:
    model = load_model(toy_path, runtime=name, threads=1, precision="f32")
    batch = images(3)
    found = model.predict(batch)
    assert found.dtype == np.uint8
    assert np.abs(found - expected(batch)).max() <= 0.5001
    assert (model.runtime.name, model.runtime.device, model.runtime.precision) == (name, "cpu", "f32")


@BOTH
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_batches_and_threads_do_not_matter(toy_path: Path, name: str, threads: int) -> None:
    one = load_model(toy_path, runtime=name, threads=1)
    many = load_model(toy_path, runtime=name, threads=threads)
    batch = images(7)
    reference = one.predict(batch)
    parts = [batch[:1], batch[1:4], batch[4:5], batch[5:]]
    found = list(many.predict_many(iter(parts)))
    assert [len(part) for part in found] == [1, 3, 1, 2]
    assert np.array_equal(np.concatenate(found), reference)
    assert list(many.predict_many([])) == []


@BOTH
def test_shapes_may_change_and_come_back(toy_path: Path, name: str) -> None:
    model = load_model(toy_path, runtime=name, threads=2, precision="f32")
    shapes = [(8, 8), (8, 16), (16, 8), (24, 8), (8, 24), (8, 8)]
    batches = [images(2, *shape, seed=3) for shape in shapes]
    for batch, found in zip(batches, model.predict_many(batches), strict=True):
        assert np.abs(found - expected(batch)).max() <= 0.5001


@BOTH
def test_input_that_is_not_contiguous(toy_path: Path, name: str) -> None:
    model = load_model(toy_path, runtime=name, threads=1, precision="f32")
    batch = images(2, 32, 48)[:, ::2, ::-2]
    batch.flags.writeable = False
    assert np.abs(model.predict(batch) - expected(batch)).max() <= 0.5001


@BOTH
def test_stream_takes_only_what_it_can_keep_busy(toy_path: Path, name: str) -> None:
    model = load_model(toy_path, runtime=name, threads=2)
    taken = 0

    def batches() -> Iterator[np.ndarray]:
        nonlocal taken
        for _ in range(50):
            taken += 1
            yield images(1, 8, 8)

    stream = model.predict_many(batches())
    next(stream)
    assert taken <= 5
    stream.close()


@BOTH
def test_an_error_of_the_reader_comes_through(toy_path: Path, name: str) -> None:
    model = load_model(toy_path, runtime=name, threads=2)

    def batches() -> Iterator[np.ndarray]:
        yield images(1)
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(model.predict_many(batches()))
    assert model.predict(images(1)).shape == (1, 32, 24)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (np.zeros((1, 8, 8, 3), np.float32), "float32"),
        (np.zeros((8, 8, 3), np.uint8), r"\(8, 8, 3\)"),
        (np.zeros((1, 8, 8, 4), np.uint8), "uint8"),
        (np.zeros((0, 8, 8, 3), np.uint8), "uint8"),
        (np.zeros((1, 8, 9, 3), np.uint8), "multiples of 8"),
    ],
)
def test_batches_of_the_wrong_kind(toy_path: Path, batch: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_model(toy_path, threads=1).predict(batch)


def test_bfloat16(toy_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        model = load_model(toy_path, threads=1, precision="bf16")
    except UsageError:
        pytest.skip("this processor has no bfloat16")
    assert np.abs(model.predict(images(2)) - expected(images(2))).max() <= 3
    without = _CoreWithoutBf16()
    monkeypatch.setattr(model.runtime, "_core", without)
    with pytest.raises(UsageError, match="no bfloat16"):
        model.runtime._choose_precision("bf16")
    assert model.runtime._choose_precision("auto") == "f32"


class _CoreWithoutBf16:
    def get_property(self, _device: str, _name: str) -> list[str]:
        return ["FP32"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "torch"}, "runtime is 'torch'; allowed: openvino, onnxruntime"),
        ({"device": "tpu"}, "allowed: cpu, gpu"),
        ({"precision": "f16"}, "allowed: auto, f32, bf16, int8"),
        ({"threads": 0}, "threads is 0"),
        ({"runtime": "onnxruntime", "precision": "bf16"}, "computes in f32 or int8"),
    ],
)
def test_options_that_are_not_allowed(toy_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_model(toy_path, **options)


def test_devices_that_are_not_there() -> None:
    with pytest.raises(UsageError, match="no gpu here; available: cpu"):
        _openvino._target(["CPU"], "gpu")
    assert _openvino._target(["CPU", "GPU.0", "GPU.1"], "gpu") == "GPU.0"
    with pytest.raises(UsageError, match="no gpu here"):
        _onnxruntime._provider(["CPUExecutionProvider"], "gpu")
    assert _onnxruntime._provider(["CUDAExecutionProvider"], "gpu") == "CUDAExecutionProvider"


def test_missing_onnx_runtime_names_the_extra(toy_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"pip install 'roadlift\[onnxruntime\]'"):
        load_model(toy_path, runtime="onnxruntime")


def test_threads_follow_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime.available_threads() >= 1
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    assert runtime.available_threads() >= 1


def _scaled_sigmoid(factor: float) -> tuple[Any, ...]:
    return (
        helper.make_node("Conv", ["image", "weights", "bias"], ["mean"], pads=[2, 2, 2, 2]),
        helper.make_node("Sigmoid", ["mean"], ["p"]),
        helper.make_node("Constant", [], ["factor"], value_float=factor),
        helper.make_node("Mul", ["p", "factor"], ["probability"]),
    )


@BOTH
def test_networks_that_do_not_keep_the_contract(
    make_toy: Callable[..., Path], toy_class: Any, name: str
) -> None:
    valid_size = (
        helper.make_node("Conv", ["image", "weights", "bias"], ["mean"]),
        helper.make_node("Sigmoid", ["mean"], ["probability"]),
    )
    nan_bias = numpy_helper.from_array(np.float32([np.nan]), "bias")
    weights = toy_class().build().graph.initializer[0]
    double = (helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT), *_renamed_input("real"))
    flat = (*_scaled_sigmoid(1.0)[:2], helper.make_node("Squeeze", ["p"], ["probability"]))
    for toy, message in (
        (toy_class(nodes=valid_size), "turns"),
        (toy_class(initializers=(weights, nan_bias)), "NaN"),
        (toy_class(nodes=_scaled_sigmoid(2.0)), "sigmoid inside the graph"),
        (toy_class(nodes=_scaled_sigmoid(-1.0)), "sigmoid inside the graph"),
        (toy_class(nodes=double, input_type=TensorProto.DOUBLE), "input 'image' .* is float64|double"),
        (toy_class(nodes=flat, output_shape=("rows", "cols")), "dimensions"),
        (toy_class(extra_outputs=("mean",)), "1 inputs and 2 outputs"),
        (toy_class(input_shape=("n", 4, "rows", "cols")), "cannot r"),
        (toy_class(nodes=(helper.make_node("NoSuchOperator", ["image"], ["probability"]),)), "cannot read"),
    ):
        with pytest.raises(ModelError, match=message):
            load_model(make_toy(toy), runtime=name, threads=1)


def _renamed_input(name: str) -> tuple[Any, ...]:
    return (
        helper.make_node("Conv", [name, "weights", "bias"], ["mean"], pads=[2, 2, 2, 2]),
        helper.make_node("Sigmoid", ["mean"], ["probability"]),
    )


def test_openvino_refuses_tensors_out_of_proportion_and_shapes_from_pixels(
    make_toy: Callable[..., Path], toy_class: Any
) -> None:
    repeats = numpy_helper.from_array(np.int64([1, 1, 2**16, 2**16]), "repeats")
    bomb = (
        *_renamed_input("image")[:1],
        helper.make_node("Tile", ["mean", "repeats"], ["big"]),
        helper.make_node("ReduceMax", ["big"], ["most"]),
        helper.make_node("Add", ["mean", "most"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["probability"]),
    )
    initializers = (*toy_class().build().graph.initializer, repeats)
    with pytest.raises(ModelError, match="elements at"):
        load_model(make_toy(toy_class(nodes=bomb, initializers=initializers)), threads=1)
    pixels = (
        *_renamed_input("image")[:1],
        helper.make_node("NonZero", ["image"], ["where"]),
        helper.make_node("Cast", ["where"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["real"], ["most"], keepdims=0),
        helper.make_node("Add", ["mean", "most"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["probability"]),
    )
    with pytest.raises(ModelError, match="depends on pixel values"):
        load_model(make_toy(toy_class(nodes=pixels)), threads=1)


def test_names_and_paths(toy_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_card(toy_path).name == "toy"
    monkeypatch.chdir(toy_path.parent)
    assert find_card("toy.onnx").name == "toy"
    monkeypatch.setattr(
        "roadlift.model.library._built_in", lambda: {"roadlift-1m": toy_path, "roadlift-2m": toy_path}
    )
    assert find_card("roadlift-1m").name == "toy"
    assert [card.name for card in list_models()] == ["toy", "toy"]
    assert isinstance(load_model("roadlift-1m", threads=1), Model)
    with pytest.raises(
        UsageError,
        match=r"no model 'roadlift1m'; did you mean 'roadlift-1m'\? built-in models: roadlift-1m, roadlift",
    ):
        load_model("roadlift1m")
    with pytest.raises(ModelError, match=r"not an \.onnx file"):
        load_model("nowhere/model")  # a path, though without a suffix
    with pytest.raises(ModelError, match=r"not an \.onnx file"):
        load_model("model.h5")


def test_a_runtime_that_has_rested_computes_the_same(toy_path: Path) -> None:
    model = load_model(toy_path, threads=1)
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    model.runtime.prepare((64, 64))
    before = model.predict(image)
    model.runtime.rest()
    assert np.array_equal(model.predict(image), before)


def test_built_in_models_keep_their_promises() -> None:
    for card in list_models():
        assert find_card(card.name) == card
        for precision in ("f32", "int8"):
            network = load_model(card.name, precision=precision, threads=1).runtime
            runtime.check_fits(network, stride=card.stride, source=card.name)


def test_no_runtime_before_a_model_is_loaded_and_no_telemetry_after(toy_path: Path) -> None:
    code = (
        "import sys, roadlift.model as m\n"
        "assert not {'openvino', 'onnxruntime', 'onnx', 'keras', 'tensorflow'} & set(sys.modules)\n"
        f"m.load_model({str(toy_path)!r}, threads=1)\n"
        "assert 'openvino' in sys.modules\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_output_of_an_error_without_text() -> None:
    assert runtime.first_line(RuntimeError()) == "RuntimeError"
    assert runtime.first_line(RuntimeError("a\n  b  \n")) == "b"


def test_a_failing_request_is_a_model_error(toy_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("Exception from src/plugins:\nout of memory")

    model = load_model(toy_path, threads=1)
    monkeypatch.setattr(
        model.runtime, "_finish", lambda program, running: model.runtime._guarded(lambda: broken(program))
    )
    with pytest.raises(ModelError, match="out of memory"):
        model.predict(images(1))


def test_weights_folder_is_found_without_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("roadlift.model.library.files", lambda _: tmp_path)
    assert list_models() == ()
    with pytest.raises(UsageError, match="built-in models: none"):
        load_model("roadlift-1m")
    assert Path(tmp_path).is_dir()


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_network_that_takes_too_long_is_refused(
    make_toy: Callable[..., Path], toy_class: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    wide = np.full((256, 3, 7, 7), 0.001, np.float32), np.full((256, 256, 7, 7), 0.001, np.float32)
    last = np.full((1, 256, 1, 1), 0.001, np.float32)
    weights = tuple(numpy_helper.from_array(w, f"w{i}") for i, w in enumerate((*wide, last)))
    nodes = (
        helper.make_node("Conv", ["image", "w0"], ["a"], pads=[3, 3, 3, 3]),
        helper.make_node("Conv", ["a", "w1"], ["b"], pads=[3, 3, 3, 3]),
        helper.make_node("Conv", ["b", "w2"], ["c"]),
        helper.make_node("Sigmoid", ["c"], ["probability"]),
    )
    path = make_toy(toy_class(nodes=nodes, initializers=weights))
    model = load_model(path, runtime=name, threads=1)
    monkeypatch.setattr("roadlift.model.patience.TILE_SECONDS", 0.001)
    with pytest.raises(ModelError, match=r"did not finish a tile of 64 x 96 pixels within 0\.001 s"):
        model.predict(np.zeros((1, 64, 96, 3), np.uint8))
    monkeypatch.setattr("roadlift.model.runtime.PROBE_SECONDS", 0.001)
    with pytest.raises(ModelError, match=r"did not finish a tile of 64 x 64 pixels within 0\.001 s"):
        load_model(path, runtime=name, threads=1)
