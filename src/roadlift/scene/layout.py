"""What lies where in a scene, as exact geometry in local metres: roads, water, land use, buildings, cars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely.geometry import LineString, MultiPolygon, Point, Polygon
from shapely.ops import polygonize

from roadlift.scene import streets
from roadlift.scene.streets import Road

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapely.geometry.base import BaseGeometry

SEASONS = ("spring", "summer", "dry")
Colour = tuple[int, int, int]
_MARGIN_M = 90.0
_FILLET_M = 2.5
_ROOFS = (
    (70, 70, 74), (88, 86, 88), (112, 110, 110), (142, 138, 132), (168, 164, 156), (120, 96, 78),
    (124, 86, 72), (98, 78, 66), (196, 192, 184), (84, 92, 104), (60, 58, 60), (158, 138, 112),
    (126, 126, 130),
)  # fmt: skip
_FLAT_ROOFS = (
    (205, 204, 200),
    (226, 226, 222),
    (150, 150, 150),
    (118, 114, 110),
    (96, 96, 100),
    (186, 178, 164),
)
_CARS = (
    (222, 222, 224), (196, 198, 202), (150, 152, 156), (96, 98, 102), (40, 41, 45), (28, 28, 32),
    (128, 34, 32), (44, 62, 104), (230, 230, 230), (74, 80, 74), (160, 150, 128),
)  # fmt: skip
_DRIVES = ((132, 132, 134), (112, 112, 116), (164, 162, 156), (186, 182, 172), (150, 136, 116))


@dataclass(frozen=True)
class Box:
    """An oriented box: centre, direction of its length (radians), size, roof colour.

    ``kind`` is one of house, hall, shed, car, drive, pool.
    """

    x: float
    y: float
    angle: float
    length_m: float
    width_m: float
    height_m: float
    kind: str
    colour: Colour


@dataclass(frozen=True)
class Field:
    """A farmed field: outline, crop number and direction of its rows (radians)."""

    outline: Polygon
    crop: int
    angle: float


@dataclass(frozen=True)
class Lot:
    """A car park: outline, direction of its rows (radians)."""

    outline: Polygon
    angle: float


@dataclass(frozen=True)
class Layout:
    """Everything in a scene, before a pixel is drawn; roads and land reach beyond the scene's edge."""

    size_m: tuple[float, float]
    season: str
    roads: tuple[Road, ...]
    surface: MultiPolygon
    river: Polygon
    ponds: MultiPolygon
    fields: tuple[Field, ...]
    woods: MultiPolygon
    gardens: MultiPolygon
    lots: tuple[Lot, ...]
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class _Land:
    """What the blocks between the main roads are used for, and the streets inside them."""

    roads: list[Road]
    fields: list[Field]
    woods: list[Polygon]
    gardens: list[Polygon]


def _box(
    centre: np.ndarray,
    angle: float,
    length_m: float,
    width_m: float,
    height_m: float,
    kind: str,
    colour: Colour,
) -> Box:
    return Box(float(centre[0]), float(centre[1]), angle, length_m, width_m, height_m, kind, colour)


_USES = ("organic", "grid", "fields", "woods")


@dataclass(frozen=True)
class _Character:
    """How a scene is settled: share of each of ``_USES``, first use, street spacing, chance of car parks."""

    shares: tuple[float, float, float, float]
    first: str
    spacing_m: tuple[float, float]
    generations: int
    commerce: float


_CHARACTERS = (
    _Character((0.5, 0.25, 0.1, 0.15), "organic", (110.0, 200.0), 3, 0.25),
    _Character((0.25, 0.65, 0.0, 0.1), "grid", (100.0, 170.0), 3, 0.7),
    _Character((0.3, 0.0, 0.45, 0.25), "fields", (190.0, 480.0), 2, 0.1),
    _Character((0.35, 0.1, 0.1, 0.45), "woods", (150.0, 380.0), 2, 0.15),
)


def plan(seed: int, size_m: tuple[float, float], *, season: str | None = None) -> Layout:
    """Lay out a scene of the given width and height in metres; the same seed and size give the same layout.

    Example:
        >>> layout = plan(3, (300.0, 200.0))
        >>> layout.size_m, len(layout.roads) > 3
        ((300.0, 200.0), True)
    """
    rng = np.random.default_rng([seed, 11])
    width, height = size_m
    box = shapely.box(-_MARGIN_M, -_MARGIN_M, width + _MARGIN_M, height + _MARGIN_M)
    chosen = season or str(rng.choice(SEASONS, p=(0.5, 0.33, 0.17)))
    angle = float(rng.uniform(0, np.pi))
    character = _CHARACTERS[int(rng.choice(len(_CHARACTERS), p=(0.36, 0.22, 0.2, 0.22)))]
    mains = streets.node(streets.main_roads(rng, box, angle))
    river, ponds = _waters(rng, box, angle)
    land = _land(rng, box, mains, shapely.union(river, ponds), character)
    roads = streets.add_roundabouts(rng, mains + land.roads)
    roads = streets.connected(streets.node(roads), box)
    surface = road_surface(roads, streets.dead_ends(roads, box))
    water = shapely.union(river, ponds)
    lots, halls = _commerce(rng, roads, surface, water, land.woods, character.commerce)
    houses = _houses(rng, roads, surface, shapely.union_all([water, *[lot.outline for lot in lots]]), land)
    boxes = [*halls, *houses, *_parked(rng, lots), *_traffic(rng, roads)]
    return Layout(
        size_m=size_m, season=chosen, roads=tuple(roads), surface=surface, river=river, ponds=_many(ponds),
        fields=tuple(land.fields), woods=_many(shapely.union_all(land.woods)),
        gardens=_many(shapely.union_all(land.gardens)), lots=tuple(lots), boxes=tuple(boxes),
    )  # fmt: skip


def _many(geometry: BaseGeometry) -> MultiPolygon:
    return MultiPolygon([part for part in shapely.get_parts(geometry) if part.geom_type == "Polygon"])


def road_surface(roads: Sequence[Road], turning: Sequence[tuple[Point, Road]] = ()) -> MultiPolygon:
    """Build the paved road surface: centrelines widened by half their widths, turning circles, rounded kerbs.

    Dead-end streets get a turning circle; corners where roads meet are rounded by a fillet of 2.5 m;
    the islands of roundabouts stay free.
    """
    lines = np.array([road.line for road in roads], dtype=object)
    halves = np.array([road.width_m / 2 for road in roads])
    strips = list(shapely.buffer(lines, halves, quad_segs=16))
    strips += [
        point.buffer(road.width_m / 2 + 3.5, quad_segs=8) for point, road in turning if road.kind != "track"
    ]
    whole = shapely.union_all(strips)
    rounded = whole.buffer(_FILLET_M, quad_segs=6).buffer(-_FILLET_M, quad_segs=6).union(whole)
    return _many(rounded.difference(_islands(roads)))


def _islands(roads: Sequence[Road]) -> MultiPolygon:
    """Find the ground inside the rings of roundabouts."""
    rings = [road for road in roads if road.kind == "roundabout"]
    inside = polygonize([road.line for road in rings])
    width = rings[0].width_m if rings else 0.0
    return _many(shapely.union_all([disc.buffer(-width / 2) for disc in inside]))


def _waters(rng: np.random.Generator, box: Polygon, angle: float) -> tuple[Polygon, BaseGeometry]:
    """Draw a river (perhaps) and a few ponds with ragged outlines."""
    river = Polygon()
    left, top, right, bottom = box.bounds
    size = max(right - left, bottom - top)
    if rng.random() < 0.4:
        offset = float(rng.choice([-1, 1]) * rng.uniform(0.2, 0.4)) * size
        line = streets.crossing_curve(
            rng, box, angle=angle + rng.uniform(-0.3, 0.3), offset_m=offset, amplitude_m=60
        )
        river = line.buffer(float(rng.uniform(6, 22)), cap_style="flat")
    area_km2 = (right - left) * (bottom - top) / 1e6
    count = int(rng.poisson(1.3 * area_km2))
    ponds = [_blob(rng, box, float(rng.uniform(16, 55))) for _ in range(count)]
    return river, shapely.union_all(ponds) if ponds else Polygon()


def _blob(rng: np.random.Generator, box: Polygon, radius_m: float) -> Polygon:
    left, top, right, bottom = box.bounds
    centre = rng.uniform((left, top), (right, bottom))
    turns = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = np.full(60, 1.0)
    for wave in range(1, 6):
        radius += rng.normal(0, 0.3 / wave) * np.cos(wave * turns + rng.uniform(0, 6.3))
    radius = radius_m * np.clip(radius, 0.35, 2.0)
    return Polygon(centre + np.stack([radius * np.cos(turns), radius * np.sin(turns)], axis=1)).buffer(0)


def _land(
    rng: np.random.Generator, box: Polygon, mains: list[Road], water: BaseGeometry, character: _Character
) -> _Land:
    """Cut the box into blocks along the main roads and give each block its use and its streets."""
    lines = [road.line for road in mains]
    outlines = polygonize(shapely.get_parts(shapely.unary_union([*lines, box.exterior], grid_size=0.01)))
    bank = water.buffer(9)
    land = _Land([], [], [], [])
    use = character.first
    for outline in sorted(outlines, key=lambda polygon: -polygon.area):
        if outline.buffer(-24).is_empty:
            continue
        for part in shapely.get_parts(outline.difference(bank)):
            if part.geom_type == "Polygon" and part.area > 1500:
                _settle(rng, land, part, use, lines, character)
        use = str(rng.choice(_USES, p=character.shares))
    return land


def _settle(
    rng: np.random.Generator,
    land: _Land,
    block: Polygon,
    use: str,
    mains: list[LineString],
    character: _Character,
) -> None:
    """Fill one block."""
    near = [line for line in mains if line.distance(block) < 1.0]
    if use == "grid":
        land.roads.extend(streets.street_grid(rng, block, near, _edge_angle(block)))
        land.gardens.append(block)
    elif use == "organic":
        kinds = (("street", float(rng.choice([7.5, 8.5]))), ("street", 6.5), ("lane", 5.5))[
            : character.generations
        ]
        land.roads.extend(streets.grown_streets(rng, block, near, kinds=kinds, spacing_m=character.spacing_m))
        land.gardens.append(block)
    elif use == "fields":
        fields, tracks = _farmed(rng, block)
        land.fields.extend(fields)
        land.roads.extend(tracks)
    else:
        width = float(rng.uniform(3.5, 4.5))
        tracks = streets.grown_streets(
            rng, block, near, kinds=(("track", width),) * 2, surfaces=("dirt", "gravel"),
            spacing_m=(260.0, 600.0), bend=0.012,
        )  # fmt: skip
        land.woods.append(block)
        land.roads.extend(tracks)


def _edge_angle(block: Polygon) -> float:
    """Find the direction of the longer side of the block's smallest rectangle."""
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(block))
    sides = np.diff(corners[:3], axis=0)
    longest = sides[int(np.hypot(*sides.T).argmax())]
    return float(np.arctan2(longest[1], longest[0]))


def _farmed(rng: np.random.Generator, block: Polygon) -> tuple[list[Field], list[Road]]:
    """Split a block into fields; some of the cuts become tracks."""
    waiting, fields, tracks = [(block, 0)], [], []
    surface, width = str(rng.choice(["gravel", "dirt"])), float(rng.uniform(3.5, 5.0))
    while waiting:
        part, level = waiting.pop()
        angle = _edge_angle(part)
        if part.area < rng.uniform(9_000, 60_000) or level > 6:
            fields.append(Field(part, int(rng.integers(0, 9)), angle + float(rng.choice([0.0, np.pi / 2]))))
            continue
        cut = _cut(rng, part, angle + np.pi / 2)
        halves = [
            half for half in shapely.get_parts(shapely.ops.split(part, cut)) if half.geom_type == "Polygon"
        ]
        if len(halves) != 2:
            fields.append(Field(part, int(rng.integers(0, 9)), angle))
            continue
        waiting += [(half, level + 1) for half in halves]
        seams = streets.lines_of(cut.intersection(part))
        if level < 3 and rng.random() < 0.55 and len(seams) == 1 and seams[0].length > 60:
            tracks.append(Road(seams[0], width, surface, "track"))
    return fields, tracks


def _cut(rng: np.random.Generator, part: Polygon, angle: float) -> LineString:
    """Draw a slightly bent line through the middle of a polygon."""
    centre = np.array(part.centroid.coords[0]) + rng.normal(0, 12, 2)
    along = np.linspace(-1, 1, 9) * 1500.0
    across = rng.normal(0, 0.00006) * along**2
    direction, normal = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    return LineString(centre + along[:, None] * direction + across[:, None] * normal)


def _outline(box: Box, grow_m: float = 0.0) -> Polygon:
    half_length, half_width = box.length_m / 2 + grow_m, box.width_m / 2 + grow_m
    u = np.array([np.cos(box.angle), np.sin(box.angle)]) * half_length
    v = np.array([-np.sin(box.angle), np.cos(box.angle)]) * half_width
    centre = np.array([box.x, box.y])
    return Polygon([centre + u + v, centre - u + v, centre - u - v, centre + u - v])


def _beside(
    rng: np.random.Generator, road: Road, spacing_m: tuple[float, float], first_m: float
) -> list[tuple[np.ndarray, float, int]]:
    """Find places along both sides of a road: (position on the centreline, outward direction, side)."""
    places = []
    for side in (-1, 1):
        distance = first_m * float(rng.uniform(0.6, 1.2))
        while distance < road.line.length - first_m * 0.5:
            here, ahead = shapely.get_coordinates(road.line.interpolate([distance, distance + 0.5]))
            heading = float(np.arctan2(ahead[1] - here[1], ahead[0] - here[0]))
            places.append((here, heading + side * np.pi / 2, side))
            distance += float(rng.uniform(*spacing_m))
    return places


def _commerce(
    rng: np.random.Generator,
    roads: list[Road],
    surface: MultiPolygon,
    water: BaseGeometry,
    woods: list[Polygon],
    chance: float,
) -> tuple[list[Lot], list[Box]]:
    """Place car parks with halls along the main roads, where there is room."""
    lots: list[Lot] = []
    halls: list[Box] = []
    barred = shapely.union_all([surface.buffer(2), water, *woods])
    for road in roads:
        if road.kind not in {"main", "dual"} or rng.random() > 0.3 + chance:
            continue
        for here, outward, _ in _beside(rng, road, (90.0, 260.0), 60.0):
            depth, width = float(rng.uniform(45, 90)), float(rng.uniform(40, 110))
            way = np.array([np.cos(outward), np.sin(outward)])
            centre = here + way * (road.width_m / 2 + 7 + depth / 2)
            plot = _box(centre, outward, depth, width, 0.0, "lot", (0, 0, 0))
            outline = _outline(plot)
            if rng.random() > 0.2 + chance or outline.intersects(barred):
                continue
            barred = barred.union(outline.buffer(6))
            share = float(rng.uniform(0.3, 0.5))
            middle = centre + way * depth * (0.5 - share / 2)
            hall = _box(middle, outward, depth * share * 0.85, width * float(rng.uniform(0.6, 0.9)),
                float(rng.uniform(5, 11)), "hall", _FLAT_ROOFS[int(rng.integers(len(_FLAT_ROOFS)))],
            )  # fmt: skip
            entry = _box(
                here + way * (road.width_m / 2 + 4), outward, 9.0, 7.0, 0.0, "drive", (112, 112, 114)
            )
            lots.append(Lot(outline, outward))
            halls += [entry, hall]
    return lots, halls


def _houses(
    rng: np.random.Generator, roads: list[Road], surface: MultiPolygon, barred: BaseGeometry, land: _Land
) -> list[Box]:
    """Place houses along the streets, each with its drive, some with a shed or a pool, none on another."""
    candidates: list[list[Box]] = []
    spacing = float(rng.uniform(19, 32))
    setback = float(rng.uniform(7, 15))
    for road in roads:
        share = {"street": 0.93, "lane": 0.9, "main": 0.5, "track": 0.06}.get(road.kind, 0.0)
        for here, outward, _ in _beside(rng, road, (0.8 * spacing, 1.25 * spacing), 12.0):
            if rng.random() < share:
                candidates.append(_homestead(rng, road, here, outward, setback))
    if not candidates:
        return []
    outlines = np.array([_outline(group[0], 2.5) for group in candidates], dtype=object)
    open_country = shapely.union_all(land.woods)
    tree = shapely.STRtree(shapely.get_parts(surface.buffer(3.0)))
    blocked = np.zeros(len(outlines), bool)
    for other in (
        tree,
        shapely.STRtree(shapely.get_parts(barred)),
        shapely.STRtree(shapely.get_parts(open_country)),
    ):
        blocked[other.query(outlines, predicate="intersects")[0]] = True
    pairs = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    for first, second in pairs.T[np.lexsort(pairs[::-1])]:
        if first < second and not blocked[first]:
            blocked[second] = True
    kept = [group for group, drop in zip(candidates, blocked, strict=True) if not drop]
    return [box for group in kept for box in group[1:]] + [group[0] for group in kept]


def _homestead(
    rng: np.random.Generator, road: Road, here: np.ndarray, outward: float, setback_m: float
) -> list[Box]:
    """Build a house, its drive and what stands beside it; the house comes first."""
    length, depth = float(rng.uniform(10, 18)), float(rng.uniform(7.5, 11.5))
    out, aside = np.array([np.cos(outward), np.sin(outward)]), np.array([-np.sin(outward), np.cos(outward)])
    reach = road.width_m / 2 + max(setback_m * float(rng.uniform(0.7, 1.5)), 4.5)
    centre = here + out * (reach + depth / 2)
    turned = outward + np.pi / 2 * float(rng.random() < 0.8) + float(rng.normal(0, 0.05))
    roof = _ROOFS[int(rng.integers(len(_ROOFS)))]
    house = _box(centre, turned, length, depth, float(rng.uniform(3.4, 6.5)), "house", roof)
    side = float(rng.choice([-1, 1]))
    drive_width = float(rng.uniform(2.8, 5.0))
    drive_at = (
        here
        + out * (road.width_m / 2 + (reach + depth) / 2 - 3)
        + aside * side * (length / 2 - drive_width * 0.3)
    )
    drive_length = reach + depth - road.width_m / 2 + float(rng.uniform(-6, 1))
    colour = _DRIVES[int(rng.integers(len(_DRIVES)))]
    group = [house, _box(drive_at, outward, max(drive_length, 5.0), drive_width, 0.0, "drive", colour)]
    if rng.random() < 0.35:
        wing = centre + out * depth * float(rng.uniform(0.3, 0.6)) - aside * side * length * 0.25
        group.append(
            replace(
                house, x=wing[0], y=wing[1], angle=turned + np.pi / 2, length_m=depth, width_m=length * 0.5
            )
        )
    group += _backyard(rng, centre, outward, side)
    if rng.random() < 0.55:
        at = drive_at + out * float(rng.uniform(-2, 3))
        group.append(_box(at, outward, 4.5, 1.9, 1.5, "car", _CARS[int(rng.integers(len(_CARS)))]))
    return group


def _backyard(rng: np.random.Generator, centre: np.ndarray, outward: float, side: float) -> list[Box]:
    """Put a shed or a pool behind some of the houses."""
    out, aside = np.array([np.cos(outward), np.sin(outward)]), np.array([-np.sin(outward), np.cos(outward)])
    group: list[Box] = []
    if rng.random() < 0.3:
        shed = centre + out * float(rng.uniform(11, 18)) + aside * float(rng.uniform(-9, 9))
        colour = _ROOFS[int(rng.integers(len(_ROOFS)))]
        group.append(
            _box(shed, outward, float(rng.uniform(3, 6)), float(rng.uniform(2.5, 5)), 2.6, "shed", colour)
        )
    if rng.random() < 0.04:
        pool = centre + out * float(rng.uniform(12, 17)) - aside * side * float(rng.uniform(0, 7))
        group.append(
            _box(
                pool,
                outward,
                float(rng.uniform(4, 6)),
                float(rng.uniform(7, 10)),
                0.0,
                "pool",
                (96, 168, 186),
            )
        )
    return group


def _parked(rng: np.random.Generator, lots: list[Lot]) -> list[Box]:
    """Place cars standing in the rows of car parks (the hall covers those at the back)."""
    cars: list[Box] = []
    for lot in lots:
        filled = float(rng.uniform(0.1, 0.75))
        centre = np.array(lot.outline.centroid.coords[0])
        out, aside = (
            np.array([np.cos(lot.angle), np.sin(lot.angle)]),
            np.array([-np.sin(lot.angle), np.cos(lot.angle)]),
        )
        inner = lot.outline.buffer(-4)
        for row in np.arange(-60, 61, 16.0):
            for shift in (-2.6, 2.6):
                for stall in np.arange(-60, 61, 2.7):
                    place = centre + out * (row + shift) + aside * stall
                    if rng.random() < filled and inner.contains(Point(place)):
                        colour = _CARS[int(rng.integers(len(_CARS)))]
                        angle = lot.angle + float(rng.normal(0, 0.03))
                        cars.append(
                            _box(place, angle, float(rng.uniform(4.0, 5.0)), 1.85, 1.5, "car", colour)
                        )
    return cars


def _traffic(rng: np.random.Generator, roads: list[Road]) -> list[Box]:
    """Place cars and a few lorries under way, and cars along the kerbs of streets."""
    cars: list[Box] = []
    gaps = {
        "main": (30.0, 190.0),
        "dual": (20.0, 130.0),
        "street": (40.0, 320.0),
        "roundabout": (30.0, 160.0),
    }
    for road in roads:
        gap = gaps.get(road.kind)
        if gap is None:
            continue
        for here, outward, side in _beside(rng, road, gap, float(rng.uniform(8, 60))):
            parked = road.kind == "street" and road.width_m > 6 and rng.random() < 0.6
            beside = (
                road.width_m / 2 - 1.3 if parked else road.width_m * float(rng.choice([0.25, 0.25, 0.12]))
            )
            place = here + beside * np.array([np.cos(outward), np.sin(outward)])
            lorry = road.kind != "street" and rng.random() < 0.08
            length, width, height = (float(rng.uniform(9, 15)), 2.5, 3.6) if lorry else (4.5, 1.85, 1.5)
            colour = (228, 228, 228) if lorry else _CARS[int(rng.integers(len(_CARS)))]
            cars.append(_box(place, outward + side * np.pi / 2, length, width, height, "car", colour))
    return cars
