"""The part of a road map inside an area."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import shapely

from roadlift.errors import UsageError
from roadlift.network.build import NetworkParts
from roadlift.network.cut import SAME_PLACE_M, cut_to_area
from roadlift.network.evidence import cut_measures, lengths_on_ground, metres_per_unit
from roadlift.network.polylines import Polylines
from roadlift.network.prune import JUNCTION_EDGES

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from roadlift.network.roadmap import RoadMap

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

_BOUNDS = 4


def clip(roadmap: RoadMap, area: Any) -> RoadMap:
    """Cut a road map to an area; what leaves it ends in a node of kind ``border``.

    Lengths of cut roads are measured anew, what a bridge cost is shared out by length, width and probability
    stay those of the whole road. Issues are kept whole where any part of them is inside. Ids are given anew.
    Neighbouring clips of one map give it back when they are added.

    Args:
        roadmap: the network.
        area: west, south, east, north in the network's CRS, a polygon in it, or a GeoDataFrame of polygons in any
            CRS. Its edge belongs to it.

    Raises:
        UsageError: the area is none of these, or is empty.

    Example:
        >>> from roadlift.network import RoadMap
        >>> clip(RoadMap.empty(crs="EPSG:32619"), (0, 0, 100, 100))
        RoadMap(0 edges, 0 nodes, 0.00 km, EPSG:32619)
    """
    polygon = as_polygon(area, roadmap.crs)
    lines = Polylines.from_shapely(roadmap.edges.geometry.to_numpy())
    measures = roadmap.edges.drop(columns=["geometry", "id", "u", "v"])
    scale = metres_per_unit(lines, measures["length_m"].to_numpy(), roadmap.crs)
    pieces, owner, cuts = cut_to_area(lines, polygon, tolerance=SAME_PLACE_M / scale)
    u, v, points, kinds = _nodes(roadmap, pieces, owner, cuts)
    length_m = np.where(
        cuts.any(axis=1),
        lengths_on_ground(pieces, roadmap.crs, scale),
        measures["length_m"].to_numpy()[owner],
    )
    measures = cut_measures(measures, owner, pieces.lengths / lines.lengths[owner]).assign(length_m=length_m)
    measures["border"] |= (kinds[u] == "border") | (kinds[v] == "border")
    issues = roadmap.issues[roadmap.issues.intersects(polygon)].drop(columns="id")
    parts = NetworkParts(points, kinds, u, v, pieces, measures, issues)
    return parts.build(crs=roadmap.crs, provenance=roadmap.provenance)


def as_polygon(area: Any, crs: Any) -> shapely.Geometry:
    """Return an area, as `clip` takes it, as one geometry in a CRS.

    Raises:
        UsageError: it is none, or is empty.
    """
    if isinstance(area, gpd.GeoDataFrame | gpd.GeoSeries):
        if area.crs != crs and (area.crs is None or crs is None):
            raise UsageError(f"the area is in {area.crs}, the network in {crs}; both need a CRS, or neither")
        shapes = area.geometry if area.crs == crs else area.geometry.to_crs(crs)
        polygon: Any = shapes.union_all()
    else:
        polygon = area if isinstance(area, shapely.Geometry) else _box(area)
    if polygon.is_empty or polygon.geom_type not in ("Polygon", "MultiPolygon"):
        raise UsageError(f"the area is {polygon.wkt[:60]}; give a polygon with an inside")
    valid: shapely.Geometry = shapely.make_valid(polygon)
    return valid


def _box(bounds: Any) -> shapely.Polygon:
    try:
        numbers = np.asarray(bounds, dtype=float)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (_BOUNDS,) or not np.isfinite(numbers).all():
        raise UsageError(
            f"the area {bounds!r} is no polygon and not west, south, east, north; give one of these"
        )
    west, south, east, north = numbers.tolist()
    if not (west < east and south < north):
        raise UsageError(f"the area {bounds!r} has no inside; give west < east and south < north")
    box: shapely.Polygon = shapely.box(west, south, east, north)
    return box


def _nodes(
    roadmap: RoadMap, pieces: Polylines, owner: Integers, cuts: Booleans
) -> tuple[Integers, Integers, Floats, NDArray[np.str_]]:
    """Find the nodes at the ends of the pieces: those of the map, and a new one at each cut."""
    nodes: pd.DataFrame = roadmap.nodes
    at = {number: place for place, number in enumerate(nodes["id"].tolist())}
    old = np.array(
        [[at[number] for number in roadmap.edges[end].tolist()] for end in ("u", "v")], dtype=np.int64
    )
    ends = old.reshape(2, -1).T[owner]
    new = len(nodes) + np.cumsum(cuts.ravel()).reshape(cuts.shape) - 1
    ends = np.where(cuts, new, ends).reshape(-1, 2)
    places = np.stack([pieces.starts, pieces.ends], axis=1)
    points = np.concatenate([shapely.get_coordinates(nodes.geometry.array), places[cuts]])
    degree = np.bincount(ends.ravel(), minlength=len(points))
    kinds = np.concatenate([nodes["kind"].to_numpy(dtype="U8"), np.full(cuts.sum(), "border")])
    lost = degree[: len(nodes)] < np.minimum(nodes["degree"].to_numpy(), JUNCTION_EDGES)
    kinds[: len(nodes)][lost] = "border"
    used, number = np.unique(ends, return_inverse=True)
    number = number.reshape(-1, 2)
    return number[:, 0], number[:, 1], points[used], kinds[used]
