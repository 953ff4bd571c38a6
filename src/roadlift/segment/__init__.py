"""Image to probability: patches, tiled prediction without seams, and blending."""

from roadlift.segment.blend import BLENDS
from roadlift.segment.options import PredictOptions, tile_grid
from roadlift.segment.patches import patchify, unpatchify
from roadlift.segment.predict import NO_DATA, PredictStats, fit_stretch, predict, predict_tiles

__all__ = [
    "BLENDS",
    "NO_DATA",
    "PredictOptions",
    "PredictStats",
    "fit_stretch",
    "patchify",
    "predict",
    "predict_tiles",
    "tile_grid",
    "unpatchify",
]
