"""Where roads leave the image: they go straight on to its very edge, so that neighbouring images fit together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import shapely

from roadlift.network.polylines import ragged_positions
from roadlift.network.profile import read_profiles
from roadlift.network.prune import AXIS_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.linegraph import LineGraph
    from roadlift.network.polylines import Polylines
    from roadlift.network.raster import Raster

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

NEAR_BORDER = 3.0  # pixels from the edge of the image within which a line that leaves it is lengthened
STEEP = 0.1  # a line that is more parallel to an edge than this does not reach it


def leave_straight(graph: LineGraph, raster: Raster, *, max_width: float, max_reach: float) -> LineGraph:
    """Let roads that leave the image at a slant go straight on over the part of which one edge lies outside.

    There the middle of what the image still shows turns towards its border, and the road would leave too early. The
    direction is that of the stretch before. What would meet another road on its way stays as it is.

    Args:
        graph: lines in the middle of their roads, pixels.
        raster: probability.
        max_width: pixels.
        max_reach: pixels; a road that goes along the border for longer stays as it is.
    """
    far = np.array(raster.shape) - 0.5
    at_frame = np.any((graph.nodes < NEAR_BORDER) | (graph.nodes > far - NEAR_BORDER), axis=1)
    outer = graph.border & (graph.degree == 1) & at_frame
    lines = graph.lines.resampled(1.0)
    leaves = (outer[graph.u] | outer[graph.v]) & ~graph.bridged & ~graph.loops
    first, last = _seen_whole(lines, np.flatnonzero(leaves), raster, max_width)
    keep, nodes = np.ones(len(lines.coordinates), dtype=bool), graph.nodes.copy()
    ends = ((graph.u, lines.first, first, 1), (graph.v, lines.last, last, -1))
    for end, tip, root, inwards in ends:
        cut = np.abs(root - tip)
        edges = np.flatnonzero(leaves & outer[end] & (cut > 1) & (lines.counts - cut > AXIS_PX))
        place = lines.coordinates[root[edges]]
        out = _onto_frame(place, place - lines.coordinates[root[edges] + inwards * AXIS_PX], far, max_reach)
        ahead = np.asarray(shapely.linestrings(np.stack([place, out], axis=1)), dtype=object)
        free = np.any(out != place, axis=1) & ~_meets(ahead, edges, lines)
        edges, out = edges[free], out[free]
        nodes[end[edges]] = out
        keep[ragged_positions(np.minimum(tip, root)[edges] + 1, cut[edges] - 1)] = False
    return replace(graph, lines=lines.keep(keep)).moved(nodes)


def _seen_whole(
    lines: Polylines, leaves: Integers, raster: Raster, max_width: float
) -> tuple[Integers, Integers]:
    """Find the first and last vertex of lines at which both edges of the road are inside the raster.

    Where there is none the first is the line's last and the other way round; of lines that do not leave
    they are the ends.
    """
    part = lines.take(leaves)
    reach = max_width / 2 + 1
    deep = np.all(
        (part.coordinates > reach) & (part.coordinates < np.array(raster.shape) - 1 - reach), axis=1
    )
    profiles = read_profiles(part, raster, max_width=max_width, where=~deep)
    inside = profiles.inside(part, raster.shape) | (deep & np.isfinite(profiles.on_line))
    seen = np.flatnonzero(inside)
    begin, end = part.counts - 1, np.zeros(len(part), dtype=np.int64)
    np.minimum.at(begin, part.owner[seen], seen - part.first[part.owner[seen]])
    np.maximum.at(end, part.owner[seen], seen - part.first[part.owner[seen]])
    first, last = lines.first.copy(), lines.last.copy()
    first[leaves], last[leaves] = lines.first[leaves] + begin, lines.first[leaves] + end
    return first, last


def _meets(ways: NDArray[np.object_], own: Integers, lines: Polylines) -> Booleans:
    """Whether ways meet lines other than their own, (ways,) bool."""
    way, line = shapely.STRtree(lines.to_shapely()).query(ways, predicate="intersects")
    meets = np.zeros(len(ways), dtype=bool)
    meets[way[line != own[way]]] = True
    return meets


def reach_border(graph: LineGraph, shape: tuple[int, int]) -> LineGraph:
    """Lengthen the lines that leave the image from the centre of its last pixel to its very edge.

    Lines of neighbouring images then meet on their common edge. Ends next to no data stay.

    Args:
        graph: nodes and lines in pixels.
        shape: (rows, cols) of the raster; its edge lies half a pixel outside of the outer pixel centres.
    """
    nodes = graph.nodes.copy()
    lines = graph.lines
    for end, outer, inner in ((graph.u, lines.first, lines.first + 1), (graph.v, lines.last, lines.last - 1)):
        leaves = np.flatnonzero(graph.border[end])
        place, before = lines.coordinates[outer[leaves]], lines.coordinates[inner[leaves]]
        nodes[end[leaves]] = _onto_frame(place, place - before, np.array(shape) - 0.5, NEAR_BORDER)
    return graph.moved(nodes)


def _onto_frame(place: Floats, direction: Floats, far: Floats, reach: float) -> Floats:
    """Follow directions (n, 2) from places (n, 2) to the frame from -0.5 to ``far``, if it is within ``reach``."""
    size = np.hypot(direction[:, 0], direction[:, 1])
    unit = direction / np.maximum(size, 1e-9)[:, None]
    edge = np.where(unit > 0, far, -0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.where(np.abs(unit) > STEEP, (edge - place) / unit, np.inf).min(axis=1)
    move = np.where(np.abs(distance) <= reach, distance, 0.0)
    return np.clip(place + move[:, None] * unit, -0.5, far)
