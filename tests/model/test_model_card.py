"""The card: strict round trip, validation, and the file around it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from roadlift.errors import ModelError, UsageError
from roadlift.model import ModelCard, card, graph_sha256, read_card
from roadlift.model._onnx import fields, summarise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_round_trip(card_values: dict[str, Any]) -> None:
    made = ModelCard(**card_values, scores={"dev": {"iou": 0.54}}, training={"seed": 1, "data": ["a", "b"]})
    assert ModelCard.from_json(made.to_json()) == made
    assert list(json.loads(made.to_json()))[:2] == ["name", "version"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "Über"),
        ("name", ""),
        ("name", 3),
        ("version", ""),
        ("sha256", "0" * 63),
        ("sha256", "A" * 64),
        ("bands", ("red",)),
        ("ground_resolution_m", 0),
        ("ground_resolution_m", float("nan")),
        ("ground_resolution_m", float("inf")),
        ("ground_resolution_m", "1"),
        ("ground_resolution_m", True),
        ("stretch", "histogram"),
        ("stretch_low_percent", 99.5),
        ("stretch_high_percent", 101),
        ("fill", 256),
        ("fill", 12.0),
        ("stride", 0),
        ("stride", True),
        ("halo", 7),
        ("halo", -8),
        ("exact_halo", 0),
        ("threshold", 1.1),
        ("threshold_low", 0.6),
        ("scores", []),
        ("scores", {"iou": float("nan")}),
        ("training", {1: 2}),
        ("training", {"shape": (1, 2)}),
        ("training", {"path": object()}),
    ],
)
def test_wrong_values_are_refused_by_name(card_values: dict[str, Any], name: str, value: object) -> None:
    with pytest.raises(ModelError, match=name.split("_")[0]):
        ModelCard(**{**card_values, name: value})


def test_missing_and_unknown_keys_are_named(card_values: dict[str, Any]) -> None:
    values = json.loads(ModelCard(**card_values).to_json())
    del values["halo"]
    values["haloo"] = 1
    with pytest.raises(ModelError, match=r"missing keys \['halo'\], unknown keys \['haloo'\]"):
        ModelCard.from_json(json.dumps(values))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"name": NaN}',
        '{"name": "a", "name": "b"}',
        "[" * 100_000,
        " " * 1_000_001,
        '{"a": ' + "9" * 5000 + "}",
    ],
)
def test_texts_that_are_no_card(text: str) -> None:
    with pytest.raises(ModelError):
        ModelCard.from_json(text)


def test_huge_numbers_are_refused(card_values: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="threshold"):
        ModelCard(**{**card_values, "threshold": 10**400})


def test_card_of_a_file(toy_path: Path) -> None:
    assert read_card(toy_path).name == "toy"
    assert read_card(str(toy_path)).sha256 == graph_sha256(toy_path)


def test_digest_ignores_metadata_and_nothing_else(toy_path: Path) -> None:
    model = onnx.load(toy_path)
    before = graph_sha256(toy_path)
    model.metadata_props.add(key="model_type", value="Segmentor")
    assert graph_sha256(model.SerializeToString()) == before
    del model.metadata_props[:]
    assert graph_sha256(model.SerializeToString()) == before
    model.producer_name = "someone"
    assert graph_sha256(model.SerializeToString()) != before


def test_no_card(tmp_path: Path, toy_class: Any) -> None:
    path = tmp_path / "bare.onnx"
    onnx.save(toy_class().build(), path)
    with pytest.raises(ModelError, match="has no roadlift model card: a roadlift model card is"):
        read_card(path)


def test_changed_weights(toy_path: Path) -> None:
    model = onnx.load(toy_path)
    model.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(np.zeros((1, 3, 5, 5), np.float32), "weights")
    )
    onnx.save(model, toy_path)
    with pytest.raises(ModelError, match="was changed after its card was written"):
        read_card(toy_path)


def test_files_that_are_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy_path: Path) -> None:
    with pytest.raises(UsageError, match="no model file"):
        read_card(tmp_path / "absent.onnx")
    with pytest.raises(UsageError, match="no model file"):
        read_card(_folder(tmp_path / "folder.onnx"))
    with pytest.raises(ModelError, match=r"not an \.onnx file"):
        read_card(tmp_path / "weights.h5")
    empty = tmp_path / "empty.onnx"
    empty.touch()
    with pytest.raises(ModelError, match="has 0 bytes"):
        read_card(empty)
    monkeypatch.setattr(card, "MAX_MODEL_BYTES", 100)
    with pytest.raises(ModelError, match="1 to 100 bytes"):
        read_card(toy_path)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_unreadable_file(toy_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", denied)
    with pytest.raises(ModelError, match="cannot be read: Permission denied"):
        read_card(toy_path)


def test_external_data_anywhere(make_toy: Callable[..., Path], toy_class: Any) -> None:
    def external() -> Any:
        tensor = numpy_helper.from_array(np.zeros(4, np.float32), "weights")
        tensor.ClearField("raw_data")
        tensor.external_data.add(key="location", value="../../etc/passwd")
        tensor.data_location = TensorProto.EXTERNAL
        return tensor

    in_attribute = helper.make_node("Constant", [], ["probability"], value=external())
    sparse = helper.make_sparse_tensor(external(), numpy_helper.from_array(np.zeros(4, np.int64), "at"), [4])
    in_sparse = helper.make_node("Constant", [], ["probability"], sparse_value=sparse)
    hidden = external()
    hidden.data_location = TensorProto.DEFAULT  # the entry alone is refused as well
    for toy in (
        toy_class(initializers=(external(),)),
        toy_class(initializers=(hidden,)),
        toy_class(nodes=(in_attribute,)),
        toy_class(nodes=(in_sparse,)),
    ):
        with pytest.raises(ModelError, match="tensors in other files"):
            read_card(make_toy(toy))


def test_foreign_operators_control_flow_and_functions(
    make_toy: Callable[..., Path], toy_class: Any, tmp_path: Path
) -> None:
    foreign = helper.make_node("Conv", ["image"], ["probability"], domain="com.microsoft")
    with pytest.raises(ModelError, match=r"operators of \['com.microsoft'\]"):
        read_card(make_toy(toy_class(nodes=(foreign,), domain="com.microsoft")))
    body = helper.make_graph([foreign], "body", [], [])
    loop = helper.make_node("Loop", ["", "", "image"], ["probability"], body=body)
    with pytest.raises(ModelError, match=r"com\.microsoft"):
        read_card(make_toy(toy_class(nodes=(loop,))))
    loop = helper.make_node(
        "Loop", ["", "", "image"], ["probability"], body=helper.make_graph([], "body", [], [])
    )
    with pytest.raises(ModelError, match="1 nested graphs"):
        read_card(make_toy(toy_class(nodes=(loop,))))
    model = toy_class().build()
    model.functions.append(helper.make_function("", "Own", ["a"], ["b"], [], [helper.make_opsetid("", 17)]))
    path = tmp_path / "function.onnx"
    onnx.save(model, path)
    with pytest.raises(ModelError, match="1 functions"):
        read_card(path)


def test_an_unused_import_is_harmless(make_toy: Callable[..., Path], toy_class: Any) -> None:
    assert read_card(make_toy(toy_class(domain="ai.onnx.ml"))).name == "toy"


def test_summary_agrees_with_the_onnx_package(toy_path: Path) -> None:
    summary = summarise(toy_path.read_bytes())
    model = onnx.load(toy_path)
    assert summary.metadata == {entry.key: entry.value for entry in model.metadata_props}
    assert summary.operators == {node.op_type for node in model.graph.node}
    assert summary.domains == {""}
    assert (summary.nested_graphs, summary.functions, summary.external_tensors) == (0, 0, 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 graphs"),
        (b"\x3a\x00\x3a\x00", "2 graphs"),
        (b"\x3a\x05", "cut short: 5 bytes"),
        (b"\x3a", "cut short inside a number"),
        (b"\x08\x80", "cut short inside a number"),
        (b"\x08" + b"\xff" * 11, "more than 10 bytes"),
        (b"\x00\x00", "field number 0"),
        (b"\x3b", "wire type 3"),
        (b"\x0d\x00", "cut short: 3 bytes"),
        (b"\x38\x01", "is a number where a message is expected"),
        (b"\x3a\x00\x72\x03\x0a\x01\xff", "not UTF-8"),
        (b"\x3a\x00\x72\x00\x72\x00", "twice"),
        (b"PK\x03\x04 a zip file", "not an ONNX|cut short"),
    ],
)
def test_broken_bytes(data: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        summarise(data)


def test_nesting_has_a_limit() -> None:
    message = b""
    for _ in range(20):  # graph > node > attribute > graph ...
        for tag in (b"\x32", b"\x2a", b"\x0a"):
            message = tag + _length(message) + message
    with pytest.raises(ModelError, match="nested deeper"):
        summarise(b"\x3a" + _length(message) + message)


def _length(message: bytes) -> bytes:
    return (
        bytes([len(message)])
        if len(message) < 128
        else bytes([len(message) & 0x7F | 0x80, len(message) >> 7])
    )


def test_fixed_size_fields_are_stepped_over() -> None:
    message = memoryview(b"\x0d1234\x1112345678\x08\x05")
    assert [(entry.number, entry.start, entry.end) for entry in fields(message)] == [
        (1, 0, 5),
        (2, 5, 14),
        (1, 14, 16),
    ]


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_model_error_or_a_summary(data: bytes) -> None:
    try:
        summarise(data)
    except ModelError:
        return


@given(data=st.data())
def test_one_changed_byte_never_escapes(data: st.DataObject) -> None:
    original = b"\x08\x09\x3a\x10\x0a\x0c\x0a\x01a\x12\x01b\x22\x04Conv\x12\x00\x72\x06\x0a\x01k\x12\x01v"
    at = data.draw(st.integers(0, len(original) - 1))
    changed = bytearray(original)
    changed[at] = data.draw(st.integers(0, 255))
    try:
        summarise(bytes(changed))
    except ModelError:
        return
