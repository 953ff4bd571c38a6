"""The road network of a scene: main roads, street grids, grown suburbs, tracks, roundabouts; all noded.

Local metres have their origin in the upper left corner of the scene, x to the right and y down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely
from scipy.interpolate import CubicSpline
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from shapely.geometry import LineString, Point, Polygon

from roadlift.scene.noise import wander

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

SURFACES = ("asphalt_dark", "asphalt_light", "asphalt_worn", "concrete", "gravel", "dirt")
KINDS = ("main", "dual", "roundabout", "street", "lane", "track")
_SNAP_M = 0.01
_RING_WIDTH_M = 7.5


@dataclass(frozen=True)
class Road:
    """A stretch of road: centreline, paved width, surface (one of ``SURFACES``), kind (one of ``KINDS``)."""

    line: LineString
    width_m: float
    surface: str
    kind: str


@dataclass(frozen=True)
class _Path:
    """A street while it grows: positions (n, 2) and whether it ran into another street."""

    positions: np.ndarray
    blocked: bool


def _paved(rng: np.random.Generator) -> str:
    return str(rng.choice(SURFACES[:4], p=(0.3, 0.32, 0.28, 0.1)))


def lines_of(geometry: BaseGeometry) -> list[LineString]:
    """List the lines that a geometry is made of, leaving out points and polygons.

    Example:
        >>> len(lines_of(shapely.from_wkt("GEOMETRYCOLLECTION (POINT (0 0), LINESTRING (0 0, 1 1))")))
        1
    """
    return [part for part in shapely.get_parts(geometry) if isinstance(part, LineString)]


def _smooth(positions: np.ndarray, *, spacing_m: float = 4.0) -> LineString:
    """Draw a cubic spline through the positions, thinned to what 0.1 m needs."""
    if len(positions) < 3:
        return LineString(positions)
    steps = np.hypot(*np.diff(positions, axis=0).T)
    distance = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 1e-3))])
    count = max(int(distance[-1] / spacing_m), 2) + 1
    curve = CubicSpline(distance, positions)(np.linspace(0, distance[-1], count))
    curve[0], curve[-1] = positions[0], positions[-1]
    return _simple(LineString(curve))


def _simple(line: BaseGeometry) -> LineString:
    return LineString(shapely.get_coordinates(line.simplify(0.1)))


def crossing_curve(
    rng: np.random.Generator, box: Polygon, *, angle: float, offset_m: float, amplitude_m: float
) -> LineString:
    """Draw a gently winding line from one side of ``box`` to the other, ``offset_m`` beside its centre."""
    left, top, right, bottom = box.bounds
    reach = 0.75 * float(np.hypot(right - left, bottom - top))
    along = np.arange(-reach, reach, 25.0)
    across = offset_m + amplitude_m * wander(rng, len(along), 25.0, wavelengths_m=(350, 1500))
    x = (left + right) / 2 + along * np.cos(angle) - across * np.sin(angle)
    y = (top + bottom) / 2 + along * np.sin(angle) + across * np.cos(angle)
    parts = lines_of(_smooth(np.stack([x, y], axis=1)).intersection(box))
    return max(parts, key=lambda part: part.length) if parts else LineString()


def _offsets(rng: np.random.Generator, size_m: float, spacing_m: tuple[float, float]) -> list[float]:
    """Choose distances from the centre at which parallel main roads run; the first passes near the centre."""
    offsets = [float(rng.uniform(-0.22, 0.22)) * size_m]
    for side in (-1, 1):
        at = offsets[0]
        while True:
            at += side * float(rng.uniform(*spacing_m))
            if abs(at) > 0.62 * size_m:
                break
            offsets.append(at)
    return offsets


def main_roads(rng: np.random.Generator, box: Polygon, angle: float) -> list[Road]:
    """Lay the through roads: a loose lattice of winding lines, some of them dual carriageways."""
    left, top, right, bottom = box.bounds
    size = max(right - left, bottom - top)
    dual_direction = int(rng.integers(0, 8))
    roads: list[Road] = []
    for direction in (0, 1):
        heading = angle + direction * (np.pi / 2 + rng.uniform(-0.3, 0.3))
        for rank, offset in enumerate(_offsets(rng, size, (480.0, 820.0))):
            if direction == 1 and rank and rng.random() < 0.35:
                continue
            amplitude = float(rng.uniform(0.15, 1.0)) * min(60.0, size * 0.08)
            line = crossing_curve(rng, box, angle=heading, offset_m=offset, amplitude_m=amplitude)
            if line.is_empty:
                continue
            roads += _carriageways(rng, line, dual=rank == 0 and direction == dual_direction)
    return roads


def _carriageways(rng: np.random.Generator, line: LineString, *, dual: bool) -> list[Road]:
    if not dual:
        width = float(
            rng.choice([7.5, 8.5, 9.5, 11.0, 13.0, 16.0, 20.0], p=[0.16, 0.2, 0.2, 0.18, 0.12, 0.09, 0.05])
        )
        return [Road(line, width, _paved(rng), "main")]
    width = float(rng.choice([7.5, 9.0, 11.0]))
    half = width / 2 + float(rng.uniform(3.5, 7.0))
    surface = _paved(rng)
    sides = [part for side in (-1, 1) for part in lines_of(line.offset_curve(side * half))]
    return [Road(_simple(side), width, surface, "dual") for side in sides if not side.is_empty]


def street_grid(
    rng: np.random.Generator, block: Polygon, existing: list[LineString], angle: float
) -> list[Road]:
    """Lay streets in two bundles of slightly bent parallels, cut to the block."""
    left, top, right, bottom = block.bounds
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    reach = float(np.hypot(right - left, bottom - top)) / 2
    bend = float(rng.normal(0, 0.00045))
    spacings = (float(rng.uniform(66, 96)), float(rng.uniform(120, 230)))
    near_edge = shapely.unary_union(existing).buffer(30) if existing else Polygon()
    width, surface = float(rng.choice([5.5, 6.5, 7.5, 9.0])), _paved(rng)
    roads: list[Road] = []
    for direction, spacing in enumerate(spacings):
        for offset in np.arange(-reach + rng.uniform(0, spacing), reach, spacing):
            along = np.arange(-reach, reach + 1, 20.0)
            grid = np.stack([along, np.full_like(along, offset + rng.normal(0, 3))])
            u, v = grid if direction == 0 else grid[::-1]
            v, u = v + bend * u**2, u - bend * v**2
            x, y = (
                centre[0] + u * np.cos(angle) - v * np.sin(angle),
                centre[1] + u * np.sin(angle) + v * np.cos(angle),
            )
            pieces = _smooth(np.stack([x, y], axis=1), spacing_m=8).intersection(block)
            roads += [Road(piece, width, surface, "street") for piece in _standing_clear(pieces, near_edge)]
    return _thinned(rng, roads)


def _standing_clear(pieces: BaseGeometry, near_edge: Polygon) -> list[LineString]:
    """Keep the parts of a grid line that are long enough and do not run beside an existing road."""
    parts = [part for part in lines_of(pieces) if part.length > 45]
    return [part for part in parts if part.intersection(near_edge).length < min(0.6 * part.length, 130)]


def _thinned(rng: np.random.Generator, roads: list[Road]) -> list[Road]:
    """Node a street grid and leave out some of its pieces, so that blocks differ in size."""
    pieces = node(roads)
    kept = [road for road in pieces if rng.random() > 0.14]
    surfaces = {True: _paved(rng)}
    return [replace(road, surface=surfaces.get(bool(rng.random() < 0.2), road.surface)) for road in kept]


def _samples(line: LineString, spacing_m: float = 6.0) -> np.ndarray:
    count = max(int(line.length / spacing_m), 1) + 1
    return np.asarray(
        shapely.get_coordinates(
            shapely.line_interpolate_point(line, np.linspace(0, 1, count), normalized=True)
        )
    )


def _grow(
    rng: np.random.Generator,
    start: np.ndarray,
    heading: float,
    *,
    length_m: float,
    block: Polygon,
    taken: np.ndarray,
    clearance_m: float,
    bend: float,
) -> _Path:
    """Walk from ``start`` until the length is reached, the block ends or another street comes too near."""
    step = 9.0
    count = int(length_m / step)
    turns = wander(rng, count, step, wavelengths_m=(90, 420)) * bend
    others = taken[np.hypot(*(taken - start).T) > 1.25 * clearance_m]
    positions = [start]
    for turn in turns:
        heading += turn * step
        position = positions[-1] + step * np.array([np.cos(heading), np.sin(heading)])
        if not block.contains(Point(position)):
            return _Path(np.array(positions), blocked=False)
        distance = np.hypot(*(others - position).T) if len(others) else np.array([np.inf])
        if distance.min() < clearance_m:
            return _joined(rng, positions, heading, others, distance)
        positions.append(position)
    return _Path(np.array(positions), blocked=False)


def _joined(
    rng: np.random.Generator,
    positions: list[np.ndarray],
    heading: float,
    others: np.ndarray,
    distance: np.ndarray,
) -> _Path:
    """Join a street that met another to it when it comes at a fair angle, else leave it a dead end."""
    target = others[int(distance.argmin())]
    towards = target - positions[-1]
    straight = float(np.cos(np.arctan2(towards[1], towards[0]) - heading))
    if straight > 0.72 and rng.random() < 0.6:
        middle = positions[-1] + 0.5 * towards
        return _Path(np.array([*positions, middle, target]), blocked=True)
    return _Path(np.array(positions), blocked=True)


def grown_streets(
    rng: np.random.Generator,
    block: Polygon,
    existing: list[LineString],
    *,
    kinds: tuple[tuple[str, float], ...] = (("street", 7.5), ("street", 6.5), ("lane", 5.5)),
    surfaces: tuple[str, ...] = SURFACES[:4],
    clearance_m: float = 46.0,
    spacing_m: tuple[float, float] = (110.0, 200.0),
    bend: float = 0.007,
) -> list[Road]:
    """Grow winding streets that start from the block's roads and branch, generation after generation.

    Each generation takes the next of ``kinds`` (kind, width in metres).
    """
    parents = [line for line in existing if line.distance(block) < 1.0]
    taken = np.concatenate([_samples(line) for line in parents]) if parents else np.empty((0, 2))
    roads: list[Road] = []
    for generation, (kind, width) in enumerate(kinds):
        children: list[LineString] = []
        for parent in parents:
            for start, heading in _starts(
                rng, parent, block, spacing_m if generation == 0 else (70.0, 120.0)
            ):
                length = float(rng.uniform(110, 620)) / (1 + generation)
                path = _grow(
                    rng,
                    start,
                    heading,
                    length_m=length,
                    block=block,
                    taken=taken,
                    clearance_m=clearance_m,
                    bend=bend,
                )
                if len(path.positions) < 6:
                    continue
                line = _smooth(path.positions)
                taken = np.concatenate([taken, _samples(line)])
                children.append(line)
                roads.append(Road(line, width, str(rng.choice(surfaces)), kind))
        parents = children
    return roads


def _starts(
    rng: np.random.Generator, parent: LineString, block: Polygon, spacing_m: tuple[float, float]
) -> list[tuple[np.ndarray, float]]:
    """Choose where and in which direction streets leave a parent; some at an acute angle (a Y junction)."""
    starts = []
    distance = float(rng.uniform(*spacing_m)) * 0.6
    side = 1 if rng.random() < 0.5 else -1
    while distance < parent.length - 25:
        here, ahead = shapely.get_coordinates(parent.interpolate([distance, distance + 1.0]))
        lean = (
            float(rng.uniform(0.55, 0.95)) if rng.random() < 0.2 else float(np.pi / 2 + rng.normal(0, 0.12))
        )
        heading = float(np.arctan2(ahead[1] - here[1], ahead[0] - here[0])) + side * lean
        inside = here + 15 * np.array([np.cos(heading), np.sin(heading)])
        if block.contains(Point(inside)):
            starts.append((here, heading))
        side = -side
        distance += float(rng.uniform(*spacing_m)) * 0.6
    return starts


def add_roundabouts(rng: np.random.Generator, roads: list[Road], *, chance: float = 0.5) -> list[Road]:
    """Replace some crossings of single-carriageway main roads, and a few of streets, by rings."""
    mains = [road for road in roads if road.kind == "main"]
    streets = [road for road in roads if road.kind == "street"]
    spots = [(point, float(rng.uniform(14, 21))) for point in _crossings(mains) if rng.random() < chance]
    spots += [
        (point, float(rng.uniform(10, 12))) for point in _crossings(streets[:60])[:40] if rng.random() < 0.04
    ]
    for point, radius in spots:
        disc = point.buffer(radius, quad_segs=12)
        if any(
            road.kind in {"dual", "roundabout"} and road.line.distance(point) < 3 * radius for road in roads
        ):
            continue
        near = [road for road in roads if road.line.intersects(disc)]
        roads = [road for road in roads if not road.line.intersects(disc)]
        for road in near:
            parts = shapely.get_parts(road.line.difference(disc))
            roads += [replace(road, line=part) for part in parts if part.length > 1]
        ring = LineString(disc.exterior.coords)
        roads.append(Road(ring, _RING_WIDTH_M, near[0].surface, "roundabout"))
    return roads


def _crossings(roads: list[Road]) -> list[Point]:
    points: list[Point] = []
    for index, road in enumerate(roads):
        for other in roads[index + 1 :]:
            meeting = shapely.get_parts(road.line.intersection(other.line))
            points += [part for part in meeting if isinstance(part, Point)]
    return points


def node(roads: list[Road]) -> list[Road]:
    """Split every road where it meets another, so that roads share end points at junctions and only there.

    Snap-rounding noding on a grid of 1 cm (Hobby, "Practical segment intersection with finite precision
    output", Computational Geometry 13, 1999), as GEOS does it.
    """
    lines = np.array([road.line for road in roads], dtype=object)
    if not len(lines):
        return []
    pieces = shapely.get_parts(shapely.unary_union(lines, grid_size=_SNAP_M))
    middles = shapely.line_interpolate_point(pieces, 0.5, normalized=True)
    owners = shapely.STRtree(lines).query_nearest(middles, all_matches=False)[1]
    return [replace(roads[owner], line=piece) for piece, owner in zip(pieces, owners, strict=True)]


def _ends(roads: list[Road]) -> tuple[np.ndarray, np.ndarray]:
    """Find the node number of both ends of every road (n, 2), and the nodes' coordinates."""
    coordinates = np.array([road.line.coords[index] for road in roads for index in (0, -1)]).round(3)
    nodes, numbers = np.unique(coordinates, axis=0, return_inverse=True)
    return numbers.reshape(-1, 2), nodes


def connected(roads: list[Road], box: Polygon, *, shortest_m: float = 22.0) -> list[Road]:
    """Drop stubs that end nowhere and whatever hangs on no through road."""
    edge = box.exterior
    for _ in range(3):
        if not roads:
            return []
        ends, nodes = _ends(roads)
        degree = np.bincount(ends.ravel(), minlength=len(nodes))
        at_edge = shapely.distance(shapely.points(nodes), edge) < 0.1
        loose = (degree == 1) & ~at_edge
        stub = loose[ends].any(axis=1) & (np.array([road.line.length for road in roads]) < shortest_m)
        if not stub.any():
            break
        roads = [road for road, drop in zip(roads, stub, strict=True) if not drop]
    ends, nodes = _ends(roads)
    links = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(nodes), len(nodes)))
    component = connected_components(links, directed=False)[1][ends[:, 0]]
    through = {number for number, road in zip(component, roads, strict=True) if road.kind in {"main", "dual"}}
    return [road for road, number in zip(roads, component, strict=True) if number in through]


def dead_ends(roads: list[Road], box: Polygon) -> list[tuple[Point, Road]]:
    """Find ends of streets that lead nowhere and do not leave the box."""
    ends, nodes = _ends(roads)
    degree = np.bincount(ends.ravel(), minlength=len(nodes))
    inside = np.asarray(shapely.distance(shapely.points(nodes), box.exterior)) > 1.0
    return [
        (Point(nodes[number]), road)
        for road, pair in zip(roads, ends, strict=True)
        for number in pair
        if degree[number] == 1 and inside[number]
    ]


def junctions(roads: list[Road]) -> np.ndarray:
    """Find the coordinates (n, 2) of the points where three or more roads meet."""
    if not roads:
        return np.empty((0, 2))
    ends, nodes = _ends(roads)
    return np.asarray(nodes[np.bincount(ends.ravel(), minlength=len(nodes)) >= 3])
