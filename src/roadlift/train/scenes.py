"""Rendered scenes as training samples: perfect labels for what real labels miss."""

from __future__ import annotations

import numpy as np

from roadlift.imagery import Pixels, Stretch
from roadlift.scene import render
from roadlift.train.data import Sample

_SHAPE = (640, 640)
_LABEL_WIDTH_M = 7.0
_FIRST_SEED = 10_000


def scene_samples(count: int, *, seed: int = 0) -> list[Sample]:
    """Render ``count`` scenes and label them as the real images are labelled: centrelines drawn 7 m wide.

    Args:
        count: Number of scenes.
        seed: Shifts the scenes' own seeds, which begin far from those of demo and tests.

    Returns:
        One sample a scene, 640 x 640 px at 1 m.
    """
    return [_sample(_FIRST_SEED * (seed + 1) + index) for index in range(count)]


def _sample(seed: int) -> Sample:
    scene = render(seed, shape=_SHAPE)
    pixels = Pixels(np.moveaxis(scene.image, 2, 0), np.ones(_SHAPE, bool))
    label = (scene.label(width_m=_LABEL_WIDTH_M) > 0).astype(np.uint8)
    return Sample(f"scene{seed}", Stretch.fit(pixels).apply(pixels), label)
