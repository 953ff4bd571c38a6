"""From a probability or mask raster to a road network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from roadlift import __version__, network
from roadlift.errors import InputError, UsageError
from roadlift.imagery import Georef, RoadRaster
from roadlift.segment import drawing_at_once

if TYPE_CHECKING:
    from roadlift.network import NetworkOptions, RoadMap


def vectorize(
    raster: str | Path,
    options: NetworkOptions | None = None,
    *,
    road_class: int | None = None,
    scale: float | None = None,
    band: int | None = None,
    nodata: float | None = None,
    gsd: float | None = None,
) -> RoadMap:
    """Turn a probability or mask raster, also one of another tool, into a road network.

    What its values mean is recognised (our own rasters, 0/1, 0/255, 0..1, 0..255) and stands in the result's
    provenance under ``recognised``; what may mean several things is refused. The raster is read strip by strip.

    Args:
        raster: Path or http(s) URL.
        options: Thresholds of the network; None means the defaults.
        road_class: The class that is road, of a raster of classes.
        scale: The value that means certain, of a raster of probabilities on another scale.
        band: The band to read, counted from 1, of a raster of several.
        nodata: A value that means no data, where the file does not say.
        gsd: Metres per pixel of a raster without CRS.

    Raises:
        InputError: The raster cannot be read, its values may mean several things, or its ground resolution is unknown.
        UsageError: Arguments contradict each other or the raster.

    Example:
        >>> roads = vectorize("landcover.tif", road_class=7)                     # doctest: +SKIP
    """
    with RoadRaster(raster, road_class=road_class, scale=scale, band=band, nodata=nodata) as source:
        recognised = source.meaning.text
        return network.vectorize(
            source,
            source.georef,
            ground_resolution_m=_raster_resolution(source.georef, source.shape, gsd),
            options=options or network.NetworkOptions(),
            provenance={
                "roadlift": __version__,
                "raster": str(raster),
                "recognised": recognised,
                "notes": [f"the raster is read as {recognised}"],
            },
            processes=drawing_at_once(source.shape),
        )


def _raster_resolution(georef: Georef, shape: tuple[int, ...], gsd: float | None) -> float:
    if georef.crs is None:
        if gsd is None:
            raise InputError(
                "The raster has no CRS, so its ground resolution is unknown. Give it with --gsd in metres."
            )
        return gsd
    if gsd is not None:
        raise UsageError(
            "--gsd is for rasters without CRS; this one has a CRS that tells its ground resolution."
        )
    down, across = georef.ground_resolution((shape[0], shape[1]))
    return float(np.sqrt(down * across))
