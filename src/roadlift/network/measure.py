"""What is known about each line: its width and probability from the raster, its length on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyproj import CRS, Geod, Transformer

from roadlift.network.profile import read_profiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.polylines import Polylines

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]
    Bytes = NDArray[np.uint8]


def half_widths(mask: Booleans, rows: Integers, cols: Integers, *, reach: int) -> Floats:
    """Distance from mask pixels to the edge of the mask, as half the road's width there.

    Looks outwards from all points at once, pixel by pixel in the order of their distance, until each point
    has met the background: exact, and far cheaper than a distance transform of the raster when points are
    few.

    Args:
        mask: (rows, cols) bool.
        rows: (points,) int64, rows of the pixels to look at.
        cols: (points,) int64, their columns.
        reach: pixels; larger distances come out as this.

    Returns:
        (points,) float64, in pixels: 3.5 in the middle of a band seven pixels wide.

    Example:
        >>> mask = np.zeros((11, 30), bool); mask[2:9] = True
        >>> half_widths(mask, np.array([5]), np.array([15]), reach=10).tolist()
        [3.5]
    """
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    distance = np.hypot(down, across)
    found = np.full(len(rows), float(reach))
    active = np.arange(len(rows))
    for look in np.argsort(distance, kind="stable")[: np.count_nonzero(distance <= reach)]:
        row = np.clip(rows[active] + down[look], 0, mask.shape[0] - 1)
        col = np.clip(cols[active] + across[look], 0, mask.shape[1] - 1)
        inside = mask[row, col]
        found[active[~inside]] = max(distance[look] - 0.5, 0.5)
        active = active[inside]
        if not len(active):
            break
    return found


@dataclass(frozen=True, eq=False)
class LineMeasures:
    """One value per line, (lines,): widths in pixels, probabilities 0..1; NaN where nothing is valid."""

    width: Floats
    width_spread: Floats
    probability: Floats
    probability_min: Floats
    probability_p10: Floats


def measure_lines(
    lines: Polylines, probability: Bytes, *, max_width: float, skip_u: Floats, skip_v: Floats
) -> LineMeasures:
    """Width and probability along lines.

    Every pixel of length the probability is read on the line, and across it to both sides: the width is the
    distance between the two places where the profile falls to half of its value on the line (full width at
    half maximum), linearly interpolated. A line's width is the median, its spread the distance between the
    tenth and ninetieth percentile, over the part that is not inside a junction.

    Args:
        lines: row and column, pixel centres at whole numbers.
        probability: (rows, cols) uint8, 0..254, 255 = no data.
        max_width: pixels; where the profile does not fall within half of it to a side, it ends there.
        skip_u: (lines,) pixels at the beginning of each line not to measure the width on.
        skip_v: (lines,) the same at its end.
    """
    dense = lines.resampled(1.0)
    profile = read_profiles(dense, probability, max_width=max_width)
    on_line, width = profile.on_line, profile.left + profile.right
    remaining = dense.lengths[dense.owner] - dense.along
    clear = (dense.along >= skip_u[dense.owner]) & (remaining >= skip_v[dense.owner])
    clear |= (np.bincount(dense.owner[clear], minlength=len(dense)) == 0)[dense.owner]
    low, median, high = percentiles(dense.owner[clear], width[clear], len(dense), (0.1, 0.5, 0.9))
    smallest, tenth = percentiles(dense.owner, on_line, len(dense), (0.0, 0.1))
    return LineMeasures(median, high - low, _mean(dense.owner, on_line, len(dense)), smallest, tenth)


def _mean(group: Integers, value: Floats, groups: int) -> Floats:
    valid = np.isfinite(value)
    count = np.bincount(group[valid], minlength=groups)
    total = np.bincount(group[valid], weights=value[valid], minlength=groups)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def percentiles(group: Integers, value: Floats, groups: int, shares: tuple[float, ...]) -> list[Floats]:
    """Nearest-rank percentiles of the values of each group, one array (groups,) per share."""
    valid = np.isfinite(value)
    group, value = group[valid], value[valid]
    ordered = np.append(value[np.lexsort((value, group))], np.nan)
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
