"""A finished model becomes the start of a new run: kernels read back from ONNX, normalisation laid anew.

An exported network has no batch normalisation left: each is folded into the convolution before it. Training wants it back.
So the folded kernels are put into the convolutions, and every normalisation is given the mean and variance that really
arrive there (measured on crops of the training images) with the scale and offset that undo them. The network computes what
it did before, and can train as any other.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import onnx
from onnx import numpy_helper

from roadlift.errors import ModelError

_LAYER = re.compile(
    r"/([A-Za-z0-9_]+?)(?:_norm)?_\d+/(?:convolution|depthwise|conv_transpose|batchnorm|BiasAdd)"
)
LOG = logging.getLogger("roadlift")
MIN_FITTING_SHARE = 0.5
_AXES = {"Conv2D": (2, 3, 1, 0), "DepthwiseConv2D": (2, 3, 0, 1), "Conv2DTranspose": (2, 3, 1, 0)}


@dataclass(frozen=True)
class Folded:
    """A convolution with what follows it folded in: float32 kernel in ONNX layout and float32 bias (channels,)."""

    kernel: np.ndarray
    bias: np.ndarray


def start_from(model: keras.Model, onnx_bytes: bytes, crops: np.ndarray) -> None:
    """Give ``model`` the weights of an exported model; layers that this one has not, or in another shape, stay as they are.

    Args:
        model: Network of :data:`~roadlift.train.architectures.ARCHITECTURES`, in float32 or mixed precision.
        onnx_bytes: Content of the ``.onnx`` file, in float precision.
        crops: uint8 (n, rows, cols, 3), images as the network sees them, to measure normalisation on.

    Raises:
        ModelError: The file is quantised, or most of its layers are not those of ``model``.
    """
    folded = read_folded(onnx_bytes)
    layers = _convolutions(model)
    fitting = [layer for layer in layers if _fits(layer, folded)]
    if len(fitting) < MIN_FITTING_SHARE * len(layers):
        raise ModelError(
            f"Only {len(fitting)} of the {len(layers)} layers of {model.name} are in the model to start from, in the same "
            "shape; it is another architecture or width."
        )
    LOG.info("%d of the %d layers are those of the model to start from", len(fitting), len(layers))
    for layer in fitting:
        _set_convolution(layer, folded[layer.name])
    _settle_norms(model, crops)


def read_folded(onnx_bytes: bytes) -> dict[str, Folded]:
    """Read the convolutions of an exported model by the name of their Keras layer.

    Raises:
        ModelError: The model is quantised: its kernels have lost what training needs.
    """
    graph = onnx.load_from_string(onnx_bytes).graph
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in graph.node):
        raise ModelError("This model is quantised to int8; training can go on from the float file only.")
    constants = _constants(graph)
    followers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            followers.setdefault(name, []).append(node)
    found = {}
    for node in graph.node:
        match = (
            _LAYER.search(f"/{node.input[1]}/") or _LAYER.search(f"/{node.name}/")
            if len(node.input) > 1
            else None
        )
        if node.op_type in ("Conv", "ConvTranspose") and match:
            found[match.group(1)] = _fold(node, constants, followers)
    return found


def _constants(graph: Any) -> dict[str, np.ndarray]:
    """Return the constants of a graph by name, those behind a cast as float32."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]].astype(np.float32)
    return constants


def _fold(node: Any, constants: dict[str, np.ndarray], followers: dict[str, list[Any]]) -> Folded:
    """Multiply the scale and add the offset that follow a convolution into it."""
    kernel = constants[node.input[1]].astype(np.float32)
    transposed = node.op_type == "ConvTranspose"
    channels = kernel.shape[1 if transposed else 0]
    bias = np.zeros(channels, np.float32)
    if len(node.input) > 2:
        bias = bias + constants[node.input[2]]
    output = node.output[0]
    while True:
        following = followers.get(output, [])
        step = following[0] if len(following) == 1 else None
        constant = next((constants[name] for name in step.input if name in constants), None) if step else None
        if step is None or step.op_type not in ("Mul", "Add") or constant is None:
            return Folded(kernel, bias)
        values = np.broadcast_to(constant.astype(np.float32).reshape(-1), channels)
        if step.op_type == "Mul":
            shape = (1, -1, 1, 1) if transposed else (-1, 1, 1, 1)
            kernel, bias = kernel * values.reshape(shape), bias * values
        else:
            bias = bias + values
        output = step.output[0]


def _convolutions(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if type(layer).__name__ in _AXES]


def _fits(layer: keras.layers.Layer, folded: dict[str, Folded]) -> bool:
    return layer.name in folded and _kernel(layer, folded[layer.name]).shape == tuple(layer.kernel.shape)


def _kernel(layer: keras.layers.Layer, folded: Folded) -> np.ndarray:
    return folded.kernel.transpose(_AXES[type(layer).__name__])


def _set_convolution(layer: keras.layers.Layer, folded: Folded) -> None:
    layer.kernel.assign(_kernel(layer, folded))
    if layer.use_bias:
        layer.bias.assign(folded.bias)
    norm = _norm_after(layer)
    if norm is not None:
        norm.gamma.assign(np.full(kernel_channels(layer), np.sqrt(1 + norm.epsilon), np.float32))
        norm.beta.assign(folded.bias)
        norm.moving_mean.assign(np.zeros(kernel_channels(layer), np.float32))
        norm.moving_variance.assign(np.ones(kernel_channels(layer), np.float32))


def kernel_channels(layer: keras.layers.Layer) -> int:
    """Return how many channels a convolution gives."""
    return int(layer.output.shape[-1])


def _norm_after(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    nodes = layer._outbound_nodes
    following = nodes[0].operation if len(nodes) == 1 else None
    return following if isinstance(following, keras.layers.BatchNormalization) else None


def _settle_norms(model: keras.Model, crops: Sequence[np.ndarray] | np.ndarray) -> None:
    """Move mean and variance of what arrives into each normalisation, and undo them in its scale and offset."""
    norms = [norm for norm in map(_norm_after, _convolutions(model)) if norm is not None]
    probe = keras.Model(model.input, [norm.input for norm in norms])
    moments = [
        [
            (np.asarray(x, np.float64).mean((0, 1, 2)), np.square(np.asarray(x, np.float64)).mean((0, 1, 2)))
            for x in probe(crop[None].astype(np.float32) / 255, training=False)
        ]
        for crop in crops
    ]
    for index, norm in enumerate(norms):
        mean = np.mean([crop[index][0] for crop in moments], axis=0)
        variance = np.mean([crop[index][1] for crop in moments], axis=0) - mean**2
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)
        norm.gamma.assign(np.sqrt(variance + norm.epsilon))
        norm.beta.assign(norm.beta.value + mean)
