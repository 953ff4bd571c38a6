"""A raster's areas and pixels to finished lines: all that is done before blocks are put together and lines measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.bridge import bridge_gaps
from roadlift.network.centre import centre_lines
from roadlift.network.corners import split_at_corners
from roadlift.network.crossings import join_split_crossings
from roadlift.network.finding import Finding
from roadlift.network.frame import leave_straight, reach_border
from roadlift.network.junctions import contract_links, meet_on_axes
from roadlift.network.linegraph import LineGraph, merge_through_nodes
from roadlift.network.mask import find_roads
from roadlift.network.options import NetworkOptions
from roadlift.network.planar import keep_apart
from roadlift.network.polylines import Polylines
from roadlift.network.prune import JUNCTION_EDGES, drop_stray_lines, prune_spurs, straighten_ends
from roadlift.network.raster import NO_DATA, Raster, read_around
from roadlift.network.skeleton import Skeleton, skeletonise
from roadlift.network.smooth import simplify_lines, smooth_lines
from roadlift.network.trace import TracedGraph, trace_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DIRECTIONS = 16
BESIDE_NO_DATA_PX = 2.0
WIDE_SHARE = 0.5  # of a line: the rest leads there
DECIMALS = 6  # of a pixel; the same place computed in two ways is the same


@dataclass(frozen=True)
class Drawing:
    """How a raster's lines are found; a value, so that another process can do the same.

    Attributes:
        ground_resolution_m: metres per pixel.
        options: thresholds.
    """

    ground_resolution_m: float
    options: NetworkOptions

    def __call__(self, raster: Raster) -> tuple[LineGraph, list[Finding]]:
        """Find the lines of a raster, in its pixels."""
        return find_lines(raster, ground_resolution_m=self.ground_resolution_m, options=self.options)


def find_lines(
    raster: Raster, *, ground_resolution_m: float, options: NetworkOptions
) -> tuple[LineGraph, list[Finding]]:
    """Do all that looks at areas and pixels: the finished lines, and what was done on the way."""
    graph, found = trace_roads(raster, ground_resolution_m=ground_resolution_m, options=options)
    graph, cleaned = clean(graph, raster, ground_resolution_m=ground_resolution_m, options=options)
    graph, drawn = draw(graph, raster, ground_resolution_m=ground_resolution_m, options=options)
    return graph, [*found, *cleaned, *drawn]


def trace_roads(
    raster: Raster, *, ground_resolution_m: float, options: NetworkOptions
) -> tuple[LineGraph, list[Finding]]:
    """Mask, skeleton and graph with half widths at the nodes, in pixels; and what the mask left out."""
    found = find_roads(raster, ground_resolution_m=ground_resolution_m, options=options)
    reach = max(2, round(options.max_width_m / ground_resolution_m / 2))
    run = round(options.max_border_run_m / ground_resolution_m)
    skeleton = skeletonise(found.roads, reach=reach, max_run=run)
    traced = trace_pixels(skeleton.row, skeleton.col)
    limit = np.array(raster.shape) - 1
    border = np.any((traced.nodes <= 0) | (traced.nodes >= limit), axis=1) & (traced.degree == 1)
    radius = skeleton.radius_at(traced.nodes)
    graph = LineGraph(traced.nodes.astype(np.float64), border, radius, traced.u, traced.v, traced.lines)
    alone = traced.degree == 0
    return graph.only(np.ones(len(traced.u), dtype=bool)), [
        Finding("removed", "area smaller than a road", found.specks),
        Finding("doubtful", "faint area that nowhere reaches the threshold", found.faint),
        Finding("filled", "hole inside a road", found.holes),
        Finding("removed", "area as long as it is wide", _across(graph.nodes[alone], radius[alone])),
        Finding("doubtful", "outline of an area wider than roads are", _wide_lines(traced, skeleton, reach)),
    ]


def _across(places: Floats, radius: Floats) -> Polylines:
    """Draw a level line through each place, as long as the area is wide there."""
    half = np.stack([np.zeros(len(radius)), radius], axis=1)
    ends = np.stack([places - half, places + half], axis=1).reshape(-1, 2)
    return Polylines(ends, 2 * np.arange(len(places) + 1, dtype=np.int64))


def _wide_lines(traced: TracedGraph, skeleton: Skeleton, reach: int) -> Polylines:
    wide = skeleton.radius_at(traced.lines.coordinates.astype(np.int64)) > reach - 1
    share = np.bincount(traced.lines.owner, weights=wide, minlength=len(traced.lines)) / traced.lines.counts
    return traced.lines.take(share > WIDE_SHARE)


def mark_ends_beside_no_data(graph: LineGraph, raster: Raster) -> LineGraph:
    """Mark the ends so near to no data that the road may go on there as ends at a border."""
    limit = np.array(raster.shape) - 1
    angle = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    compass = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    ends = np.flatnonzero(graph.degree == 1)
    reach = graph.radius[ends] + BESIDE_NO_DATA_PX
    border = graph.border.copy()
    for part, view in read_around(raster, graph.nodes[ends, 0], reach=reach.max(initial=0.0)):
        around = graph.nodes[ends[part], None, :] + reach[part, None, None] * compass
        row, col = np.moveaxis(np.clip(np.round(around), 0, limit).astype(np.int64), -1, 0)
        border[ends[part]] |= np.any(view.at(row, col) == NO_DATA, axis=1)
    return replace(graph, border=border)


def clean(
    graph: LineGraph, raster: Raster, *, ground_resolution_m: float, options: NetworkOptions
) -> tuple[LineGraph, list[Finding]]:
    """Drop what is not road and bridge gaps; returns the graph and what was done, with the reason."""
    graph, spurs = prune_spurs(
        merge_through_nodes(graph),
        min_length=options.min_spur_m / ground_resolution_m,
        width_ratio=options.spur_width_ratio,
    )
    graph, bridges, cost = bridge_gaps(
        mark_ends_beside_no_data(straighten_ends(graph) if options.smooth_m > 0 else graph, raster),
        raster,
        max_length=options.max_gap_m / ground_resolution_m,
        max_cost=options.max_gap_cost_m / ground_resolution_m,
    )
    graph, stray = drop_stray_lines(graph, min_length=options.min_length_m / ground_resolution_m)
    return merge_through_nodes(graph), [
        Finding("removed", "side branch shorter than the road is wide", spurs),
        Finding("bridged", "gap between two ends of roads", bridges, cost * ground_resolution_m),
        Finding("removed", "short line that touches no road", stray),
    ]


def draw(
    graph: LineGraph, raster: Raster, *, ground_resolution_m: float, options: NetworkOptions
) -> tuple[LineGraph, list[Finding]]:
    """Draw junctions together, move lines to the middle of their roads, smooth and simplify; with what is doubtful."""
    graph = _draw_junctions_together(graph, ground_resolution_m, options)
    if options.smooth_m > 0:
        graph = centre_lines(
            graph,
            raster,
            max_width=options.max_width_m / ground_resolution_m,
            sigma=options.smooth_m / ground_resolution_m,
        )
        graph = leave_straight(
            graph,
            raster,
            max_width=options.max_width_m / ground_resolution_m,
            max_reach=options.max_border_run_m / ground_resolution_m,
        )
        # On its axes an acute crossing that the skeleton has split is short enough to be one.
        graph = meet_on_axes(graph, graph.degree >= JUNCTION_EDGES)
        graph = _draw_junctions_together(graph, ground_resolution_m, options)
        graph = join_split_crossings(
            graph,
            width_ratio=options.junction_width_ratio,
            max_length=options.max_junction_m / ground_resolution_m,
        )
        graph, corners = split_at_corners(graph)
        graph = meet_on_axes(graph, corners | (graph.degree >= JUNCTION_EDGES))
    rings = graph.loops & (graph.degree < JUNCTION_EDGES)[graph.u]
    smooth = smooth_lines(graph.lines, sigma=options.smooth_m / ground_resolution_m, closed=rings)
    simple = simplify_lines(smooth, tolerance=options.simplify_m / ground_resolution_m)
    lines, crossing = keep_apart([graph.lines, smooth, simple])
    nodes = graph.nodes.copy()
    nodes[graph.u[rings]] = lines.starts[rings]
    tangled = Finding("doubtful", "crosses another road without a junction", lines.take(crossing))
    drawn = reach_border(merge_through_nodes(replace(graph, nodes=nodes, lines=lines)), raster.shape)
    lines = drawn.lines.moved(np.round(drawn.lines.coordinates, DECIMALS))
    return replace(drawn, nodes=np.round(drawn.nodes, DECIMALS), lines=lines), [tangled]


def _draw_junctions_together(
    graph: LineGraph, ground_resolution_m: float, options: NetworkOptions
) -> LineGraph:
    return contract_links(
        graph,
        width_ratio=options.junction_width_ratio,
        max_length=options.max_junction_m / ground_resolution_m,
    )
