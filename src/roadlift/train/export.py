"""A trained network becomes one ONNX file that carries its card and needs no deep-learning framework.

The file keeps the contract of :mod:`roadlift.model`: float32 (n, 3, rows, cols) RGB in 0..1 in, float32 (n, 1, rows, cols)
probability out, any size that the stride allows. The same file works in the QGIS plugin Deepness, whose metadata it
carries too.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime

from roadlift.errors import ModelError
from roadlift.model import CARD_KEY, ModelCard, graph_sha256
from roadlift.train.graph import drop_unused_operators, simplify, weights_to_float32

OPSET, MAX_IR_VERSION = 17, 9
"""What ONNX Runtime 1.17 reads, the newest that the QGIS plugin Deepness takes."""
LARGEST_BYTES = 7_500_000
_TOLERANCE = 1e-3


def export_onnx(model: keras.Model, card: ModelCard, path: str | Path) -> ModelCard:
    """Write ``model`` with its card as ONNX, and check that both give the same probabilities.

    Where the file would be larger than ``LARGEST_BYTES``, weights are stored as float16 and computed with as float32.

    Args:
        model: Network from float32 (n, rows, cols, 3) in 0..1 to logits (n, rows, cols, 1), in float32.
        card: What the model is; its ``sha256`` is filled in here.
        path: Target, ``.onnx``; replaced when whole.

    Returns:
        The card as written.

    Raises:
        ModelError: Keras and ONNX Runtime differ by more than 1e-3.
    """
    path = Path(path)
    served = _served(model)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        file = Path(folder) / path.name
        served.export(str(file), format="onnx", opset_version=OPSET, verbose=False)
        graph = onnx.load(file)
        _tidy(graph)
        simplify(graph)
        keep_small(graph)
        card = save_with_card(graph, card, file)
        check_agreement(served, file, stride=card.stride)
        file.replace(path)
    return card


def export_again(file: Path, card: ModelCard, path: Path) -> ModelCard:
    """Write an exported float model anew, with another card, in the form that :func:`export_onnx` gives it.

    Args:
        file: Float ``.onnx`` file of :func:`export_onnx`, also of an earlier version.
        card: What the model is; its ``sha256`` is filled in here.
        path: Target, ``.onnx``.

    Returns:
        The card as written.

    Raises:
        ModelError: The file is quantised to int8.
    """
    graph = onnx.load(file)
    if any(node.op_type == "DequantizeLinear" for node in graph.graph.node):
        raise ModelError(f"{file} is quantised to int8; give the float file of the same model.")
    weights_to_float32(graph.graph)
    simplify(graph)
    keep_small(graph)
    return save_with_card(graph, card, path)


def save_with_card(graph: onnx.ModelProto, card: ModelCard, path: Path) -> ModelCard:
    """Write a network with its card and the metadata of Deepness, replacing what metadata it has.

    Args:
        graph: The network, float or int8.
        card: What the model is; its ``sha256`` is filled in here.
        path: Target, ``.onnx``.

    Returns:
        The card as written.
    """
    del graph.metadata_props[:]
    graph.ir_version = min(graph.ir_version, MAX_IR_VERSION)
    onnx.checker.check_model(graph, full_check=True)
    card = replace(card, sha256=graph_sha256(graph.SerializeToString()))
    onnx.helper.set_model_props(graph, {CARD_KEY: card.to_json(), **deepness_metadata(card)})
    onnx.save(graph, path)
    return card


def keep_small(graph: onnx.ModelProto) -> None:
    """Store the weights of a large network in half the room (in place)."""
    if graph.ByteSize() > LARGEST_BYTES:
        store_as_float16(graph)


def store_as_float16(graph: onnx.ModelProto, min_values: int = 256) -> None:
    """Keep large float32 constants as float16 and cast them when the model is loaded (in place)."""
    casts = []
    for tensor in graph.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= min_values:
            name = tensor.name
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_float16"))
            casts.append(
                onnx.helper.make_node("Cast", [f"{name}_float16"], [name], to=onnx.TensorProto.FLOAT)
            )
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def check_agreement(served: keras.Model, file: Path, *, stride: int) -> float:
    """Compare Keras with ONNX Runtime on random images of two sizes.

    Returns:
        The largest difference of a probability.

    Raises:
        ModelError: It is above 1e-3.
    """
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    worst = 0.0
    for count, rows, cols in ((1, 4 * stride, 6 * stride), (2, 3 * stride, 3 * stride)):
        batch = rng.random((count, 3, rows, cols), np.float32)
        ours = np.asarray(served(batch))
        theirs = session.run(None, {"image": batch})[0]
        worst = max(worst, float(np.abs(ours - theirs).max()))
    if not worst <= _TOLERANCE:
        raise ModelError(
            f"Keras and ONNX Runtime differ by {worst:.2e}; at most {_TOLERANCE:.0e} is allowed."
        )
    return worst


def deepness_metadata(card: ModelCard) -> dict[str, str]:
    """Return the metadata that the QGIS plugin Deepness reads; every value is a JSON string."""
    values = {
        "model_type": "Segmentor",
        "class_names": {"0": "background", "1": "road"},
        "resolution": card.ground_resolution_m * 100,
        "tile_size": 512,
        "tiles_size": 512,
        "tiles_overlap": 25,
        "standardization_mean": [0.0, 0.0, 0.0],
        "standardization_std": [1.0, 1.0, 1.0],
        "seg_thresh": card.threshold,
        "seg_small_segment": 11,
    }
    return {key: json.dumps(value) for key, value in values.items()}


def _served(model: keras.Model) -> keras.Model:
    """Wrap the network as it is served: bands first, sigmoid inside."""
    image = keras.Input((3, None, None), name="image")
    logits = model(keras.ops.transpose(image, (0, 2, 3, 1)), training=False)
    probability = keras.layers.Activation("sigmoid", dtype="float32")(logits)
    served = keras.Model(image, keras.ops.transpose(probability, (0, 3, 1, 2)), name=model.name)
    served(np.zeros((1, 3, 64, 64), np.float32))
    return served


def _tidy(graph: onnx.ModelProto) -> None:
    """Name input and output as the contract does; drop metadata and operator sets that no node uses (in place)."""
    names = {graph.graph.input[0].name: "image", graph.graph.output[0].name: "probability"}
    for value in (*graph.graph.input, *graph.graph.output):
        value.name = names[value.name]
    for node in graph.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    drop_unused_operators(graph)
    del graph.metadata_props[:]
