"""Tiny ONNX networks with a card, built by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from roadlift.model import CARD_KEY, ModelCard, graph_sha256

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CARD = {
    "name": "toy",
    "version": "1",
    "architecture": "mean",
    "description": "5 x 5 mean and sigmoid",
    "ground_resolution_m": 1.0,
    "stride": 8,
    "halo": 8,
    "exact_halo": 16,
    "threshold": 0.5,
    "threshold_low": 0.3,
    "licence": "Apache-2.0",
    "credit": "nobody",
}


@dataclass(frozen=True)
class Toy:
    """Parts of a network: change one to break one rule."""

    nodes: tuple[Any, ...] = ()
    initializers: tuple[Any, ...] = ()
    input_type: int = TensorProto.FLOAT
    input_shape: tuple[Any, ...] = ("n", 3, "rows", "cols")
    output_shape: tuple[Any, ...] = ("n", 1, "rows", "cols")
    extra_outputs: tuple[str, ...] = ()
    domain: str = ""

    def build(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes or mean_nodes(),
            "toy",
            [helper.make_tensor_value_info("image", self.input_type, self.input_shape)],
            [
                helper.make_tensor_value_info("probability", TensorProto.FLOAT, self.output_shape),
                *(
                    helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
                    for name in self.extra_outputs
                ),
            ],
            list(self.initializers or mean_weights()),
        )
        imports = [helper.make_opsetid("", 17)] + (
            [helper.make_opsetid(self.domain, 1)] if self.domain else []
        )
        return helper.make_model(graph, opset_imports=imports, ir_version=9)


def mean_nodes() -> tuple[Any, ...]:
    return (
        helper.make_node("Conv", ["image", "weights", "bias"], ["mean"], pads=[2, 2, 2, 2]),
        helper.make_node("Sigmoid", ["mean"], ["probability"]),
    )


def mean_weights(value: float = 6.0 / 75) -> tuple[Any, ...]:
    weights = np.full((1, 3, 5, 5), value, np.float32)
    return (numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.float32([-3.0]), "bias"))


def with_card(model: onnx.ModelProto, path: Path, **changes: Any) -> Path:
    onnx.save(model, path)
    card = ModelCard(**{**CARD, "sha256": graph_sha256(path), **changes})
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, card.to_json()
    onnx.save(model, path)
    return path


@pytest.fixture
def card_values() -> dict[str, Any]:
    return {**CARD, "sha256": "0" * 64}


@pytest.fixture
def toy_path(tmp_path: Path) -> Path:
    return with_card(Toy().build(), tmp_path / "toy.onnx")


@pytest.fixture
def make_toy(tmp_path: Path) -> Callable[..., Path]:
    def make(toy: Toy, **changes: Any) -> Path:
        return with_card(toy.build(), tmp_path / "made.onnx", **changes)

    return make


@pytest.fixture
def toy_class() -> type[Toy]:
    return Toy
