"""Corrections by a person: roads that are not there, bridges that are right, roads that are missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import shapely

from roadlift.errors import UsageError
from roadlift.network.build import NetworkParts
from roadlift.network.cut import cut_at, number_places
from roadlift.network.evidence import cut_measures, lengths_on_ground, metres_per_unit
from roadlift.network.lines import node_kinds
from roadlift.network.polylines import Polylines
from roadlift.network.roadmap import RoadMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    import geopandas as gpd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

SNAP_M: Final = 8.0
"""An end of a drawn road so near to another road is meant to be on it."""
NODE_M: Final = 4.0
"""A place on a road so near to its end is that end."""
TOUCH_M: Final = 2.0
"""An issue so near to an edge is about it."""
TOUCHING: Final = 1e-6
NONE: Final = -1


@dataclass(frozen=True)
class Remove:
    """A road that is not there: the edge with this id goes."""

    edge: int


@dataclass(frozen=True)
class Accept:
    """A bridge that is right: the edge with this id is a road as any other."""

    edge: int


@dataclass(frozen=True, eq=False)
class Draw:
    """A road that is missing, in the coordinates of the road map."""

    line: shapely.LineString


Edit = Remove | Accept | Draw


def edit_roads(
    roads: RoadMap, edits: Sequence[Edit], *, metres_per_pixel: float = 1.0, snap_m: float = SNAP_M
) -> RoadMap:
    """Return a road map with corrections.

    Ids in the edits are those of ``roads``. First roads are removed and bridges accepted, then roads are drawn in their
    order: an end within ``snap_m`` of a road is moved onto it, and where a drawn road meets others it becomes a node.
    Measures of a road that is cut are shared out; of a drawn one the length is known and the rest is not. Issues about
    roads that were removed or accepted go.

    The edges have three further columns: ``edited`` (``"accepted"``, ``"drawn"`` or ``""``), ``unedited_id`` (of the
    edge in ``roads``, -1 for a drawn one) and ``edit`` (index of the edit that drew it, else -1).

    Args:
        roads: what was found.
        edits: in order.
        metres_per_pixel: scale of a road map without CRS and without roads.
        snap_m: metres on the ground.

    Raises:
        UsageError: an edit names a road that is not there or that is no bridge, or a drawn road is no simple line.

    Example:
        >>> import geopandas as gpd
        >>> roads = RoadMap.from_lines(gpd.GeoDataFrame(geometry=gpd.GeoSeries.from_wkt(
        ...     ["LINESTRING (0 0, 60 0)"], crs="EPSG:32619")))
        >>> edited = edit_roads(roads, [Draw(shapely.LineString([(30, 3), (30, 40)]))])
        >>> sorted(edited.edges["edited"]), edited.nodes["kind"].tolist()
        (['', '', 'drawn'], ['end', 'junction', 'end', 'end'])
    """
    _check(roads, edits)
    removed = [edit.edge for edit in edits if isinstance(edit, Remove)]
    accepted = [edit.edge for edit in edits if isinstance(edit, Accept)]
    kept = roads.edges[~roads.edges["id"].isin(removed)].reset_index(drop=True)
    measures = kept.drop(columns=["id", "u", "v", "geometry"])
    measures = measures.assign(
        edited=np.where(kept["id"].isin(accepted), "accepted", ""), unedited_id=kept["id"], edit=NONE
    )
    network = _Network(_on_nodes(kept, roads.nodes), measures)
    scale = _scale(roads, [edit.line for edit in edits if isinstance(edit, Draw)], metres_per_pixel)
    for index, edit in enumerate(edits):
        if isinstance(edit, Draw):
            network = _with_drawn(network, edit, index, roads, scale, snap_m)
    return _build(network, roads, set(removed) | set(accepted))


def about_edges(issues: gpd.GeoDataFrame, edges: gpd.GeoDataFrame, *, tolerance: float) -> pd.Series[int]:
    """Find the edge that each issue is about: of bridges and doubtful roads the one that it lies on, else -1.

    Args:
        issues: table of issues.
        edges: table of edges.
        tolerance: distance, in units of the CRS, within which the middle of an issue lies on an edge.

    Returns:
        (issues,) int64 ids of edges.
    """
    found = pd.Series(NONE, index=issues.index, dtype="int64")
    asked = issues.index[issues["kind"].isin(["bridged", "doubtful"])]
    if not len(asked) or not len(edges):
        return found
    middles = shapely.line_interpolate_point(issues.geometry[asked].to_numpy(), 0.5, normalized=True)
    tree = shapely.STRtree(edges.geometry.to_numpy())
    issue, edge = tree.query_nearest(middles, max_distance=tolerance, all_matches=False)
    found[asked[issue]] = edges["id"].to_numpy()[edge]
    return found


@dataclass(frozen=True, eq=False)
class _Network:
    """Lines and their measures, one row per line."""

    lines: Polylines
    measures: pd.DataFrame


def _check(roads: RoadMap, edits: Sequence[Edit]) -> None:
    bridged = dict(zip(roads.edges["id"], roads.edges["bridged"], strict=True))
    for number, edit in enumerate(edits, 1):
        if isinstance(edit, Draw):
            if not edit.line.is_simple or not edit.line.length > 0:
                raise UsageError(
                    f"edit {number}: the drawn road crosses itself or has no length; draw it in parts"
                )
        elif edit.edge not in bridged:
            raise UsageError(
                f"edit {number}: there is no road {edit.edge}; ids are those of the roads without edits"
            )
        elif isinstance(edit, Accept) and not bridged[edit.edge]:
            raise UsageError(
                f"edit {number}: road {edit.edge} is no bridge over a gap; only bridges are accepted"
            )


def _on_nodes(edges: gpd.GeoDataFrame, nodes: gpd.GeoDataFrame) -> Polylines:
    """Return the lines of edges with their ends exactly on their nodes."""
    lines = Polylines.from_shapely(edges.geometry.to_numpy())
    places = pd.DataFrame(shapely.get_coordinates(nodes.geometry.to_numpy()), index=nodes["id"])
    coordinates = lines.coordinates.copy()
    coordinates[lines.first] = places.loc[edges["u"]].to_numpy()
    coordinates[lines.last] = places.loc[edges["v"]].to_numpy()
    return lines.moved(coordinates)


def _scale(roads: RoadMap, drawn: Sequence[shapely.LineString], metres_per_pixel: float) -> Floats:
    """Metres of one unit of x and of y."""
    found = Polylines.from_shapely(roads.edges.geometry.to_numpy())
    if roads.crs is None:
        known = float(found.lengths.sum())
        return np.full(2, roads.length_km * 1000 / known if known else metres_per_pixel)
    lines = found if len(found) else Polylines.from_shapely(np.array(drawn, dtype=object))
    return metres_per_unit(lines, lines.lengths, roads.crs)


def _with_drawn(
    network: _Network, draw: Draw, index: int, roads: RoadMap, scale: Floats, snap_m: float
) -> _Network:
    """Add one drawn road, with nodes where it meets others."""
    others = [shapely.LineString(network.lines[row] * scale) for row in range(len(network.lines))]
    path = shapely.get_coordinates(draw.line) * scale
    tree = shapely.STRtree(others)
    path[0], path[-1] = (_snapped(place, others, tree, snap_m) for place in (path[0], path[-1]))
    line = shapely.remove_repeated_points(shapely.LineString(path))
    if not line.is_simple or not line.length > 0:
        raise UsageError(
            f"edit {index + 1}: the drawn road begins and ends at one place of a road; draw it longer"
        )
    places: dict[int, list[Floats]] = {}
    for row in tree.query(line, predicate="dwithin", distance=TOUCHING):
        for meeting in _meetings(line, others[row]):
            place = _at_end(meeting, others[row])
            places.setdefault(int(row), []).append(place)
            places.setdefault(len(others), []).append(place)
    return _cut(network, line, places, index, roads, scale)


def _snapped(
    place: Floats, others: Sequence[shapely.LineString], tree: shapely.STRtree, snap_m: float
) -> Floats:
    """Move a place onto the nearest road, and there onto its end, where these are near."""
    near = tree.query_nearest(shapely.Point(place), max_distance=snap_m, all_matches=False)
    if not len(near):
        return place
    line = others[near[0]]
    return _at_end(shapely.get_coordinates(line.interpolate(line.project(shapely.Point(place))))[0], line)


def _at_end(place: Floats, line: shapely.LineString) -> Floats:
    """Return the end of a line for a place near to it, else the place."""
    ends = shapely.get_coordinates(line)[[0, -1]]
    distance = np.hypot(*(ends - place).T)
    nearest: Floats = ends[int(distance.argmin())]
    return nearest if distance.min() <= NODE_M else place


def _meetings(line: shapely.LineString, other: shapely.LineString) -> Floats:
    """Return the places where two lines meet that touch, (n, 2); of a stretch that they share its ends."""
    shared = [part for part in shapely.get_parts(shapely.intersection(line, other)) if not part.is_empty]
    ends = [shapely.get_coordinates(part)[[0, -1]] for part in shared]
    touching = [
        end for end in (line.coords[0], line.coords[-1]) if other.distance(shapely.Point(end)) < TOUCHING
    ]
    places = np.concatenate([*ends, np.reshape(touching, (-1, 2))])
    return np.unique(
        places if len(places) else shapely.get_coordinates(shapely.shortest_line(other, line))[:1], axis=0
    )


def _cut(
    network: _Network,
    line: shapely.LineString,
    places: dict[int, list[Floats]],
    index: int,
    roads: RoadMap,
    scale: Floats,
) -> _Network:
    """Cut the drawn road and those that it meets at the places where they do."""
    rows = [*(network.lines[row] for row in range(len(network.lines))), shapely.get_coordinates(line) / scale]
    marks = [np.zeros(len(row), dtype=bool) for row in rows]
    for row, found in places.items():
        rows[row], marks[row] = _inserted(rows[row], np.array(found) / scale, scale)
    whole = Polylines.of(rows)
    pieces, owner = cut_at(whole, np.concatenate(marks))
    pieces_long = pieces.lengths > 0
    pieces, owner = pieces.take(pieces_long), owner[pieces_long]
    drawn = pd.DataFrame(
        {"edited": ["drawn"], "unedited_id": [NONE], "edit": [index]}, index=[len(network.measures)]
    )
    drawn = drawn.reindex(columns=network.measures.columns)
    for name, kind in network.measures.dtypes.items():
        if kind.kind == "b":
            drawn[name] = False
    drawn = drawn.assign(class_hint="unknown", source="drawn")
    table = pd.concat([network.measures, drawn]).astype(network.measures.dtypes)
    share = pieces.lengths / whole.lengths[owner]
    measures = cut_measures(table, owner, share)
    new = (share < 1) | (measures["edited"] == "drawn").to_numpy()
    length = np.where(new, lengths_on_ground(pieces, roads.crs, scale), measures["length_m"])
    return _Network(pieces, measures.assign(length_m=length))


def _inserted(path: Floats, places: Floats, scale: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Put places into a path, in order along it; a vertex within a millimetre of one becomes it."""
    line = shapely.LineString(path * scale)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*(np.diff(path, axis=0) * scale).T))])
    at = np.asarray(shapely.line_locate_point(line, shapely.points(places * scale)))
    same: NDArray[np.bool_] = np.asarray(np.abs(along[:, None] - at) < 1e-3)
    kept: NDArray[np.bool_] = np.asarray(~same.any(axis=1))
    kept[0] = kept[-1] = True
    inner = np.asarray(~(same[0] | same[-1]))
    path = path.copy()
    for end in (0, -1):
        if same[end].any():
            path[end] = places[np.flatnonzero(same[end])[0]]
    position = np.concatenate([along[kept], at[inner]])
    order = np.argsort(position, kind="stable")
    marks = np.concatenate([np.zeros(int(kept.sum()), dtype=bool), np.ones(int(inner.sum()), dtype=bool)])
    return np.concatenate([path[kept], places[inner]])[order], marks[order]


def _build(network: _Network, roads: RoadMap, settled: set[int]) -> RoadMap:
    """Give numbers to nodes; those at which nothing has changed keep their kind."""
    lines = network.lines
    points, ends = number_places(np.concatenate([lines.starts, lines.ends]))
    u, v = ends[: len(lines)], ends[len(lines) :]
    kinds = node_kinds(u, v, network.measures)
    degree = np.bincount(ends, minlength=len(points))
    before = {
        (x, y): (count, kind)
        for (x, y), count, kind in zip(
            shapely.get_coordinates(roads.nodes.geometry.to_numpy()).tolist(),
            roads.nodes["degree"],
            roads.nodes["kind"],
            strict=True,
        )
    }
    for index, place in enumerate(points.tolist()):
        count, kind = before.get((place[0], place[1]), (0, ""))
        if count == degree[index]:
            kinds[index] = kind
        elif degree[index] == 1:
            kinds[index] = "end"
    metres = metres_per_unit(lines, network.measures["length_m"].to_numpy(), roads.crs)
    about = about_edges(roads.issues, roads.edges, tolerance=TOUCH_M / float(metres.min()))
    issues = roads.issues[~about.isin(settled)].drop(columns="id")
    parts = NetworkParts(points, kinds, u, v, lines, network.measures, issues)
    return parts.build(crs=roads.crs, provenance=roads.provenance)
