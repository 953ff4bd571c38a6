"""The classic U-Net, from exactly six kinds of layer.

Source: Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015; with
batch normalisation, "same" padding and transposed convolutions, as the Keras community builds it.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def unet(width: int = 16, depth: int = 4) -> keras.Model:
    """Build a U-Net of Conv2D, BatchNormalization, Activation, MaxPool2D, Conv2DTranspose and Concatenate.

    Args:
        width: Channels of the first level; each level below has twice as many.
        depth: How often the image is halved; its sides must be multiples of ``2**depth``.

    Returns:
        Model from float32 (n, rows, cols, 3) in 0..1 to float32 logits (n, rows, cols, 1).

    Example:
        >>> unet(width=2).count_params() < 40_000
        True
    """
    image = keras.Input((None, None, 3), name="image")
    x = image
    skips = []
    for level in range(depth):
        x = _double_convolution(x, width * 2**level)
        skips.append(x)
        x = layers.MaxPool2D()(x)
    x = _double_convolution(x, width * 2**depth)
    for level in reversed(range(depth)):
        x = layers.Conv2DTranspose(width * 2**level, 2, strides=2, padding="same")(x)
        x = layers.Concatenate()([x, skips[level]])
        x = _double_convolution(x, width * 2**level)
    logits = layers.Conv2D(1, 1, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=f"unet{width}")


def _double_convolution(x: Any, channels: int) -> Any:
    for _ in range(2):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
    return x
