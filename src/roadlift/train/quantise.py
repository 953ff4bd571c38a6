"""A float network becomes an int8 one after training: three times as quick on processors with int8 dot products.

Static quantisation with quantise and dequantise nodes (QDQ): weights int8 with one scale a channel, activations
uint8 with scale and zero point from the range that training crops reach (Jacob et al.: Quantization and Training of
Neural Networks for Efficient Integer-Arithmetic-Only Inference, CVPR 2018). The last convolution, which only
enlarges the logits, stays in float. ONNX Runtime writes the file, and OpenVINO runs all its convolutions in int8.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from roadlift.errors import InputError
from roadlift.train.data import IGNORE, Sample
from roadlift.train.graph import drop_unused_operators, weights_to_float32

CROPS, CROP = 32, 320
OPERATORS = ("Conv", "ConvTranspose", "Concat", "Add", "Clip", "Relu", "MaxPool")
MAX_BLANK_SHARE = 0.1
_PREPARED = {"onnx.quant.pre_process": "onnxruntime.quant"}
"""Tells ONNX Runtime that the graph is simplified already."""


def quantise(model: onnx.ModelProto, crops: Sequence[np.ndarray]) -> onnx.ModelProto:
    """Return the int8 twin of a network.

    Args:
        model: Float network from float32 (n, 3, rows, cols) in 0..1, its weights stored in float16 or float32.
        crops: uint8 (rows, cols, 3), images as the network sees them, to take the ranges of activations from.

    Returns:
        A model with the same input and output, without metadata.
    """
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    weights_to_float32(plain.graph)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.helper.set_model_props(plain, _PREPARED)
        onnx.save(plain, source)
        quantize_static(
            source,
            target,
            _Crops(plain.graph.input[0].name, crops),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_last_convolution(plain.graph),
            calibrate_method=CalibrationMethod.MinMax,
        )
        quantised = onnx.load(target)
    drop_unused_operators(quantised)
    del quantised.metadata_props[:]
    return quantised


def calibration_crops(samples: Sequence[Sample], *, stride: int, seed: int = 0) -> list[np.ndarray]:
    """Draw crops of the training images, hardly blank, each from another image.

    Args:
        samples: The training images.
        stride: What the sides of a crop must be multiples of.
        seed: Seed of the draw.

    Returns:
        Up to 32 arrays uint8 (rows, cols, 3) with sides of up to 320 px.

    Raises:
        InputError: No image is large enough and not blank.
    """
    rng = np.random.default_rng(seed)
    crops: list[np.ndarray] = []
    for index in rng.permutation(len(samples)):
        sample = samples[int(index)]
        rows, cols = (min(CROP, side // stride * stride) for side in sample.label.shape)
        top, left = (
            int(rng.integers(0, n - m + 1)) for n, m in zip(sample.label.shape, (rows, cols), strict=True)
        )
        label = sample.label[top : top + rows, left : left + cols]
        if label.size and (label == IGNORE).mean() <= MAX_BLANK_SHARE:
            crops.append(np.asarray(sample.image[top : top + rows, left : left + cols]))
        if len(crops) == CROPS:
            break
    if not crops:
        raise InputError(
            f"None of the {len(samples)} training images has a part of {stride} x {stride} pixels or more that is not "
            "blank; int8 needs some to find the ranges of its numbers."
        )
    return crops


class _Crops(CalibrationDataReader):
    """Hands crops to ONNX Runtime as the network takes them."""

    def __init__(self, name: str, crops: Sequence[np.ndarray]):
        self._inputs: Iterator[dict[str, np.ndarray]] = (
            {name: np.moveaxis(crop, 2, 0)[None].astype(np.float32) / np.float32(255)} for crop in crops
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next input, or None after the last."""
        return next(self._inputs, None)


def _last_convolution(graph: onnx.GraphProto) -> list[str]:
    return [node.name for node in graph.node if node.op_type in ("Conv", "ConvTranspose")][-1:]
