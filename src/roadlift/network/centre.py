"""Move lines from the staircase of the skeleton to the middle of the road, to a fraction of a pixel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.measure import percentiles
from roadlift.network.profile import Profiles, read_profiles
from roadlift.network.prune import JUNCTION_EDGES
from roadlift.network.smooth import VERTICES_PER_SIGMA, blur, neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.linegraph import LineGraph
    from roadlift.network.polylines import Polylines
    from roadlift.network.raster import Raster

    Floats = NDArray[np.float64]
    Booleans = NDArray[np.bool_]

ROUNDS = 2
CLEAR_OF_JUNCTION = 1.5  # half widths: nearer to a junction the profile sees the other roads
USUAL_WIDTH = (0.6, 1.4)  # profiles narrower or wider than this share of the line's median are not trusted


def centre_lines(graph: LineGraph, raster: Raster, *, max_width: float, sigma: float) -> LineGraph:
    """Fit lines to the middle between the two edges of the road.

    At every pixel along a line the profile across it is read; half the difference between the distances to
    its two half-maximum points is how far the line is off. These offsets are smoothed along the line,
    weighted by trust (none next to junctions, where an edge of the road lies outside of the image and where the
    width is not what the line has elsewhere), and applied; twice. No line leaves the image.

    Args:
        graph: lines within one half width of their road's middle.
        raster: probability.
        max_width: pixels.
        sigma: standard deviation of the smoothing along the line, pixels.

    Returns:
        The same graph with dense lines; ends and rings moved with them, junctions where they were.
    """
    if not len(graph.lines):
        return graph
    degree = graph.degree
    rings = graph.loops & (degree < JUNCTION_EDGES)[graph.u]
    lines = graph.lines.resampled(max(sigma / VERTICES_PER_SIGMA, 1.0))
    clear = np.where(degree >= JUNCTION_EDGES, CLEAR_OF_JUNCTION * graph.radius, 0.0)
    seen = ~graph.bridged[lines.owner]
    beside = neighbours(lines, rings, ends_fixed=False)
    far = np.array(raster.shape) - 0.5
    for _ in range(ROUNDS):
        free = (
            seen
            & (lines.along >= clear[graph.u][lines.owner])
            & (lines.lengths[lines.owner] - lines.along >= clear[graph.v][lines.owner])
        )
        profiles = read_profiles(lines, raster, max_width=max_width, where=free)
        offset = _offsets(lines, profiles, free & profiles.inside(lines, raster.shape), max_width, beside)
        lines = lines.moved(np.clip(lines.coordinates + offset[:, None] * profiles.normal, -0.5, far))
    nodes = graph.nodes.copy()
    loose = (degree < JUNCTION_EDGES) & (degree > 0)
    for end, places in ((graph.u, lines.starts), (graph.v, lines.ends)):
        leads = loose[end] & ~graph.bridged
        nodes[end[leads]] = places[leads]
    return replace(graph, lines=lines).moved(nodes)


def _offsets(
    lines: Polylines,
    profiles: Profiles,
    free: Booleans,
    max_width: float,
    beside: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Floats:
    width = profiles.left + profiles.right
    seen = free & (np.maximum(profiles.left, profiles.right) < max_width / 2)
    (usual,) = percentiles(lines.owner[seen], width[seen], len(lines), (0.5,))
    usual = usual[lines.owner]
    trust = seen & (width > USUAL_WIDTH[0] * usual) & (width < USUAL_WIDTH[1] * usual)
    offset = np.where(trust, (profiles.right - profiles.left) / 2, 0.0)
    rounds = round(2 * VERTICES_PER_SIGMA**2)
    weight = blur(trust.astype(np.float64), *beside, rounds)
    smooth = blur(offset, *beside, rounds)
    return np.where(weight > 1e-6, smooth / np.maximum(weight, 1e-6), 0.0)
