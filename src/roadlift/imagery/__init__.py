"""Pixels in and out: georeferences, tiles, images read at the model's ground resolution, rasters written whole or not."""

from roadlift.imagery.georef import Georef
from roadlift.imagery.grid import Grid, Tile, Window
from roadlift.imagery.scaling import FILL, Pixels, Stretch
from roadlift.imagery.sink import NO_DATA, MaskWriter, ProbabilityWriter, read_probability
from roadlift.imagery.source import ImagerySource

__all__ = [
    "FILL",
    "NO_DATA",
    "Georef",
    "Grid",
    "ImagerySource",
    "MaskWriter",
    "Pixels",
    "ProbabilityWriter",
    "Stretch",
    "Tile",
    "Window",
    "read_probability",
]
