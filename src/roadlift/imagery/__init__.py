"""Pixels in and out: georeferences, tiles, images read at the model's ground resolution, rasters written whole or not."""

from roadlift.imagery.blank import blank_areas
from roadlift.imagery.georef import Georef
from roadlift.imagery.grid import Grid, Tile, Window
from roadlift.imagery.masks import NO_DATA, MaskSource, read_probability
from roadlift.imagery.mosaic import Mosaic, open_imagery
from roadlift.imagery.opening import MAX_PIXELS
from roadlift.imagery.roadraster import RoadRaster
from roadlift.imagery.scaling import FILL, Pixels, Stretch
from roadlift.imagery.sink import MaskWriter, ProbabilityWriter
from roadlift.imagery.source import ImagerySource

__all__ = [
    "FILL",
    "MAX_PIXELS",
    "NO_DATA",
    "Georef",
    "Grid",
    "ImagerySource",
    "MaskSource",
    "MaskWriter",
    "Mosaic",
    "Pixels",
    "ProbabilityWriter",
    "RoadRaster",
    "Stretch",
    "Tile",
    "Window",
    "blank_areas",
    "open_imagery",
    "read_probability",
]
