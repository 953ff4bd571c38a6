"""From image to road map: composes imagery, model, segment, network and export.

:func:`extract` is the main job; :func:`predict` and :func:`vectorize` are its two halves. Finished tiles lie in a journal
beside the output until it is whole.
"""

from roadlift.memory import peak_memory_mb
from roadlift.pipeline.checks import check_result, check_targets
from roadlift.pipeline.jobs import extract, predict, predict_image, vectorize_work
from roadlift.pipeline.options import ExtractOptions, network_options
from roadlift.pipeline.rasters import vectorize
from roadlift.pipeline.shards import Shard, compute_shard, merge_shards
from roadlift.pipeline.work import (
    Compute,
    Progress,
    Work,
    compute_here,
    compute_missing,
    join_work,
    keeping,
    open_work,
)

__all__ = [
    "Compute",
    "ExtractOptions",
    "Progress",
    "Shard",
    "Work",
    "check_result",
    "check_targets",
    "compute_here",
    "compute_missing",
    "compute_shard",
    "extract",
    "join_work",
    "keeping",
    "merge_shards",
    "network_options",
    "open_work",
    "peak_memory_mb",
    "predict",
    "predict_image",
    "vectorize",
    "vectorize_work",
]
