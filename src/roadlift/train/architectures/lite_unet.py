"""U-Net whose encoder is EfficientNet-Lite with ImageNet weights: accurate and quick on ordinary processors.

EfficientNet-Lite (Liu, 2020, after Tan and Le: EfficientNet, ICML 2019) has neither squeeze-and-excitation nor swish, so it
quantises well, and every layer sees a bounded field: tiles can be made exact with a finite halo.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import keras
import numpy as np
from keras import layers

from roadlift.train.architectures.normalisation import FusedBatchNormalization
from roadlift.train.architectures.pretrained import lite_weights


@dataclass(frozen=True)
class Stage:
    """A row of the EfficientNet table: ``repeats`` blocks, the first of them with ``stride``."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
_SCALING = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
DECODER = (128, 80, 48, 32)
STAGES_TO_STRIDE_16 = 5
DECODER_FROM_STRIDE_16 = DECODER[1:]


def lite0_unet(*, decoder: tuple[int, ...] = DECODER, pretrained: bool = True) -> keras.Model:
    """Build the U-Net with EfficientNet-Lite0 encoder (see :func:`lite_unet`).

    Example:
        >>> lite0_unet(pretrained=False).output_shape
        (None, None, None, 1)
    """
    return lite_unet(0, decoder=decoder, pretrained=pretrained)


def lite2_unet(*, decoder: tuple[int, ...] = DECODER, pretrained: bool = True) -> keras.Model:
    """Build the U-Net with EfficientNet-Lite2 encoder, wider and deeper than Lite0 (see :func:`lite_unet`).

    Example:
        >>> lite2_unet(pretrained=False).count_params() > lite0_unet(pretrained=False).count_params()
        True
    """
    return lite_unet(2, decoder=decoder, pretrained=pretrained)


def lite0_unet_os16(
    *, decoder: tuple[int, ...] = DECODER_FROM_STRIDE_16, pretrained: bool = True
) -> keras.Model:
    """Build the U-Net with the part of EfficientNet-Lite0 that ends at stride 16 (see :func:`lite_unet`).

    It sees less than half as far, so tiles need smaller halos, and it is quicker.

    Example:
        >>> lite0_unet_os16(pretrained=False).count_params() < lite0_unet(pretrained=False).count_params() / 2
        True
    """
    return lite_unet(0, stages=STAGES_TO_STRIDE_16, decoder=decoder, pretrained=pretrained)


def lite_unet(
    variant: int,
    *,
    stages: int = len(STAGES),
    decoder: tuple[int, ...] = DECODER,
    pretrained: bool = True,
) -> keras.Model:
    """Build a U-Net with an EfficientNet-Lite encoder and a Conv2DTranspose + Concatenate decoder.

    The decoder ends at half the resolution; the logits are upsampled by a transposed convolution that starts as bilinear
    interpolation. A road of 7 px survives that, and the network needs a third less time than one with a decoder at full
    resolution.

    Args:
        variant: Encoder 0, 1 or 2, the larger the wider and deeper.
        stages: How many of the encoder's stages are kept: all 7 end at stride 32, 5 at stride 16.
        decoder: Channels of the decoder's levels, the last of them at stride 2. A level has the same name in all variants.
        pretrained: Start the encoder from ImageNet instead of random weights.

    Returns:
        Model from float32 (n, rows, cols, 3) in 0..1 to float32 logits (n, rows, cols, 1). Sides must be multiples of
        the stride where the encoder ends.

    Raises:
        UsageError: The package with the ImageNet weights is not installed.
    """
    image = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(255 / 128, offset=-127 / 128, name="normalise")(image)
    skips, x = _encoder(x, variant, STAGES[:stages])
    first = len(DECODER) - len(decoder)
    for level, (channels, skip) in enumerate(zip(decoder, reversed(skips), strict=True), first):
        x = layers.Conv2DTranspose(channels, 2, strides=2, padding="same", name=f"up{level}")(x)
        x = layers.Concatenate(name=f"join{level}")([x, skip])
        x = _convolution(x, channels, 3, name=f"decoder{level}")
    logits = layers.Conv2D(1, 3, padding="same", dtype="float32", name="half_resolution_logits")(x)
    logits = layers.Conv2DTranspose(
        1,
        4,
        strides=2,
        padding="same",
        use_bias=False,
        kernel_initializer=_bilinear,
        dtype="float32",
        name="logits",
    )(logits)
    model = keras.Model(image, logits, name=f"lite{variant}_unet")
    if pretrained:
        load_encoder(model, lite_weights(variant))
    return model


def _encoder(x: Any, variant: int, stages: tuple[Stage, ...]) -> tuple[list[Any], Any]:
    """Return the inputs of the stride-2 blocks after the stem (strides 2, 4, 8 and, if it goes on, 16), and the result."""
    width, depth = _SCALING[variant]
    skips = []
    x = _convolution(x, 32, 3, strides=2, name="stem", activation="relu6")
    block = 0
    for index, stage in enumerate(stages):
        fixed = index in (0, len(STAGES) - 1)
        repeats = stage.repeats if fixed else ceil(depth * stage.repeats)
        channels = _round_channels(width * stage.channels)
        for repeat in range(repeats):
            stride = stage.stride if repeat == 0 else 1
            if stride == 2:
                skips.append(x)
            x = _inverted_bottleneck(x, stage, channels, stride, name=f"block{block}")
            block += 1
    return skips, x


def _inverted_bottleneck(x: Any, stage: Stage, channels: int, stride: int, name: str) -> Any:
    """Expand, filter each channel, project; add the input where shapes agree (Sandler et al., MobileNetV2, 2018)."""
    inputs = x
    if stage.expansion > 1:
        x = _convolution(x, x.shape[-1] * stage.expansion, 1, name=f"{name}_expand", activation="relu6")
    x = layers.DepthwiseConv2D(
        stage.kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = FusedBatchNormalization(epsilon=1e-3, name=f"{name}_depthwise_norm")(x)
    x = layers.Activation("relu6")(x)
    x = _convolution(x, channels, 1, name=f"{name}_project", activation=None)
    return layers.Add()([x, inputs]) if stride == 1 and inputs.shape[-1] == channels else x


def _convolution(
    x: Any, channels: int, kernel: int, *, name: str, strides: int = 1, activation: str | None = "relu"
) -> Any:
    x = layers.Conv2D(channels, kernel, strides, padding="same", use_bias=False, name=name)(x)
    x = FusedBatchNormalization(epsilon=1e-3, name=f"{name}_norm")(x)
    return x if activation is None else layers.Activation(activation)(x)


@keras.saving.register_keras_serializable("roadlift", "bilinear")
def _bilinear(shape: tuple[int, ...], dtype: str | None = None) -> Any:
    """Initialise a 4 x 4 transposed convolution of stride 2 as bilinear interpolation."""
    taper = np.array([0.25, 0.75, 0.75, 0.25])
    return keras.ops.convert_to_tensor(np.outer(taper, taper).reshape(shape), dtype=dtype)


def _round_channels(channels: float, divisor: int = 8) -> int:
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def load_encoder(model: keras.Model, weights: dict[str, np.ndarray]) -> None:
    """Copy EfficientNet-Lite weights (torch names and layout) into the encoder of ``model``.

    Args:
        model: Result of :func:`lite_unet`; stages that it has not are left out.
        weights: Result of :func:`~roadlift.train.architectures.pretrained.lite_weights` for the same variant.
    """
    _load(model, "stem", weights, "_conv_stem", "_bn0")
    ends = [layer.name for layer in model.layers if layer.name.endswith("_project")]
    for block in range(len(ends)):
        prefix = f"_blocks.{block}"
        if f"{prefix}._expand_conv.weight" in weights:
            _load(model, f"block{block}_expand", weights, f"{prefix}._expand_conv", f"{prefix}._bn0")
        _load(
            model,
            f"block{block}_depthwise",
            weights,
            f"{prefix}._depthwise_conv",
            f"{prefix}._bn1",
            (2, 3, 0, 1),
        )
        _load(model, f"block{block}_project", weights, f"{prefix}._project_conv", f"{prefix}._bn2")


def _load(
    model: keras.Model,
    layer: str,
    weights: dict[str, np.ndarray],
    convolution: str,
    norm: str,
    axes: tuple[int, ...] = (2, 3, 1, 0),
) -> None:
    model.get_layer(layer).set_weights([weights[f"{convolution}.weight"].transpose(axes)])
    parts = ("weight", "bias", "running_mean", "running_var")
    model.get_layer(f"{layer}_norm").set_weights([weights[f"{norm}.{part}"] for part in parts])
