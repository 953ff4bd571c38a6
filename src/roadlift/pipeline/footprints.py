"""Which images of several overlap, and what each of them shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import shapely

from roadlift.imagery import Georef, Window
from roadlift.imagery.footprint import outline
from roadlift.model import find_card
from roadlift.pipeline.options import ExtractOptions
from roadlift.segment import NO_DATA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network import Raster
    from roadlift.pipeline.work import Work

STRIP_PIXELS = 1 << 23
PIECES = 64
"""Into which a straight border is cut where it becomes curved in another CRS."""


def overlap(images: Sequence[str | Path], options: ExtractOptions) -> bool:
    """Tell whether any two images lie on each other, by their frames; those without CRS lie nowhere.

    Args:
        images: As for extract.
        options: As for extract.

    Raises:
        InputError, LimitError, UsageError: As extract.
    """
    card, frames = find_card(options.model), []
    for image in images if len(images) > 1 else ():
        with options.open(image, card) as source:
            if source.native_georef.crs is not None:
                frames.append(_in_crs(_frame(source.georef, source.shape), source.georef, "EPSG:4326"))
    if not frames:
        return False
    pairs = shapely.STRtree(frames).query(frames, predicate="intersects")
    one, other = np.array(frames)[pairs[:, pairs[0] < pairs[1]]]
    return bool((shapely.area(shapely.intersection(one, other)) > 0).any())


def footprint(work: Work) -> shapely.Geometry:
    """Draw what an image shows: where its finished tiles hold data, in the image's own CRS.

    Args:
        work: All of its tiles are finished.
    """
    drawn = outline(_valid_strips(work.raster), work.source.georef)
    return _in_crs(drawn, work.source.georef, work.source.native_georef.crs)


def _frame(georef: Georef, shape: tuple[int, int]) -> shapely.Polygon:
    rows, cols = shape
    x, y = georef.to_map([-0.5, -0.5, rows - 0.5, rows - 0.5], [-0.5, cols - 0.5, cols - 0.5, -0.5])
    return shapely.Polygon(np.stack([x, y], axis=1))


def _in_crs(area: shapely.Geometry, georef: Georef, crs: object) -> shapely.Geometry:
    if shapely.is_empty(area) or crs is None or georef.crs == crs:
        return area
    west, south, east, north = shapely.bounds(area)
    fine = shapely.segmentize(area, max(east - west, north - south) / PIECES)
    turned: shapely.Geometry = gpd.GeoSeries([fine], crs=georef.crs).to_crs(crs).iloc[0]
    return turned


def _valid_strips(raster: Raster) -> Iterator[NDArray[np.bool_]]:
    rows, cols = raster.shape
    step = max(1, STRIP_PIXELS // cols)
    for top in range(0, rows, step):
        yield raster.read(Window(top, 0, min(step, rows - top), cols)) != NO_DATA
