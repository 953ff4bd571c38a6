"""Probability to a clean mask: hysteresis, small areas dropped, small holes filled; whole areas, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.raster import NO_DATA, PROBABILITY_ONE, Raster, View, as_raster, read_strips
from roadlift.network.runs import Runs
from roadlift.network.strips import map_strips

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.options import NetworkOptions
    from roadlift.network.polylines import Polylines

    Booleans = NDArray[np.bool_]
    Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class RoadMask:
    """Where road is, and what was decided on the way; lines are the long axes of areas, in pixels.

    Attributes:
        roads: the mask.
        specks: areas that are road by their probability and too small.
        faint: areas that are large enough and nowhere reach the threshold.
        holes: gaps inside roads that were filled.
    """

    roads: Runs
    specks: Polylines
    faint: Polylines
    holes: Polylines


def road_mask(
    probability: Bytes | Raster, *, ground_resolution_m: float, options: NetworkOptions
) -> Booleans:
    """Threshold with hysteresis, then drop small objects and fill small holes.

    Hysteresis (Canny 1986): an area of at least ``threshold_low`` is road where some pixel of it reaches
    ``threshold``. Objects are 8-connected, holes 4-connected.

    Args:
        probability: (rows, cols) uint8, 0..254 = p * 254, 255 = no data.
        ground_resolution_m: metres per pixel.
        options: thresholds (0..1) and areas (square metres).

    Returns:
        (rows, cols) bool.

    Example:
        >>> from roadlift.network import NetworkOptions
        >>> row = np.array([[0, 90, 200, 90, 0, 90]], np.uint8)
        >>> options = NetworkOptions(min_object_m2=0)
        >>> road_mask(row, ground_resolution_m=1.0, options=options).astype(int).tolist()
        [[0, 1, 1, 1, 0, 0]]
    """
    found = find_roads(as_raster(probability), ground_resolution_m=ground_resolution_m, options=options)
    return found.roads.to_mask(0, found.roads.shape[0])


def find_roads(raster: Raster, *, ground_resolution_m: float, options: NetworkOptions) -> RoadMask:
    """Do what `road_mask` does, reading the raster strip by strip, and keep what was dropped and filled."""
    low, reaches = _threshold(raster, options)
    pixel_m2 = ground_resolution_m**2
    objects = low.areas(diagonal=True)
    large = objects.pixels >= options.min_object_m2 / pixel_m2
    seeded = objects.with_any(reaches)
    roads = low.take((large & seeded)[objects.label])
    gaps = roads.complement().areas(diagonal=False)
    small = ~gaps.at_border & (gaps.pixels <= options.max_hole_m2 / pixel_m2)
    return RoadMask(
        roads.union(gaps.runs.take(small[gaps.label])),
        objects.axes(seeded & ~large),
        objects.axes(large & ~seeded),
        gaps.axes(small),
    )


def _threshold(raster: Raster, options: NetworkOptions) -> tuple[Runs, Booleans]:
    """Find the runs that reach the low threshold, and which of them reach the high one somewhere."""
    found = list(map_strips(lambda view: _threshold_strip(view, options), read_strips(raster)))
    lows, reaches = [low for low, _ in found], [reaching for _, reaching in found]
    return Runs.stacked(lows, raster.shape[1]), np.concatenate([np.empty(0, dtype=bool), *reaches])


def _threshold_strip(view: View, options: NetworkOptions) -> tuple[Runs, Booleans]:
    if not _anything(view.values, options.threshold_low * PROBABILITY_ONE):
        return Runs.nothing(view.values.shape), np.empty(0, dtype=bool)
    low, high = (
        Runs.of((view.values >= threshold * PROBABILITY_ONE) & (view.values != NO_DATA))
        for threshold in (options.threshold_low, options.threshold)
    )
    width = low.shape[1]
    inside = np.searchsorted(low.row * width + low.start, high.row * width + high.start, side="right")
    reaching = np.zeros(len(low), dtype=bool)
    reaching[inside - 1] = True
    return low, reaching


def _anything(values: Bytes, least: float) -> bool:
    """Tell quickly whether any pixel counts: most strips of a country have none."""
    return bool(((values >= least) & (values != NO_DATA)).any())
