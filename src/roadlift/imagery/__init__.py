"""Pixels in and out: georeferences, tiles, images read at the model's ground resolution, rasters written whole or not."""

from roadlift.imagery.blank import blank_areas, sample_of_image, without_filling
from roadlift.imagery.georef import Georef
from roadlift.imagery.grid import Grid, Tile, Window
from roadlift.imagery.journal import (
    Journal,
    check_same,
    fingerprint,
    journal_folder,
    noted_products,
    open_journal,
    read_record,
)
from roadlift.imagery.lost import LostNotes, noted_lost
from roadlift.imagery.masks import NO_DATA, MaskSource, read_probability
from roadlift.imagery.mosaic import Mosaic, open_imagery
from roadlift.imagery.opening import MAX_PIXELS, absolute, is_remote, set_cache
from roadlift.imagery.roadraster import RoadRaster
from roadlift.imagery.scaling import FILL, Pixels, Stretch
from roadlift.imagery.sink import MaskWriter, ProbabilityWriter
from roadlift.imagery.source import ImagerySource
from roadlift.imagery.tilestore import TileStore, TileWriter, tiles_in

__all__ = [
    "FILL",
    "MAX_PIXELS",
    "NO_DATA",
    "Georef",
    "Grid",
    "ImagerySource",
    "Journal",
    "LostNotes",
    "MaskSource",
    "MaskWriter",
    "Mosaic",
    "Pixels",
    "ProbabilityWriter",
    "RoadRaster",
    "Stretch",
    "Tile",
    "TileStore",
    "TileWriter",
    "Window",
    "absolute",
    "blank_areas",
    "check_same",
    "fingerprint",
    "is_remote",
    "journal_folder",
    "noted_lost",
    "noted_products",
    "open_imagery",
    "open_journal",
    "read_probability",
    "read_record",
    "sample_of_image",
    "set_cache",
    "tiles_in",
    "without_filling",
]
