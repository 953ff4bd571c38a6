"""Networks by name. To add one, write a function that returns a Keras model and list it here.

tests/train/test_architectures.py then holds it to everything that training and export need.

Every architecture maps float32 (n, rows, cols, 3) in 0..1 to float32 logits (n, rows, cols, 1); the normalisation that it
wants lies inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from roadlift.errors import UsageError
from roadlift.train.architectures.lite_unet import lite0_unet, lite0_unet_os16, lite2_unet
from roadlift.train.architectures.unet import unet


@dataclass(frozen=True)
class Architecture:
    """How to build a network, and the number that the sides of its input must be multiples of."""

    build: Callable[..., keras.Model]
    stride: int


ARCHITECTURES = {
    "lite0-unet": Architecture(lite0_unet, stride=32),
    "lite0-unet-os16": Architecture(lite0_unet_os16, stride=16),
    "lite2-unet": Architecture(lite2_unet, stride=32),
    "unet": Architecture(unet, stride=16),
}


def architecture(name: str) -> Architecture:
    """Return the architecture called ``name``.

    Raises:
        UsageError: There is none of that name.

    Example:
        >>> architecture("unet").stride
        16
    """
    if name not in ARCHITECTURES:
        raise UsageError(
            f"There is no architecture {name!r}. Choose one of: {', '.join(sorted(ARCHITECTURES))}."
        )
    return ARCHITECTURES[name]


__all__ = ["ARCHITECTURES", "Architecture", "architecture"]
