"""Fewer vertices, the same network: no road comes to cross itself or another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from roadlift.errors import UsageError
from roadlift.network.evidence import lengths_on_ground, metres_per_unit
from roadlift.network.polylines import Polylines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.roadmap import RoadMap

    Booleans = NDArray[np.bool_]
    Lines = NDArray[np.object_]


def simplify(roadmap: RoadMap, tolerance_m: float) -> RoadMap:
    """Leave out vertices while each road stays within a tolerance of its line; nodes stay where they are.

    Douglas and Peucker (1973). A road whose simpler form would cross or touch itself or another road where the
    original did not keeps its line, and so does that other road. Lengths are measured anew; everything else
    stays.

    Args:
        roadmap: the network.
        tolerance_m: metres on the ground.

    Raises:
        UsageError: the tolerance is not positive.

    Example:
        >>> from roadlift.network import RoadMap
        >>> simplify(RoadMap.empty(), 2.0)
        RoadMap(0 edges, 0 nodes, 0.00 km, pixel coordinates)
    """
    if not tolerance_m > 0:
        message = f"tolerance_m is {tolerance_m}; give metres above 0"
        raise UsageError(message)
    edges = roadmap.edges
    lines = Polylines.from_shapely(edges.geometry.to_numpy())
    scale = metres_per_unit(lines, edges["length_m"].to_numpy(), roadmap.crs)
    metric = lines.moved(lines.coordinates * scale)
    simpler = _vertices_left(metric, tolerance_m)
    lines = lines.keep(simpler)
    changed = lines.counts < metric.counts
    length_m = np.where(changed, lengths_on_ground(lines, roadmap.crs, scale).round(3), edges["length_m"])
    simple = edges.assign(length_m=length_m).set_geometry(lines.to_shapely(), crs=roadmap.crs)
    return replace(roadmap, edges=simple)


def _vertices_left(lines: Polylines, tolerance: float) -> Booleans:
    """Which vertices stay, (vertices,) bool: all of a line that would come into contact with another otherwise."""
    before = lines.to_shapely()
    simple = np.asarray(shapely.simplify(before, tolerance, preserve_topology=True), dtype=object)
    spoilt = _spoilt(before, simple)
    while spoilt.any():
        simple = np.where(spoilt, before, simple)
        spoilt = _spoilt(before, simple)
    left = Polylines.from_shapely(simple)
    of_all, of_left = (pd.MultiIndex.from_arrays([part.owner, *part.coordinates.T]) for part in (lines, left))
    return np.asarray(of_all.isin(of_left))


def _spoilt(before: Lines, after: Lines) -> Booleans:
    """Which changed lines cross or touch themselves or others where they did not, (lines,) bool."""
    changed = shapely.get_num_points(after) < shapely.get_num_points(before)
    spoilt = changed & shapely.is_simple(before) & ~shapely.is_simple(after)
    one, two = shapely.STRtree(after).query(after, predicate="intersects")
    pairs = (one < two) & (changed[one] | changed[two])
    one, two = one[pairs], two[pairs]
    meeting = [shapely.normalize(shapely.intersection(lines[one], lines[two])) for lines in (before, after)]
    new = ~shapely.equals_exact(*meeting)
    spoilt[one[new]] = spoilt[two[new]] = True
    return spoilt & changed
