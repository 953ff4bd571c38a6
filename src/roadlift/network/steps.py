"""Probability raster in, road network out: the steps of this room in their order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj import CRS

from roadlift.errors import InputError
from roadlift.network.blocks import draw_in_blocks, margin_px
from roadlift.network.bridge import bridge_gaps
from roadlift.network.build import NetworkParts
from roadlift.network.centre import centre_lines
from roadlift.network.classes import class_hints
from roadlift.network.continuation import widths_of_continued_roads
from roadlift.network.corners import split_at_corners
from roadlift.network.crossings import join_split_crossings
from roadlift.network.finding import Finding
from roadlift.network.frame import leave_straight, reach_border
from roadlift.network.junctions import contract_links, meet_on_axes
from roadlift.network.linegraph import CHAIN_EDGES, LineGraph, merge_through_nodes
from roadlift.network.mask import find_roads
from roadlift.network.measure import geodesic_lengths, measure_lines
from roadlift.network.options import NetworkOptions
from roadlift.network.planar import keep_apart
from roadlift.network.polylines import Polylines
from roadlift.network.prune import JUNCTION_EDGES, drop_stray_lines, prune_spurs, straighten_ends
from roadlift.network.raster import NO_DATA, Raster, as_raster, read_around
from roadlift.network.roadmap import RoadMap
from roadlift.network.skeleton import Skeleton, skeletonise
from roadlift.network.slivers import find_slivers
from roadlift.network.smooth import simplify_lines, smooth_lines
from roadlift.network.trace import TracedGraph, trace_pixels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from roadlift.imagery.georef import Georef

    Bytes = NDArray[np.uint8]
    Floats = NDArray[np.float64]

SOURCE = "roadlift"
DIRECTIONS = 16
BESIDE_NO_DATA_PX = 2.0
WIDE_SHARE = 0.5  # of a line: the rest leads there
DECIMALS = 6  # of a pixel; the same place computed in two ways is the same


def vectorize(
    probability: Bytes | Raster,
    georef: Georef,
    *,
    ground_resolution_m: float,
    options: NetworkOptions | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> RoadMap:
    """Make a road network from a probability raster.

    Mask by hysteresis, skeleton, graph, spurs dropped, junctions drawn together, lines smoothed and
    simplified, measured. All in pixel coordinates; the georeference is applied to the finished lines.

    Args:
        probability: (rows, cols) uint8, 0..254 = p * 254, 255 = no data. A mask is 0 and 254. Or a `Raster` that
            is read strip by strip, so that it need not fit into memory; the result is the same.
        georef: of the raster; without CRS the network is in the pixel coordinates its transform leads to.
        ground_resolution_m: metres per pixel, the scale of every option.
        options: thresholds, ``NetworkOptions()`` by default.
        provenance: recorded in the result beside the options.

    Raises:
        InputError: the raster is not uint8 with two axes, or the ground resolution is not positive.

    Example:
        >>> from affine import Affine
        >>> from roadlift.imagery import Georef
        >>> from roadlift.network import NetworkOptions, vectorize
        >>> probability = np.zeros((40, 60), np.uint8)
        >>> probability[17:24, :] = 254
        >>> roads = vectorize(probability, Georef(None, Affine.identity()), ground_resolution_m=1.0)
        >>> roads.edges.geometry[0].wkt, roads.edges.width_m[0].item()
        ('LINESTRING (0 20.5, 60 20.5)', 7.0)
    """
    options = options or NetworkOptions()
    _check_raster(probability, ground_resolution_m)
    raster = as_raster(probability)

    def draw_part(part: Raster) -> tuple[LineGraph, list[Finding]]:
        return find_lines(part, ground_resolution_m=ground_resolution_m, options=options)

    graph, findings = draw_in_blocks(raster, draw_part, margin=margin_px(ground_resolution_m))
    measures = _measure(graph, raster, ground_resolution_m, options)
    crs = _geodetic_crs(georef)
    doubtful = (measures["probability"] < options.threshold).to_numpy() & ~graph.bridged
    findings.append(Finding("doubtful", "mean probability below the threshold", graph.lines.take(doubtful)))
    slivers = find_slivers(
        graph.lines,
        measures["width_m"].to_numpy() / ground_resolution_m,
        min_block=options.min_block_m / ground_resolution_m,
    )
    findings.append(Finding("doubtful", "loop around a strip too narrow for a block", slivers))
    parts = _on_map(graph, findings, measures, georef, crs, ground_resolution_m)
    return parts.build(crs=crs, provenance=provenance or {})


def _check_raster(probability: Bytes | Raster, ground_resolution_m: float) -> None:
    if isinstance(probability, np.ndarray) and (probability.ndim != 2 or probability.dtype != np.uint8):
        message = (
            f"the probability raster is {probability.dtype} with shape {probability.shape}; "
            "it must be uint8 (rows, cols), 0..254 with 255 for no data"
        )
        raise InputError(message)
    if not ground_resolution_m > 0:
        message = f"ground_resolution_m is {ground_resolution_m}; it must be above 0 (metres per pixel)"
        raise InputError(message)


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


def _measure(
    graph: LineGraph, raster: Raster, ground_resolution_m: float, options: NetworkOptions
) -> pd.DataFrame:
    junction = graph.degree >= JUNCTION_EDGES
    skip = np.where(junction, graph.radius * 2.0, graph.radius)
    measured = measure_lines(
        graph.lines,
        raster,
        max_width=options.max_width_m / ground_resolution_m,
        skip_u=skip[graph.u],
        skip_v=skip[graph.v],
    )
    own = measured.width_measured & ~graph.bridged
    seen = np.where(graph.bridged, np.nan, measured.width)
    width = widths_of_continued_roads(graph, seen, own)
    return pd.DataFrame(
        {
            "length_m": graph.lines.lengths * ground_resolution_m,
            "width_m": width * ground_resolution_m,
            "width_spread_m": np.where(own, measured.width_spread, np.nan) * ground_resolution_m,
            "probability": measured.probability,
            "probability_min": measured.probability_min,
            "probability_p10": measured.probability_p10,
            "border": graph.border[graph.u] | graph.border[graph.v],
            "bridged": graph.bridged,
            "bridge_cost_m": graph.bridge_cost * ground_resolution_m,
            "class_hint": class_hints(graph, width * ground_resolution_m),
            "source": SOURCE,
        }
    )


def _geodetic_crs(georef: Georef) -> CRS | None:
    """Return the raster's CRS if it is tied to the Earth; a local (engineering) one counts as none."""
    if georef.crs is None:
        return None
    crs = CRS.from_user_input(georef.crs)
    return crs if crs.geodetic_crs is not None else None


def _on_map(
    graph: LineGraph,
    findings: list[Finding],
    measures: pd.DataFrame,
    georef: Georef,
    crs: CRS | None,
    ground_resolution_m: float,
) -> NetworkParts:
    lines = _to_map(graph.lines, georef)
    x, y = georef.to_map(graph.nodes[:, 0], graph.nodes[:, 1])
    kinds = np.where(graph.degree >= JUNCTION_EDGES, "junction", np.where(graph.border, "border", "end"))
    kinds = kinds.astype("U8")
    for end in (graph.u, graph.v):
        kinds[end[graph.bridged & (graph.degree == CHAIN_EDGES)[end]]] = "bridge"
    kinds[graph.u[graph.loops & (graph.degree < JUNCTION_EDGES)[graph.u]]] = "ring"
    if crs is not None:
        measures = measures.assign(length_m=geodesic_lengths(lines, crs))
    issues = [_issues(finding, georef, crs, ground_resolution_m) for finding in findings]
    points = np.stack([x, y], axis=1).reshape(-1, 2)
    return NetworkParts(
        points, kinds, graph.u, graph.v, lines, measures, pd.concat(issues, ignore_index=True)
    )


def _to_map(lines: Polylines, georef: Georef) -> Polylines:
    x, y = georef.to_map(lines.coordinates[:, 0], lines.coordinates[:, 1])
    return lines.moved(np.stack([x, y], axis=1).reshape(-1, 2))


def _issues(
    finding: Finding, georef: Georef, crs: CRS | None, ground_resolution_m: float
) -> gpd.GeoDataFrame:
    lines = _to_map(finding.lines, georef)
    length = finding.lines.lengths * ground_resolution_m if crs is None else geodesic_lengths(lines, crs)
    values = pd.DataFrame({"length_m": length, "cost_m": finding.cost_m})
    values = values.assign(kind=finding.kind, reason=finding.reason)
    return gpd.GeoDataFrame(values, geometry=gpd.GeoSeries(lines.to_shapely(), crs=crs))
