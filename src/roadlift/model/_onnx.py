"""Reads what must be known of an ONNX file before any runtime sees it, from the protobuf wire format itself.

The ``onnx`` package is not part of the light install, and a runtime would already act on what the file says.
So this module walks the messages (https://protobuf.dev/programming-guides/encoding, field numbers from
``onnx.proto``) and collects metadata, operator domains, operator names, nested graphs and external data. It
never copies a weight.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from roadlift.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH: Final = 32
METADATA_FIELD: Final = 14

_CHILDREN: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 14: "metadata", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
    "metadata": {},
}
_NODE_OPERATOR, _NODE_DOMAIN = 4, 7
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14


@dataclass(frozen=True)
class Field:
    """One field of a protobuf message: its number, its value, and the bytes ``start:end`` it takes."""

    number: int
    value: int | memoryview
    start: int
    end: int

    @property
    def content(self) -> memoryview:
        """The bytes of a length-delimited field (message, string, bytes)."""
        if isinstance(self.value, int):
            raise ModelError(f"not an ONNX file: field {self.number} is a number where a message is expected")
        return self.value

    @property
    def text(self) -> str:
        """The content as UTF-8 text."""
        try:
            return bytes(self.content).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ModelError(f"not an ONNX file: field {self.number} is not UTF-8 text") from error


@dataclass(frozen=True)
class GraphSummary:
    """What an ONNX file says about itself.

    Attributes:
        metadata: Key and value pairs of the model's metadata.
        domains: Domains of the operators that are used ("" is the default domain); a mere import does not
            count.
        operators: Names of all operators, nested graphs included.
        nested_graphs: Number of graphs inside attributes (the bodies of Loop, If and Scan).
        functions: Number of functions that the model defines itself.
        external_tensors: Number of tensors whose data lie in other files.
    """

    metadata: dict[str, str]
    domains: frozenset[str]
    operators: frozenset[str]
    nested_graphs: int
    functions: int
    external_tensors: int


def summarise(data: bytes) -> GraphSummary:
    """Walk a serialised ONNX model.

    Args:
        data: The whole file.

    Raises:
        ModelError: When the bytes are not a well-formed ONNX model.
    """
    metadata: dict[str, str] = {}
    domains: set[str] = set()
    operators: set[str] = set()
    nested = functions = external = graphs = 0
    for kind, parent, message in _walk("model", memoryview(data)):
        if kind == "metadata":
            key, value = _pair(message)
            if key in metadata:
                raise ModelError(f"the ONNX metadata hold the key {key!r} twice; one entry is allowed")
            metadata[key] = value
        elif kind == "node":
            operators.add(_last_text(message, _NODE_OPERATOR))
            domains.add(_last_text(message, _NODE_DOMAIN))
        elif kind == "tensor":
            external += _is_external(message)
        elif kind == "graph":
            graphs += parent == "model"
            nested += parent != "model"
        elif kind == "function":
            functions += 1
    if graphs != 1:
        raise ModelError(f"not an ONNX model: {graphs} graphs found, exactly 1 is allowed")
    return GraphSummary(metadata, frozenset(domains), frozenset(operators), nested, functions, external)


def sha256_without_metadata(data: bytes) -> str:
    """Hex SHA-256 over the serialised model without its top-level metadata entries (field 14)."""
    view = memoryview(data)
    digest = hashlib.sha256()
    for field in fields(view):
        if field.number != METADATA_FIELD:
            digest.update(view[field.start : field.end])
    return digest.hexdigest()


def fields(message: memoryview) -> Iterator[Field]:
    """Yield the fields of one protobuf message in file order.

    Raises:
        ModelError: On a cut, a field number or a wire type that protobuf 3 does not have.
    """
    position = 0
    while position < len(message):
        start = position
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise ModelError(f"not an ONNX file: field number 0 at byte {start}")
        value, position = _value(message, position, wire_type)
        yield Field(number, value, start, position)


def _value(message: memoryview, position: int, wire_type: int) -> tuple[int | memoryview, int]:
    if wire_type == 0:
        return _varint(message, position)
    if wire_type == 2:
        length, position = _varint(message, position)
    elif wire_type in (1, 5):
        length = 8 if wire_type == 1 else 4
    else:
        raise ModelError(f"not an ONNX file: protobuf wire type {wire_type} at byte {position}")
    end = position + length
    if end > len(message):
        raise ModelError(f"the ONNX file is cut short: {end - len(message)} bytes are missing; copy it again")
    return message[position:end], end


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ModelError("the ONNX file is cut short inside a number; copy it again")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
    raise ModelError(f"not an ONNX file: a number of more than 10 bytes ends at byte {position}")


def _walk(kind: str, message: memoryview) -> Iterator[tuple[str, str, memoryview]]:
    """Every message below ``message`` that the table of children names: (kind, kind of its parent, bytes)."""
    pending = [(kind, message, 0)]
    while pending:
        parent, message, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise ModelError(f"the ONNX graph is nested deeper than {MAX_DEPTH} levels")
        children = _CHILDREN[parent]
        for field in fields(message) if children else ():
            child = children.get(field.number)
            if child is not None:
                yield child, parent, field.content
                pending.append((child, field.content, depth + 1))


def _last_text(message: memoryview, number: int) -> str:
    """Text of a singular field; the last one counts in protobuf, absent means empty."""
    text = ""
    for field in fields(message):
        if field.number == number:
            text = field.text
    return text


def _pair(message: memoryview) -> tuple[str, str]:
    return _last_text(message, 1), _last_text(message, 2)


def _is_external(tensor: memoryview) -> bool:
    return any(
        field.number == _TENSOR_EXTERNAL_DATA or (field.number == _TENSOR_DATA_LOCATION and field.value != 0)
        for field in fields(tensor)
    )
