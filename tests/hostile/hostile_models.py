"""Networks that reach for files, ask for the world, never end, or do not keep the contract."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from kinds import MODEL, USAGE, Place, kind
from onnx import TensorProto, helper, numpy_helper

CARD = {
    "name": "toy", "version": "1", "architecture": "mean", "description": "", "ground_resolution_m": 1.0,
    "stride": 8, "halo": 8, "exact_halo": 16, "threshold": 0.5, "threshold_low": 0.3, "licence": "Apache-2.0",
    "credit": "",
}  # fmt: skip
Build = Callable[[], onnx.ModelProto]


def network(
    nodes: list[Any] | None = None,
    weights: list[Any] | None = None,
    *,
    shape: tuple[Any, ...] = ("n", 1, "rows", "cols"),
    input_type: int = TensorProto.FLOAT,
    domains: tuple[str, ...] = (),
) -> onnx.ModelProto:
    """Build a network; by default one that keeps the contract: the mean of 5 x 5 pixels, and a sigmoid."""
    nodes = nodes or [
        helper.make_node("Conv", ["image", "weights"], ["mean"], pads=[2, 2, 2, 2]),
        helper.make_node("Sigmoid", ["mean"], ["probability"]),
    ]
    weights = weights or [numpy_helper.from_array(np.full((1, 3, 5, 5), 0.01, np.float32), "weights")]
    graph = helper.make_graph(
        nodes, "toy", [helper.make_tensor_value_info("image", input_type, ("n", 3, "rows", "cols"))],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, shape)], weights,
    )  # fmt: skip
    imports = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def save(model: onnx.ModelProto, path: Path, **changes: Any) -> Path:
    """Write a network with a card that fits it."""
    from roadlift.model import CARD_KEY, ModelCard, graph_sha256

    path.write_bytes(model.SerializeToString())
    card = ModelCard(**{**CARD, "sha256": graph_sha256(path)})
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, dataclasses.replace(card, **changes).to_json()
    path.write_bytes(model.SerializeToString())
    return path


def _run(place: Place, model: Path) -> list[str]:
    return ["extract", str(place.image()), "roads.gpkg", "--model", str(model)]


def _network(name: str, says: str, build: Build) -> None:
    @kind(MODEL, says, name)
    def broken(place: Place) -> list[str]:
        return _run(place, save(build(), place.folder / "model.onnx"))

    @kind(MODEL, says, f"{name}_in_onnxruntime")
    def broken_too(place: Place) -> list[str]:
        return [*broken(place), "--runtime", "onnxruntime"]


def _external(location: str) -> Build:
    def build() -> onnx.ModelProto:
        model = network()
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location
        return model

    return build


def _alloc_bomb() -> onnx.ModelProto:
    size = numpy_helper.from_array(np.array([2**17, 2**17], np.int64), "size")
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceMean", ["huge"], ["one"]),
        helper.make_node("ReduceMean", ["image"], ["grey"], axes=[1]),
        helper.make_node("Mul", ["grey", "one"], ["probability"]),
    ]
    return network(nodes, [size])


def _growing() -> onnx.ModelProto:
    times = numpy_helper.from_array(np.array([1, 1, 4096, 4096], np.int64), "times")
    nodes = [
        helper.make_node("Tile", ["image", "times"], ["huge"]),
        helper.make_node("ReduceMean", ["huge"], ["one"], axes=[1, 2, 3]),
        helper.make_node("ReduceMean", ["image"], ["grey"], axes=[1]),
        helper.make_node("Mul", ["grey", "one"], ["probability"]),
    ]
    return network(nodes, [times])


def _endless() -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["again"]), helper.make_node("Identity", ["x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("n", TensorProto.INT64, ()),
            helper.make_tensor_value_info("go", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
        ],
    )
    trips = numpy_helper.from_array(np.array(2**62, np.int64), "trips")
    go = numpy_helper.from_array(np.array(True), "true")
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["grey"], axes=[1]),
        helper.make_node("Loop", ["trips", "true", "grey"], ["probability"], body=body),
    ]
    return network(nodes, [trips, go])


def _one(operator: str, *inputs: str, **attributes: Any) -> Build:
    """Network of one operator on "grey", the mean of the colours, and "zero", which has as many pixels."""

    def build() -> onnx.ModelProto:
        seven = numpy_helper.from_array(np.array(7, np.float32), "seven")
        nodes = [
            helper.make_node("ReduceMean", ["image"], ["grey"], axes=[1]),
            helper.make_node("Sub", ["grey", "grey"], ["zero"]),
            helper.make_node(operator, list(inputs), ["probability"], **attributes),
        ]
        return network(nodes, [seven])

    return build


_network("weights_up_the_tree", "keeps 1 tensors in other files", _external("../../secret.txt"))
_network("weights_of_the_machine", "keeps 1 tensors in other files", _external("/etc/passwd"))
_network("memory_bomb", r"(asks for \d+ elements|cannot r\w+ the network)", _alloc_bomb)
_network("a_picture_that_grows", r"(asks for \d+ elements|cannot r\w+ the network)", _growing)
_network("endless_loop", "1 nested graphs", _endless)
_network("no_number_comes_out", "gives NaN or infinite values", _one("Div", "zero", "zero"))
_network("infinity_comes_out", "gives NaN or infinite values", _one("Log", "zero"))
_network("scores_come_out", r"gives values from .*sigmoid", _one("Mul", "grey", "seven"))
_network("wrong_rank", "4 dimensions", _one("ReduceMean", "grey", axes=[0, 1], keepdims=0))
_network(
    "smaller_than_the_image", r"turns .* into", _one("MaxPool", "grey", kernel_shape=[2, 2], strides=[2, 2])
)
_network("an_operator_of_its_own", r"operators of \['evil'\]", lambda: network(
    [helper.make_node("Run", ["image"], ["probability"], domain="evil")], domains=("evil",)
))  # fmt: skip
_network("an_operator_nobody_knows", "cannot read the network", lambda: network(
    [helper.make_node("NoSuchOperator", ["image"], ["probability"])]
))  # fmt: skip
_network("whole_numbers_go_in", "expected|cannot", lambda: network(input_type=TensorProto.INT64))


@kind(MODEL, "has no roadlift model card: a roadlift model card is")
def no_card(place: Place) -> list[str]:
    return _run(place, place.file("model.onnx", network().SerializeToString()))


@kind(MODEL, "was changed after its card was written")
def weights_changed(place: Place) -> list[str]:
    path = save(network(), place.folder / "model.onnx")
    content = path.read_bytes()
    weight = np.float32(0.01).tobytes()
    return _run(place, place.file("model.onnx", content.replace(weight, np.float32(0.5).tobytes(), 1)))


def _file(name: str, says: str, content: bytes, suffix: str = ".onnx", code: int = MODEL) -> None:
    @kind(code, says, name)
    def file(place: Place) -> list[str]:
        return _run(place, place.file(f"model{suffix}", content))


_file("model_of_garbage", "not an ONNX|cut short", bytes(range(256)))
_file("empty_model", "has 0 bytes", b"")
_file("model_nested_without_end", "nested deeper|not an ONNX|cut short", b"\x3a\xff\xff\xff\x0f" * 2000)
_file("pickle_called_onnx", "not an ONNX|cut short", b"\x80\x04cos\nsystem\n(S'touch PLANTED.bin'\ntR.")
for _suffix in (".pt", ".h5", ".keras", ".pkl", ".pb"):
    _file(f"model_{_suffix[1:]}", "loads no other model format", b"\x80\x04", _suffix)


@kind(MODEL, r"has 600000000 bytes; a model file has 1 to")
def model_too_large(place: Place) -> list[str]:
    path = place.file("model.onnx", b"")
    with path.open("wb") as file:
        file.truncate(600_000_000)
    return _run(place, path)


@kind(USAGE, "no model file")
def folder_called_onnx(place: Place) -> list[str]:
    (place.folder / "model.onnx").mkdir()
    return _run(place, place.folder / "model.onnx")


@kind(MODEL, "cut short")
def model_cut_short(place: Place) -> list[str]:
    path = save(network(), place.folder / "model.onnx")
    return _run(place, place.file("model.onnx", path.read_bytes()[:-40]))


def _card(name: str, says: str, change: Callable[[str], str]) -> None:
    @kind(MODEL, says, f"card_{name}")
    def card(place: Place) -> list[str]:
        model = onnx.load_from_string(save(network(), place.folder / "model.onnx").read_bytes())
        model.metadata_props[0].value = change(model.metadata_props[0].value)
        return _run(place, place.file("model.onnx", model.SerializeToString()))


_card("that_is_no_json", "not valid JSON", lambda text: text[:-1])
_card("nested_without_end", "not valid JSON|recursion", lambda _: "[" * 300_000)
_card("too_long", "at most 1000000", lambda text: text + " " * 2_000_000)
_card("with_a_halo_of_a_mile", "halo is 1600000", lambda text: text.replace('"halo": 8', '"halo": 1600000'))
_card("with_a_resolution_of_nothing", "more than 0 metres", lambda text: text.replace('_m": 1.0', '_m": 0.0'))
_card("with_nan", "holds NaN", lambda text: text.replace('_m": 1.0', '_m": NaN'))
