"""What is known about each line: its width and probability from the raster, its length on the ground."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyproj import CRS, Geod, Transformer

from roadlift.imagery.grid import Window
from roadlift.network.linegraph import BATCH_PX
from roadlift.network.profile import read_profiles
from roadlift.network.raster import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.polylines import Polylines
    from roadlift.network.raster import Raster

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]


CLEAR_WIDTHS = 1.0
"""Stretch clear of junctions that shows how wide a road is, in its widths."""


@dataclass(frozen=True, eq=False)
class LineMeasures:
    """One value per line, (lines,): widths in pixels, probabilities 0..1; NaN where nothing is valid.

    ``width_measured`` is false where a line is too short to show its own width; its spread is NaN.
    """

    width: Floats
    width_spread: Floats
    width_measured: NDArray[np.bool_]
    probability: Floats
    probability_min: Floats
    probability_p10: Floats


def measure_lines(
    lines: Polylines, raster: Raster, *, max_width: float, skip_u: Floats, skip_v: Floats
) -> LineMeasures:
    """Width and probability along lines.

    Every pixel of length the probability is read on the line, and across it to both sides: the width is the
    distance between the two places where the profile falls to half of its value on the line (full width at
    half maximum), linearly interpolated. A line's width is the median, its spread the distance between the
    tenth and ninetieth percentile, over the part that is not inside a junction and whose two edges are inside
    the raster. That part must be at least as long as the road is wide there; in a shorter one the profiles
    see more of the roads it joins than of its own. Then the width is the tenth percentile of all of the line: what
    other roads and the border add to the profile makes it wider, never narrower. It is no measurement.

    Args:
        lines: row and column, pixel centres at whole numbers.
        raster: probability.
        max_width: pixels; where the profile does not fall within half of it to a side, it ends there.
        skip_u: (lines,) pixels at the beginning of each line not to measure the width on.
        skip_v: (lines,) the same at its end.
    """
    parts = [
        _measure_part(
            lines.take(np.arange(batch.start, batch.stop)), raster, max_width, skip_u[batch], skip_v[batch]
        )
        for batch in lines.batches(BATCH_PX)
    ]
    return LineMeasures(*(np.concatenate(values) for values in zip(*map(astuple, parts), strict=True)))


def _measure_part(
    lines: Polylines, raster: Raster, max_width: float, skip_u: Floats, skip_v: Floats
) -> LineMeasures:
    """Measure some of the lines, in the part of the raster that surrounds them."""
    window = _surroundings(lines, raster.shape, max_width)
    if window.shape != raster.shape:
        raster = Part(raster, window)
        lines = lines.moved(lines.coordinates - np.array([window.row, window.col]))
    dense = lines.resampled(1.0)
    remaining = dense.lengths[dense.owner] - dense.along
    clear = (dense.along >= skip_u[dense.owner]) & (remaining >= skip_v[dense.owner])
    profile = read_profiles(dense, raster, max_width=max_width, where=clear)
    on_line, across = profile.on_line, profile.left + profile.right
    clear &= profile.inside(dense, raster.shape)
    low, width, high = percentiles(dense.owner[clear], across[clear], len(dense), (0.1, 0.5, 0.9))
    measured = np.bincount(dense.owner[clear], minlength=len(dense)) >= np.fmax(CLEAR_WIDTHS * width, 1)
    spread = np.where(measured, high - low, np.nan)
    short = dense.take(~measured)
    profile = read_profiles(short, raster, max_width=max_width)
    (width[~measured],) = percentiles(short.owner, profile.left + profile.right, len(short), (0.1,))
    smallest, tenth = percentiles(dense.owner, on_line, len(dense), (0.0, 0.1))
    return LineMeasures(width, spread, measured, _mean(dense.owner, on_line, len(dense)), smallest, tenth)


def _surroundings(lines: Polylines, shape: tuple[int, int], max_width: float) -> Window:
    """Find the part of the raster that the profiles of lines can reach; all of it where there are none."""
    if not len(lines):
        return Window(0, 0, *shape)
    low = np.floor(lines.coordinates.min(axis=0)).astype(np.int64)
    size = np.ceil(lines.coordinates.max(axis=0)).astype(np.int64) - low + 1
    return Window(*low.tolist(), *size.tolist()).pad(int(max_width / 2) + 4).clip(shape)


def _mean(group: Integers, value: Floats, groups: int) -> Floats:
    valid = np.isfinite(value)
    count = np.bincount(group[valid], minlength=groups)
    total = np.bincount(group[valid], weights=value[valid], minlength=groups)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def percentiles(group: Integers, value: Floats, groups: int, shares: tuple[float, ...]) -> list[Floats]:
    """Nearest-rank percentiles of the values of each group, one array (groups,) per share."""
    valid = np.isfinite(value)
    group, value = group[valid], value[valid]
    by_value = np.argsort(value)
    place = np.sort(
        group[by_value] * max(len(value), 1) + np.arange(len(value))
    )  # two plain sorts: far quicker than lexsort
    ordered = np.append(value[by_value[place % max(len(value), 1)]], np.nan)
    count = np.bincount(group, minlength=groups)
    begin = np.cumsum(count) - count
    ranks = [np.floor((count - 1) * share + 0.5).astype(np.int64) for share in shares]
    return [ordered[np.where(count > 0, begin + rank, len(ordered) - 1)] for rank in ranks]


def geodesic_lengths(lines: Polylines, crs: CRS) -> Floats:
    """Length of each line on the ellipsoid of its CRS.

    Args:
        lines: x and y in the CRS's units (easting or longitude first).
        crs: a geographic or projected CRS.

    Returns:
        (lines,) float64 metres.

    Example:
        >>> from roadlift.network.polylines import Polylines
        >>> degree = Polylines.of([[(0.0, 0.0), (1.0, 0.0)]])
        >>> geodesic_lengths(degree, CRS("EPSG:4326")).round(1).tolist()
        [111319.5]
    """
    geographic = crs.geodetic_crs
    turn = Transformer.from_crs(crs, geographic, always_xy=True)
    longitude, latitude = turn.transform(lines.coordinates[:, 0], lines.coordinates[:, 1])
    ellipsoid = crs.get_geod() or Geod(ellps="WGS84")
    step = np.zeros(len(longitude))
    if len(longitude) > 1:
        step[1:] = ellipsoid.inv(longitude[:-1], latitude[:-1], longitude[1:], latitude[1:])[2]
    step[lines.first] = 0.0
    total: Floats = np.bincount(lines.owner, weights=step, minlength=len(lines)).astype(np.float64)
    return total
