"""Find the true corners of roads, so that they are drawn as corners: smoothing would round them off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter1d

from roadlift.network.linegraph import LineGraph, split_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

LEG_WIDTHS, LEG_EXTRA = 1.25, 3.0  # how far a corner looks to either side: in road widths, and pixels more
SHARP = np.deg2rad(50)
BEND_RATIO = 1.25  # a bend turns on outside of the middle: its outer halves differ by half as much again
SPACING = 1.0


def split_at_corners(graph: LineGraph) -> tuple[LineGraph, Booleans]:
    """Make a node at every corner of a line: it turns by 50 degrees or more, and the legs of it are straight.

    What tells a corner from a bend is that directions far from it differ as much as those near it.

    Args:
        graph: lines in the middle of their roads, pixels; radii at the nodes.

    Returns:
        The graph with dense lines, and which of its nodes are corners, (nodes,) bool.
    """
    graph = graph.densified(SPACING)
    radius = (graph.radius[graph.u] + graph.radius[graph.v]) / 2
    leg = np.maximum(np.round(2 * LEG_WIDTHS * radius + LEG_EXTRA), 4).astype(np.int64)
    corners = [_corners(graph, np.flatnonzero(leg == size), int(size)) for size in np.unique(leg)]
    places = np.sort(np.concatenate([np.empty(0, dtype=np.int64), *corners]))
    split = split_at(graph, places, radius[graph.lines.owner[places]])
    return split, np.arange(len(split.nodes)) >= len(graph.nodes)


def _corners(graph: LineGraph, lines: Integers, leg: int) -> Integers:
    """Vertices at which some lines have a corner with legs of ``leg`` vertices."""
    part = graph.lines.take(lines)
    index = np.arange(len(part.coordinates))
    inner = (index - part.first[part.owner] >= leg) & (part.last[part.owner] - index >= leg)
    inner &= ~graph.bridged[lines][part.owner]
    at = index[inner]
    if not len(at):
        return at
    half = leg // 2

    def turn(before: Integers, after: Integers) -> Floats:
        point = part.coordinates
        into, out = point[before[:, 1]] - point[before[:, 0]], point[after[:, 1]] - point[after[:, 0]]
        cross, along = into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0], np.sum(into * out, axis=1)
        angle: Floats = np.abs(np.arctan2(cross, along))
        return angle

    near = turn(np.stack([at - leg, at], axis=1), np.stack([at, at + leg], axis=1))
    far = turn(np.stack([at - leg, at - half], axis=1), np.stack([at + half, at + leg], axis=1))
    sharp = np.zeros(len(index))
    sharp[at] = np.where((near >= SHARP) & (far <= BEND_RATIO * near), near, 0.0)
    best = sharp[at] >= maximum_filter1d(sharp, 2 * leg + 1, mode="constant")[at]
    chosen = at[best & (sharp[at] > 0)]
    chosen = chosen[np.append(True, np.diff(chosen) > leg)[: len(chosen)]]
    found: Integers = chosen + (graph.lines.first[lines] - part.first)[part.owner[chosen]]
    return found
