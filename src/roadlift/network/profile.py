"""Probability on lines and across them: where a road's two edges are, seen from a line within it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.raster import Raster, View, read_around
from roadlift.network.strips import map_strips

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.polylines import Polylines

    Booleans = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

PROFILE_STEP = 0.5
"""Pixels between two looks across a road."""
CROWD = 0.2
"""Share of the points that go along though they have arrived."""
ARRIVED = -1.0


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

    def inside(self, lines: Polylines, shape: tuple[int, int]) -> Booleans:
        """Whether both edges of the road lie inside the raster, which ends half a pixel outside of its pixel centres."""
        inside = np.ones(len(lines.coordinates), dtype=bool)
        for distance in (-self.left, self.right):
            edge = lines.coordinates + distance[:, None] * self.normal
            inside &= np.all((edge >= -0.5) & (edge <= np.array(shape) - 0.5), axis=1)
        return inside


def read_profiles(
    lines: Polylines, raster: Raster, *, max_width: float, where: Booleans | None = None
) -> Profiles:
    """Find the two edges of the road at each vertex: full width at half maximum, linearly interpolated.

    Args:
        lines: row and column, pixel centres at whole numbers.
        raster: probability; no data ends a road as a low probability does.
        max_width: pixels; the search ends at half of it to either side.
        where: (vertices,) bool, the vertices whose edges are wanted; those of others are NaN. None means all.
    """
    normal = line_normals(lines)
    on_line, left, right = (np.full(len(normal), np.nan) for _ in range(3))

    def look(strip: tuple[Integers, View]) -> None:
        part, view = strip
        on_line[part] = view.probability(lines.coordinates[part])
        part = part if where is None else part[where[part]]
        point, way, value = lines.coordinates[part], normal[part], on_line[part]
        left[part] = _fall_to_half(view, point, -way, value, max_width / 2)
        right[part] = _fall_to_half(view, point, way, value, max_width / 2)

    strips = read_around(raster, lines.coordinates[:, 0], reach=max_width / 2 + PROFILE_STEP)
    deque(map_strips(look, strips), maxlen=0)
    return Profiles(on_line, left, right, normal)


def line_normals(lines: Polylines) -> Floats:
    """Find the unit vector across the line at each vertex, from its two neighbours, (vertices, 2)."""
    index = np.arange(len(lines.coordinates))
    before, after = index - 1, index + 1
    before[lines.first], after[lines.last] = lines.first, lines.last
    tangent = lines.coordinates[after] - lines.coordinates[before]
    size = np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-12)
    normal: Floats = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / size[:, None]
    return normal


def _fall_to_half(view: View, points: Floats, way: Floats, on_line: Floats, limit: float) -> Floats:
    """Walk away from the points in small steps, all at once, those that still see road go on."""
    distance = np.where(np.isnan(on_line), np.nan, limit)
    active = np.flatnonzero(np.isfinite(on_line))
    # One row an axis: columns that lie in one piece are read in half the time.
    start, stride, inner = points[active].T.copy(), PROFILE_STEP * way[active].T, on_line[active]
    level, done = inner / 2, 0
    for step in range(1, int(np.ceil(limit / PROFILE_STEP)) + 1):
        outer = view.probability_at(*(start + step * stride), no_data=0.0)
        fallen = np.flatnonzero(outer < level)
        share = (inner[fallen] - level[fallen]) / (inner[fallen] - outer[fallen])
        distance[active[fallen]] = np.minimum((step - 1 + share) * PROFILE_STEP, limit)
        level[fallen], inner = ARRIVED, outer
        done += len(fallen)
        if done > CROWD * len(active):  # to leave them out each time would cost more than to take them along
            on = np.flatnonzero(level != ARRIVED)
            active, inner, level, done = active[on], inner[on], level[on], 0
            start, stride = start.take(on, axis=1), stride.take(on, axis=1)
            if not len(active):
                break
    return distance
