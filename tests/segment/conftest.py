"""A raster in memory with the face of ImagerySource, a sink that remembers, small networks made by hand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from roadlift.imagery import Pixels, Window
from roadlift.model import CARD_KEY, Model, ModelCard, graph_sha256, load_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class MemorySource:
    """uint8 (3, rows, cols) values and their valid mask; windows must lie inside, as in a raster file."""

    values: np.ndarray
    valid: np.ndarray
    reads: list[Window] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)

    @property
    def shape(self) -> tuple[int, int]:
        return self.valid.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    def read(self, window: Window) -> Pixels:
        assert window == window.clip(self.shape)
        self.reads.append(window)
        self.threads.add(threading.current_thread().name)
        rows, cols = window.slices
        return Pixels(self.values[:, rows, cols].copy(), self.valid[rows, cols].copy())

    def sample(self, max_pixels: int = 2**20) -> Pixels:
        return Pixels(self.values.copy(), self.valid.copy())


@dataclass
class MemorySink:
    """Collects windows; every pixel may be written once."""

    shape: tuple[int, int]
    threads: set[str] = field(default_factory=set)
    windows: list[Window] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.array = np.full(self.shape, 77, np.uint8)
        self.times = np.zeros(self.shape, int)

    def write(self, window: Window, array: np.ndarray) -> None:
        assert window == window.clip(self.shape)
        assert array.shape == window.shape
        assert array.dtype == np.uint8
        self.threads.add(threading.current_thread().name)
        self.windows.append(window)
        self.array[window.slices] = array
        self.times[window.slices] += 1


def mean_network(side: int, layers: int) -> onnx.ModelProto:
    """Layers of side x side means (zero padding), then a steep sigmoid; reaches layers * (side // 2)."""
    nodes, weights = [], []
    names = ["image", *(f"mean{index}" for index in range(layers))]
    for index in range(layers):
        channels = 3 if index == 0 else 1
        gain = 12.0 if index == layers - 1 else 1.0
        kernel = np.full((1, channels, side, side), gain / (channels * side * side), np.float32)
        weights += [numpy_helper.from_array(kernel, f"w{index}")]
        bias = np.float32([-6.0 if index == layers - 1 else 0.0])
        weights += [numpy_helper.from_array(bias, f"b{index}")]
        pads = [side // 2] * 4
        nodes += [
            helper.make_node("Conv", [names[index], f"w{index}", f"b{index}"], [names[index + 1]], pads=pads)
        ]
    nodes += [helper.make_node("Sigmoid", [names[-1]], ["probability"])]
    shape = ("n", 3, "rows", "cols")
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ("n", 1, "rows", "cols"))],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def load(path: Path, model: onnx.ModelProto, **options: Any) -> Model:
    onnx.save(model, path)
    card = ModelCard(
        name="mean",
        version="1",
        architecture="mean",
        description="",
        ground_resolution_m=1.0,
        stride=8,
        halo=8,
        exact_halo=16,
        threshold=0.5,
        threshold_low=0.3,
        licence="Apache-2.0",
        credit="",
        sha256=graph_sha256(path),
    )
    model.metadata_props.add(key=CARD_KEY, value=card.to_json())
    onnx.save(model, path)
    return load_model(path, precision="f32", **options)


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Two layers of 5 x 5: reaches 4 pixels, less than the card's halo of 8."""
    return load(tmp_path_factory.mktemp("network") / "mean.onnx", mean_network(5, 2), threads=2)


@pytest.fixture(scope="session")
def load_network(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Model]:
    def make(side: int, layers: int, **options: Any) -> Model:
        return load(tmp_path_factory.mktemp("network") / "mean.onnx", mean_network(side, layers), **options)

    return make


@pytest.fixture
def make_source() -> Callable[..., MemorySource]:
    def make(rows: int, cols: int, *, seed: int = 0, constant: int | None = None) -> MemorySource:
        if constant is None:
            values = np.random.default_rng(seed).integers(0, 256, (3, rows, cols)).astype(np.uint8)
        else:
            values = np.full((3, rows, cols), constant, np.uint8)
        return MemorySource(values, np.ones((rows, cols), bool))

    return make


@pytest.fixture
def make_sink() -> type[MemorySink]:
    return MemorySink
