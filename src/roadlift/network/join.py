"""Several road maps in one: neighbours grow together where roads leave the one and go on in the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from roadlift.errors import UsageError
from roadlift.network.build import NetworkParts
from roadlift.network.chains import label_groups
from roadlift.network.classes import class_hints
from roadlift.network.clip import as_polygon
from roadlift.network.cut import SAME_PLACE_M
from roadlift.network.evidence import join_measures, lengths_on_ground, metres_per_unit
from roadlift.network.linegraph import CHAIN_EDGES, LineGraph, chain_edges, chain_ends
from roadlift.network.polylines import Polylines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pyproj import CRS

    from roadlift.network.roadmap import RoadMap

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

SEAM_M = 5.0


def merge(
    roadmaps: Sequence[RoadMap],
    *,
    areas: Sequence[Any] | None = None,
    seam_m: float = SEAM_M,
    provenance: Mapping[str, Any] | None = None,
) -> RoadMap:
    """Several networks in one, such as those of neighbouring images, with their seams joined.

    Where a road leaves one map (a node of kind ``border``) and another map's road does so within ``seam_m``,
    the two become one road: their ends meet half-way, lengths are measured anew, width and probability are
    averaged by length (see `join_measures`), and what a road is for is told by the whole. Nodes at the very same
    place are one. A road that two maps both hold is kept once. Ids are given anew; the order of the maps does
    not matter.

    Maps of images that overlap hold the roads of the overlap twice, a little apart. Say with ``areas`` what each
    image shows: inside an area the roads of its map are taken and those of the maps after it are not; at its edge they
    are joined as at any seam. Then the order of the maps matters.

    Args:
        roadmaps: at least one; all in the same CRS.
        areas: one for each map, as for `RoadMap.clip`: bounds, a polygon or a GeoDataFrame; an empty polygon shows nothing.
        seam_m: metres on the ground between two ends that are one road; 0 joins at the very same place only.
        provenance: of the result; by default ``{"merged": [each one's]}``.

    Raises:
        UsageError: there is none, they differ in CRS, ``seam_m`` is negative, or the areas are not one for each map.

    Example:
        >>> from roadlift.network import RoadMap
        >>> merge([RoadMap.empty(), RoadMap.empty()])
        RoadMap(0 edges, 0 nodes, 0.00 km, pixel coordinates)
    """
    _check(roadmaps, seam_m)
    if areas is not None:
        roadmaps = _each_place_once(roadmaps, areas)
    crs = roadmaps[0].crs
    parts, origin = _gather(roadmaps)
    if len(roadmaps) > 1:
        scale = metres_per_unit(parts.lines, parts.measures["length_m"].to_numpy(), crs)
        seams = _find_seams(parts, origin, scale, seam_m)
        parts, meeting = _drawn_together(parts, seams)
        parts = _grown_together(_one_of_each(parts, meeting), meeting, scale, crs)
    made_of = [note for one in roadmaps for note in one.provenance.get("merged", [dict(one.provenance)])]
    return parts.build(crs=crs, provenance=provenance or {"merged": made_of})


def _check(roadmaps: Sequence[RoadMap], seam_m: float) -> None:
    if not roadmaps:
        message = "there is no road map to merge; give at least one"
        raise UsageError(message)
    if not seam_m >= 0:
        message = f"seam_m is {seam_m}; give metres, 0 or more"
        raise UsageError(message)
    crs = roadmaps[0].crs
    other = next((roadmap.crs for roadmap in roadmaps if roadmap.crs != crs), crs)
    if other != crs:
        message = f"road maps in {crs} and {other} cannot be merged; reproject() one of them first"
        raise UsageError(message)


def _each_place_once(roadmaps: Sequence[RoadMap], areas: Sequence[Any]) -> list[RoadMap]:
    """Cut from each map what lies in the areas of the maps before it."""
    if len(areas) != len(roadmaps):
        message = f"there are {len(areas)} areas for {len(roadmaps)} road maps; give one for each"
        raise UsageError(message)
    taken: shapely.Geometry = shapely.Polygon()
    parts = []
    for roadmap, area in zip(roadmaps, areas, strict=True):
        nowhere = isinstance(area, shapely.Geometry) and shapely.is_empty(area)
        polygon = area if nowhere else as_polygon(area, roadmap.crs)
        free = shapely.difference(polygon, taken)
        parts.append(
            roadmap.clip(free)
            if free.area > 0
            else type(roadmap).empty(crs=roadmap.crs, provenance=roadmap.provenance)
        )
        taken = shapely.union(taken, polygon)
    return parts


def _gather(roadmaps: Sequence[RoadMap]) -> tuple[NetworkParts, Integers]:
    """All parts in one, and the map that each node is of."""
    counts = [len(one.nodes) for one in roadmaps]
    shift = np.cumsum([0, *counts])
    places = [pd.Series(np.arange(len(one.nodes)), index=one.nodes["id"].to_numpy()) for one in roadmaps]
    u, v = (
        np.concatenate(
            [at[one.edges[end]].to_numpy() + by for one, at, by in zip(roadmaps, places, shift, strict=False)]
        ).astype(np.int64)
        for end in ("u", "v")
    )
    parts = NetworkParts(
        points=np.concatenate([shapely.get_coordinates(one.nodes.geometry.array) for one in roadmaps]),
        kinds=np.concatenate([one.nodes["kind"].to_numpy(dtype="U8") for one in roadmaps]),
        u=u,
        v=v,
        lines=Polylines.from_shapely(np.concatenate([one.edges.geometry.to_numpy() for one in roadmaps])),
        measures=_stacked([one.edges.drop(columns=["geometry", "id", "u", "v"]) for one in roadmaps]),
        issues=_stacked([one.issues.drop(columns="id") for one in roadmaps]).drop_duplicates(
            ignore_index=True
        ),
    )
    return parts, np.repeat(np.arange(len(roadmaps)), counts)


def _stacked(tables: Sequence[Any]) -> Any:
    """Stack tables; those without rows say nothing about types."""
    full = [table for table in tables if len(table)]
    return pd.concat(full, ignore_index=True) if full else tables[0]


def _find_seams(parts: NetworkParts, origin: Integers, scale: Floats, seam_m: float) -> Integers:
    """Find the groups of nodes of different maps that are one place: a number for each node, (nodes,)."""
    metres = parts.points * scale
    same = _pairs(metres, origin, SAME_PLACE_M)
    border = np.flatnonzero(parts.kinds == "border")
    close = border[_pairs(metres[border], origin[border], seam_m)]
    pairs = np.concatenate([same, _mutual(close, metres)])
    return label_groups(len(origin), pairs[:, 0], pairs[:, 1])


def _pairs(points: Floats, origin: Integers, distance: float) -> Integers:
    """Pairs of points of different maps that are at most so far apart, (pairs, 2)."""
    if not len(points):
        return np.empty((0, 2), dtype=np.int64)
    found = cKDTree(points).query_pairs(distance, output_type="ndarray").reshape(-1, 2)
    pairs: Integers = found[origin[found[:, 0]] != origin[found[:, 1]]].astype(np.int64)
    return pairs


def _mutual(pairs: Integers, points: Floats) -> Integers:
    """Those pairs of which each is the nearest to the other, (pairs, 2)."""
    apart = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    nearest = np.full(len(points), np.inf)
    for end in (0, 1):
        np.minimum.at(nearest, pairs[:, end], apart)
    mutual: Integers = pairs[(apart == nearest[pairs[:, 0]]) & (apart == nearest[pairs[:, 1]])]
    return mutual


def _drawn_together(parts: NetworkParts, group: Integers) -> tuple[NetworkParts, Booleans]:
    """One node for each group, in its middle, where the lines now end; which nodes are of several maps.

    Nodes and edges come out in an order that does not depend on that of the maps.
    """
    nodes = pd.DataFrame(
        {"x": parts.points[:, 0], "y": parts.points[:, 1], "kind": parts.kinds, "group": group}
    )
    # By the alphabet "border" comes first: that a road goes on is what counts here.
    groups = nodes.sort_values(["x", "y", "kind"]).groupby("group")
    places = groups[["x", "y"]]
    apart = places.max() - places.min()
    middle = places.mean().where(apart > 0, places.first()).to_numpy()
    u, v = group[parts.u], group[parts.v]
    coordinates = parts.lines.coordinates.copy()
    coordinates[parts.lines.first], coordinates[parts.lines.last] = middle[u], middle[v]
    kinds = groups["kind"].min().to_numpy(dtype="U8")
    meeting = (groups.size() > 1).to_numpy()
    together = replace(parts, points=middle, kinds=kinds, u=u, v=v, lines=parts.lines.moved(coordinates))
    return together.in_order(), meeting[together.node_order]


def _one_of_each(parts: NetworkParts, meeting: Booleans) -> NetworkParts:
    """Keep one of the roads that are the same line: the one with the largest values, column by column."""
    twice = np.flatnonzero(meeting[parts.u] & meeting[parts.v])
    if not len(twice):
        return parts
    lines = shapely.to_wkb(shapely.normalize(parts.lines.take(twice).to_shapely()))
    table = parts.measures.iloc[twice].reset_index(drop=True).assign(line=lines)
    best = table.sort_values(list(table.columns), ascending=False, kind="stable")
    keep = np.ones(len(parts.u), dtype=bool)
    keep[twice[best.index[best["line"].duplicated()]]] = False
    measures = parts.measures[keep].reset_index(drop=True)
    return replace(parts, u=parts.u[keep], v=parts.v[keep], lines=parts.lines.take(keep), measures=measures)


def _grown_together(parts: NetworkParts, meeting: Booleans, scale: Floats, crs: CRS | None) -> NetworkParts:
    """Make one road of two that meet at a seam, and say anew what the nodes there are."""
    through, kinds = _meeting_kinds(parts, meeting)
    chains, flip = chain_edges(parts.u, parts.v, through)
    u, v = chain_ends(parts.u, parts.v, chains, flip)
    lines = _end_to_end(parts.lines.take(chains.order, flip=flip), chains.owner, scale)
    touched = (meeting[parts.u] | meeting[parts.v])[chains.order]
    touched = np.bincount(chains.owner, weights=touched, minlength=len(u)) > 0
    measures = join_measures(parts.measures.iloc[chains.order].reset_index(drop=True), chains.owner)
    length_m = np.where(touched, lengths_on_ground(lines, crs, scale), measures["length_m"])
    used, number = np.unique(np.concatenate([u, v]), return_inverse=True)
    kinds = kinds[used]
    u, v = number[: len(u)], number[len(u) :]
    rings = u[u == v]
    kinds[rings[(np.bincount(number)[rings] == CHAIN_EDGES) & (kinds[rings] == "border")]] = "ring"
    border = np.where(touched, (kinds[u] == "border") | (kinds[v] == "border"), measures["border"])
    points = parts.points[used]
    graph = LineGraph(points, kinds == "border", np.ones(len(points)), u, v, lines)
    hints = class_hints(graph, measures["width_m"].to_numpy())
    hints = np.where(measures["class_hint"] == "unknown", "unknown", hints)
    measures = measures.assign(length_m=length_m, border=border.astype(bool), class_hint=hints)
    return replace(parts, points=points, kinds=kinds, u=u, v=v, lines=lines, measures=measures)


def _meeting_kinds(parts: NetworkParts, meeting: Booleans) -> tuple[Booleans, NDArray[np.str_]]:
    """Which nodes a road goes through and need not be there, and the kinds of all nodes."""
    degree, bridged = parts.degree, parts.measures["bridged"].to_numpy(dtype=bool)
    ends = np.concatenate([parts.u, parts.v])
    bridge_ends = np.bincount(ends, weights=np.tile(bridged, 2), minlength=len(degree))
    pair = meeting & (parts.kinds == "border") & (degree == CHAIN_EDGES)
    pair[parts.u[parts.u == parts.v]] = False
    begins_bridge = pair & (bridge_ends == 1)
    kinds = np.where(begins_bridge, "bridge", parts.kinds)
    return pair & ~begins_bridge, np.where(meeting & (degree > CHAIN_EDGES), "junction", kinds)


def _end_to_end(pieces: Polylines, owner: Integers, scale: Floats) -> Polylines:
    """Put the pieces of each road together, without a vertex between them where the road goes straight on."""
    follows = np.flatnonzero(owner[1:] == owner[:-1]) + 1
    joint, at = pieces.last[follows - 1], pieces.coordinates * scale
    before, after = at[joint - 1], at[pieces.first[follows] + 1]
    chord = shapely.linestrings(np.stack([before, after], axis=1)) if len(joint) else np.empty(0, object)
    straight = shapely.distance(chord, shapely.points(at[joint])) <= SAME_PLACE_M
    vertices = np.ones(len(at), dtype=bool)
    vertices[pieces.first[follows]] = False
    vertices[joint[straight]] = False
    kept = pieces.keep(vertices)
    return Polylines(kept.coordinates, np.delete(kept.offsets, follows))
