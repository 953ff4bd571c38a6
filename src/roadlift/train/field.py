"""How far a network sees: the field of its output pixels, worked out from the graph.

The arithmetic is that of Araujo, Norris and Sim (Computing Receptive Fields of Convolutional Neural Networks, Distill,
2019), with both ends of the field apart, since padding need not be symmetric, and for transposed convolutions too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from math import ceil
from typing import Any

import onnx

from roadlift.errors import ModelError

_PIXELWISE = frozenset(
    {
        "Add",
        "BatchNormalization",
        "Cast",
        "Clip",
        "Concat",
        "DequantizeLinear",
        "Div",
        "Identity",
        "LeakyRelu",
        "Mul",
    }
    | {"QuantizeLinear", "Relu", "Sigmoid", "Sub", "HardSigmoid", "HardSwish", "Elu", "PRelu", "Max", "Min"}
)
_WINDOWS = frozenset({"AveragePool", "Conv", "MaxPool"})
_OTHER_AXES = frozenset({"Reshape", "Squeeze", "Unsqueeze"})
"""They name the axes of a layer of one channel otherwise; its pixels stay in order."""


@dataclass(frozen=True)
class Field:
    """Pixel ``i`` of a layer depends on the input's pixels ``i * step + first`` to ``i * step + last`` and no others."""

    first: Fraction = Fraction(0)
    last: Fraction = Fraction(0)
    step: Fraction = Fraction(1)
    one_channel: bool = False

    def windowed(self, size: int, stride: int, before: int) -> Field:
        """Return the field of a window of ``size`` pixels of this layer that begins ``before`` pixels early."""
        first = self.first - before * self.step
        return Field(first, first + (self.last - self.first) + (size - 1) * self.step, self.step * stride)

    def spread(self, size: int, stride: int, before: int) -> Field:
        """Return the field of a transposed convolution of this layer whose result is cut by ``before`` pixels."""
        step = self.step / stride
        return Field(self.first + (before - size + 1) * step, self.last + before * step, step)

    def joined(self, other: Field) -> Field:
        """Return the field of a layer that takes both, pixel by pixel."""
        if self.step != other.step:
            raise ModelError("The network joins layers of different resolution.")
        return Field(min(self.first, other.first), max(self.last, other.last), self.step)


def receptive_radius(model: onnx.ModelProto) -> int:
    """Return the distance in pixels beyond which nothing changes an output pixel, along rows and columns.

    Args:
        model: Graph from (n, 3, rows, cols) to (n, 1, rows, cols) of convolutions and pixelwise operations, float or int8.

    Raises:
        ModelError: An operation is not known or sees the whole image, so that no distance is enough.

    Example:
        >>> from onnx import TensorProto, helper
        >>> image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "r", "c"])
        >>> probability = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, "r", "c"])
        >>> kernel = helper.make_tensor("w", TensorProto.FLOAT, [1, 3, 5, 5], [0.0] * 75)
        >>> node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[2, 2, 2, 2])
        >>> receptive_radius(helper.make_model(helper.make_graph([node], "g", [image], [probability], [kernel])))
        2
    """
    graph = model.graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    fields = {graph.input[0].name: (Field(), Field())}
    for node in graph.node:
        seen = [fields[name] for name in node.input if name in fields]
        if not seen:
            shapes[node.output[0]] = shapes.get(node.input[0], ()) if node.input else ()
            continue
        rows, cols = zip(*seen, strict=True)
        fields[node.output[0]] = (_field(node, rows, shapes, 0), _field(node, cols, shapes, 1))
    ends = fields[graph.output[0].name]
    return ceil(max(max(-field.first, field.last) for field in ends))


def _field(
    node: onnx.NodeProto, seen: Sequence[Field], shapes: dict[str, tuple[int, ...]], axis: int
) -> Field:
    if node.op_type in _PIXELWISE or (node.op_type in _OTHER_AXES and seen[0].one_channel):
        return seen[0] if len(seen) == 1 else reduce(Field.joined, seen)
    if node.op_type not in _WINDOWS and node.op_type != "ConvTranspose":
        raise ModelError(
            f"The network has the operation {node.op_type}, of which it is not known how far it sees; "
            "tiles cannot be made exact for it."
        )
    values = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    size = _along(values.get("kernel_shape") or shapes[node.input[1]][2:], axis, 1)
    size = (size - 1) * _along(values.get("dilations"), axis, 1) + 1
    stride = _along(values.get("strides"), axis, 1)
    before = _before(values, axis, size, stride)
    if node.op_type == "ConvTranspose":
        return replace(seen[0].spread(size, stride, before), one_channel=shapes[node.input[1]][1] == 1)
    one = node.op_type == "Conv" and shapes[node.input[1]][0] == 1
    return replace(seen[0].windowed(size, stride, before), one_channel=one)


def _along(values: Any, axis: int, otherwise: int) -> int:
    return int(values[axis]) if values else otherwise


def _before(values: dict[str, Any], axis: int, size: int, stride: int) -> int:
    """Pixels of padding before the first one; automatic padding is that of sides that the stride divides."""
    automatic = values.get("auto_pad", b"NOTSET").decode()
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        surplus = max(size - stride, 0)
        return surplus // 2 if automatic == "SAME_UPPER" else surplus - surplus // 2
    return _along(values.get("pads"), axis, 0)
