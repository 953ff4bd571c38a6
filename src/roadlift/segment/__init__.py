"""Image to probability: patches, tiled prediction without seams, and blending."""

from roadlift.segment.blend import BLENDS
from roadlift.segment.patches import patchify, unpatchify
from roadlift.segment.predict import NO_DATA, PredictOptions, PredictStats, predict, tile_grid

__all__ = [
    "BLENDS",
    "NO_DATA",
    "PredictOptions",
    "PredictStats",
    "patchify",
    "predict",
    "tile_grid",
    "unpatchify",
]
