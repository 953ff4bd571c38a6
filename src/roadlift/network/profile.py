"""Probability on lines and across them: where a road's two edges are, seen from a line within it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.mask import NO_DATA, PROBABILITY_ONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.polylines import Polylines

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Bytes = NDArray[np.uint8]

PROFILE_STEP = 0.5
"""Pixels between two looks across a road."""


@dataclass(frozen=True, eq=False)
class Profiles:
    """What lies across a line at each of its vertices, (vertices,) float64 each.

    Attributes:
        on_line: probability 0..1 on the line; NaN on no data.
        left: distance (pixels) against the normal to where the probability falls to half of ``on_line``.
        right: the same along the normal. At most half the largest width; NaN where ``on_line`` is.
        normal: (vertices, 2) unit vectors across the line.
    """

    on_line: Floats
    left: Floats
    right: Floats
    normal: Floats


def read_profiles(lines: Polylines, probability: Bytes, *, max_width: float) -> Profiles:
    """Find the two edges of the road at each vertex: full width at half maximum, linearly interpolated.

    Args:
        lines: row and column, pixel centres at whole numbers.
        probability: (rows, cols) uint8, 0..254, 255 = no data, which ends a road as a low probability does.
        max_width: pixels; the search ends at half of it to either side.
    """
    on_line = read_probability(probability, lines.coordinates)
    normal = line_normals(lines)
    left, right = (
        _fall_to_half(probability, lines.coordinates, side * normal, on_line, max_width / 2)
        for side in (-1.0, 1.0)
    )
    return Profiles(on_line, left, right, normal)


def read_probability(probability: Bytes, points: Floats) -> Floats:
    """Read probability 0..1 at (points, 2) row and column, bilinear.

    NaN on no data; outside of the raster the nearest value of its border.

    Example:
        >>> read_probability(np.array([[0, 254]], np.uint8), np.array([[0.0, 0.25], [9.0, 9.0]])).tolist()
        [0.25, 1.0]
    """
    low, high, part = [], [], []
    for axis in (0, 1):
        place = np.clip(points[:, axis], 0, probability.shape[axis] - 1)
        low.append(place.astype(np.int64))
        high.append(np.minimum(low[axis] + 1, probability.shape[axis] - 1))
        part.append(place - low[axis])
    total = np.zeros(len(points))
    missing = np.zeros(len(points), dtype=bool)
    for rows, down in ((low[0], 1 - part[0]), (high[0], part[0])):
        for cols, across in ((low[1], 1 - part[1]), (high[1], part[1])):
            corner = probability[rows, cols]
            missing |= corner == NO_DATA
            total += corner * (down * across)
    value: Floats = np.where(missing, np.nan, np.minimum(total / PROBABILITY_ONE, 1.0))
    return value


def line_normals(lines: Polylines) -> Floats:
    """Find the unit vector across the line at each vertex, from its two neighbours, (vertices, 2)."""
    index = np.arange(len(lines.coordinates))
    before, after = index - 1, index + 1
    before[lines.first], after[lines.last] = lines.first, lines.last
    tangent = lines.coordinates[after] - lines.coordinates[before]
    size = np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-12)
    normal: Floats = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / size[:, None]
    return normal


def _fall_to_half(probability: Bytes, points: Floats, way: Floats, on_line: Floats, limit: float) -> Floats:
    """Walk away from the points in small steps, all at once, those that still see road go on."""
    distance = np.where(np.isnan(on_line), np.nan, limit)
    active = np.flatnonzero(np.isfinite(on_line))
    inner = on_line[active]
    for step in range(1, int(np.ceil(limit / PROFILE_STEP)) + 1):
        place = points[active] + step * PROFILE_STEP * way[active]
        outer = np.nan_to_num(read_probability(probability, place))
        level = on_line[active] / 2
        fallen = outer < level
        share = (inner[fallen] - level[fallen]) / (inner[fallen] - outer[fallen])
        distance[active[fallen]] = np.minimum((step - 1 + share) * PROFILE_STEP, limit)
        active, inner = active[~fallen], outer[~fallen]
        if not len(active):
            break
    return distance
