"""Probability raster in, road network out: the steps of this room in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj import CRS

from roadlift.errors import InputError
from roadlift.memory import return_free_memory
from roadlift.network.blocks import draw_in_blocks, margin_px
from roadlift.network.build import NetworkParts
from roadlift.network.classes import class_hints
from roadlift.network.continuation import widths_of_continued_roads
from roadlift.network.drawing import Drawing
from roadlift.network.finding import Finding
from roadlift.network.linegraph import CHAIN_EDGES, LineGraph
from roadlift.network.measure import geodesic_lengths, measure_lines
from roadlift.network.options import NetworkOptions
from roadlift.network.polylines import Polylines
from roadlift.network.prune import JUNCTION_EDGES
from roadlift.network.raster import Raster, as_raster
from roadlift.network.roadmap import RoadMap
from roadlift.network.slivers import find_slivers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from roadlift.imagery.georef import Georef

    Bytes = NDArray[np.uint8]
    Floats = NDArray[np.float64]

SOURCE = "roadlift"


def vectorize(
    probability: Bytes | Raster,
    georef: Georef,
    *,
    ground_resolution_m: float,
    options: NetworkOptions | None = None,
    provenance: Mapping[str, Any] | None = None,
    processes: int = 1,
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
        processes: blocks of a large raster that are drawn at the same time, each but one in a process of its own; the
            result is the same.

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

    graph, findings = draw_in_blocks(
        raster,
        Drawing(ground_resolution_m, options),
        margin=margin_px(ground_resolution_m),
        processes=processes,
    )
    return_free_memory()
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
    issues = _issues(findings, georef, crs, ground_resolution_m)
    points = np.stack([x, y], axis=1).reshape(-1, 2)
    return NetworkParts(points, kinds, graph.u, graph.v, lines, measures, issues)


def _to_map(lines: Polylines, georef: Georef) -> Polylines:
    x, y = georef.to_map(lines.coordinates[:, 0], lines.coordinates[:, 1])
    return lines.moved(np.stack([x, y], axis=1).reshape(-1, 2))


def _issues(
    findings: list[Finding], georef: Georef, crs: CRS | None, ground_resolution_m: float
) -> gpd.GeoDataFrame:
    pixels = Polylines.concatenated([one.lines for one in findings])
    lines, counts = _to_map(pixels, georef), [len(one.lines) for one in findings]
    values = pd.DataFrame(
        {
            "length_m": pixels.lengths * ground_resolution_m if crs is None else geodesic_lengths(lines, crs),
            "cost_m": np.concatenate([np.broadcast_to(one.cost_m, len(one.lines)) for one in findings]),
            "kind": pd.Series(np.repeat([one.kind for one in findings], counts), dtype=str),
            "reason": pd.Series(np.repeat([one.reason for one in findings], counts), dtype=str),
        }
    )
    return gpd.GeoDataFrame(values, geometry=gpd.GeoSeries(lines.to_shapely(), crs=crs))
