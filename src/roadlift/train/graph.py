"""An exported ONNX graph is freed of what costs time and hinders quantisation, without changing what it computes.

``tf2onnx`` follows each transposed convolution with some forty nodes that work out its size and cut or pad it,
and leaves the normalisation after a depthwise convolution apart. Here the first becomes padding of the
convolution, the second is folded into its weights, and what no longer leads to an output is dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from roadlift.errors import ModelError

Constants = dict[str, np.ndarray]


def simplify(model: onnx.ModelProto) -> None:
    """Simplify a network exported by Keras (in place); the names of kernels and nodes are kept.

    Args:
        model: Graph of convolutions, as ``keras.Model.export(format="onnx")`` writes it.

    Raises:
        ModelError: A transposed convolution is cut or padded in a way that is not "same" padding.
    """
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    _pad_transposed_convolutions(graph, constants)
    _fold_scales(graph, constants)
    _keep_what_is_needed(graph, constants)


def weights_to_float32(graph: onnx.GraphProto) -> None:
    """Undo the storage of weights as float16 behind a cast (in place)."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    casts = [node for node in graph.node if node.op_type == "Cast" and node.input[0] in constants]
    for cast in casts:
        values = numpy_helper.to_array(constants[cast.input[0]]).astype(np.float32)
        constants[cast.input[0]].CopyFrom(numpy_helper.from_array(values, cast.output[0]))
        graph.node.remove(cast)


def drop_unused_operators(model: onnx.ModelProto) -> None:
    """Drop the operator sets that no node uses (in place)."""
    used = {node.domain for node in model.graph.node}
    for operators in [each for each in model.opset_import if each.domain not in used]:
        model.opset_import.remove(operators)


def _pad_transposed_convolutions(graph: onnx.GraphProto, constants: Constants) -> None:
    """Let each transposed convolution give the size of TensorFlow's "same" padding at once: stride times the input."""
    users = _users(graph)
    renamed = {}
    for node in graph.node:
        if node.op_type != "ConvTranspose":
            continue
        cut = [user for user in users[node.output[0]] if user.op_type == "Slice"]
        if not cut:
            continue
        padded = users[cut[0].output[0]]
        if len(cut) != 1 or [user.op_type for user in padded] != ["Pad"]:
            raise ModelError(f"The transposed convolution {node.name!r} has a padding that is not known.")
        _set_same_padding(node, constants[node.input[1]].shape[2:])
        renamed[padded[0].output[0]] = node.output[0]
    _rename_inputs(graph.node, renamed)


def _set_same_padding(node: onnx.NodeProto, kernel: Iterable[int]) -> None:
    strides = next((each.ints for each in node.attribute if each.name == "strides"), [1, 1])
    surplus = [max(size - stride, 0) for size, stride in zip(kernel, strides, strict=True)]
    before = [each // 2 for each in surplus]
    after = [each - first for each, first in zip(surplus, before, strict=True)]
    for each in [each for each in node.attribute if each.name in _SIZES]:
        node.attribute.remove(each)
    node.attribute.append(helper.make_attribute("pads", before + after))


_SIZES = ("auto_pad", "pads", "output_padding", "output_shape")


def _fold_scales(graph: onnx.GraphProto, constants: Constants) -> None:
    """Fold a constant scale and offset of each channel that follow a convolution into its kernel and bias."""
    users = _users(graph)
    for node in graph.node:
        if node.op_type == "Conv" and len(node.input) == 2:
            scale = _only_user(users, node.output[0], "Mul", constants)
            offset = scale and _only_user(users, scale.output[0], "Add", constants)
            if scale is not None and offset is not None:
                kernel, bias = f"{node.name}/kernel", f"{node.name}/bias"
                factors = _constant_input(scale, constants).reshape(-1, 1, 1, 1)
                constants[kernel] = constants[node.input[1]] * factors
                constants[bias] = _constant_input(offset, constants).reshape(-1)
                node.input[:] = [node.input[0], kernel, bias]
                _rename_inputs(users[offset.output[0]], {offset.output[0]: node.output[0]})


def _only_user(
    users: dict[str, list[onnx.NodeProto]], name: str, operator: str, constants: Constants
) -> onnx.NodeProto | None:
    """Return the one node that takes ``name``, if it is an ``operator`` with a constant."""
    if len(users[name]) != 1 or users[name][0].op_type != operator:
        return None
    node = users[name][0]
    return node if any(each in constants for each in node.input) else None


def _constant_input(node: onnx.NodeProto, constants: Constants) -> np.ndarray:
    return next(constants[name] for name in node.input if name in constants)


def _keep_what_is_needed(graph: onnx.GraphProto, constants: Constants) -> None:
    """Drop nodes and constants that lead to no output."""
    needed = {output.name for output in graph.output}
    kept: list[Any] = []
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            kept.insert(0, node)
            needed.update(node.input)
    used = [numpy_helper.from_array(values, name) for name, values in constants.items() if name in needed]
    for field, values in ((graph.node, kept), (graph.initializer, used), (graph.value_info, [])):
        del field[:]
        field.extend(values)


def _users(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    users = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
    return users


def _rename_inputs(nodes: Iterable[onnx.NodeProto], renamed: dict[str, str]) -> None:
    for node in nodes:
        node.input[:] = [renamed.get(name, name) for name in node.input]
