"""Labelled images: found in folders, listed in a pandas table, read as stretched pixels with a label and what to ignore."""

from roadlift.train.data.pairs import find_pairs, read_sample, read_samples
from roadlift.train.data.sample import IGNORE, Sample, blank_areas, with_ignore_rim

__all__ = ["IGNORE", "Sample", "blank_areas", "find_pairs", "read_sample", "read_samples", "with_ignore_rim"]
