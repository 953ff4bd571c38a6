"""Image to probability: patches, tiled prediction without seams, blending, and the plan of memory."""

from roadlift.segment.blend import BLENDS, BlendedTiles
from roadlift.segment.options import DEFAULT_TILE, PredictOptions, tile_grid
from roadlift.segment.patches import patchify, unpatchify
from roadlift.segment.plan import (
    EXACT_TILE,
    GRANTED_SHARE,
    Pixelwise,
    Plan,
    blocks_in,
    drawing_at_once,
    granted_memory,
    make_plan,
    parse_bytes,
    plan_source,
)
from roadlift.segment.predict import NO_DATA, PredictStats, Take, fit_stretch, predict, predict_tiles

__all__ = [
    "BLENDS",
    "DEFAULT_TILE",
    "EXACT_TILE",
    "GRANTED_SHARE",
    "NO_DATA",
    "BlendedTiles",
    "Pixelwise",
    "Plan",
    "PredictOptions",
    "PredictStats",
    "Take",
    "blocks_in",
    "drawing_at_once",
    "fit_stretch",
    "granted_memory",
    "make_plan",
    "parse_bytes",
    "patchify",
    "plan_source",
    "predict",
    "predict_tiles",
    "tile_grid",
    "unpatchify",
]
