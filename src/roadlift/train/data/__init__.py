"""Labelled images: found in folders, listed in a pandas table, read as stretched pixels with a label and what to ignore."""

from roadlift.train.data.inspect import Inspection, draw_sheet, inspect_data
from roadlift.train.data.layouts import LAYOUTS, list_images
from roadlift.train.data.prepare import Prepared, choose_splits, prepare_data
from roadlift.train.data.reading import ReadOptions, read_parts, read_sample
from roadlift.train.data.sample import IGNORE, Sample, with_ignore_rim
from roadlift.train.data.store import MEMORY_BYTES, Samples, read_samples

__all__ = [
    "IGNORE",
    "LAYOUTS",
    "MEMORY_BYTES",
    "Inspection",
    "Prepared",
    "ReadOptions",
    "Sample",
    "Samples",
    "choose_splits",
    "draw_sheet",
    "inspect_data",
    "list_images",
    "prepare_data",
    "read_parts",
    "read_sample",
    "read_samples",
    "with_ignore_rim",
]
