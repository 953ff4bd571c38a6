"""Paved and unpaved ways: road surfaces with wear and markings, verges, car parks, drives, bridges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from roadlift.scene.frame import Frame, Texture, blend, stamp
from roadlift.scene.streets import SURFACES, Road, junctions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadlift.scene.ground import Land
    from roadlift.scene.layout import Box, Layout, Lot

_TONES = {
    "asphalt_dark": (78, 79, 84),
    "asphalt_light": (134, 133, 133),
    "asphalt_worn": (106, 105, 106),
    "concrete": (168, 165, 157),
    "gravel": (164, 154, 136),
    "dirt": (158, 132, 102),
}
_WHITE = np.array((238, 238, 234), np.float32) / 255
_YELLOW = np.array((214, 178, 78), np.float32) / 255


@dataclass(frozen=True)
class Ribbons:
    """For every pixel near a road, its place on the nearest one: float32 (rows, cols), metres.

    gap: distance outside the paved edge (negative on the road); across: signed distance from the
    centreline; along: distance from the road's start; road: index of the road, -1 where none is near.
    """

    gap: np.ndarray
    across: np.ndarray
    along: np.ndarray
    road: np.ndarray


def ribbons(frame: Frame, roads: Sequence[Road], *, reach_m: float = 7.0) -> Ribbons:
    """Measure the place of every pixel relative to the nearest paved edge within ``reach_m``."""
    gap = np.full(frame.shape, np.float32(1e6))
    across, along = np.zeros(frame.shape, np.float32), np.zeros(frame.shape, np.float32)
    owner = np.full(frame.shape, -1, np.int32)
    result = Ribbons(gap, across, along, owner)
    for index, road in enumerate(roads):
        points = shapely.get_coordinates(road.line)
        lengths = np.hypot(*np.diff(points, axis=0).T)
        starts = np.concatenate([[0.0], np.cumsum(lengths)])
        for first, last, length, start in zip(points[:-1], points[1:], lengths, starts, strict=False):
            if length > 0:
                _lay(frame, result, index, road.width_m / 2, first, last, length, start, reach_m)
    return result


def _lay(
    frame: Frame,
    result: Ribbons,
    index: int,
    half_width: float,
    first: np.ndarray,
    last: np.ndarray,
    length: float,
    start: float,
    reach_m: float,
) -> None:
    """Lay one straight segment into the ribbons where it is nearer than what lies there."""
    reach = half_width + reach_m
    low, high = np.minimum(first, last) - reach, np.maximum(first, last) + reach
    rows, cols = frame.window((low[0], low[1], high[0], high[1]))
    if rows.start >= rows.stop or cols.start >= cols.stop:
        return
    ux, uy = ((last - first) / length).astype(np.float32)
    dx, dy = frame.x[:, cols] - np.float32(first[0]), frame.y[rows] - np.float32(first[1])
    along = dx * ux + dy * uy
    across = dy * ux - dx * uy
    beyond = along - np.clip(along, 0, np.float32(length))
    gap = np.sqrt(across * across + beyond * beyond) - np.float32(half_width)
    window = (rows, cols)
    nearer = gap < result.gap[window]
    np.copyto(result.gap[window], gap, where=nearer)
    np.copyto(result.across[window], across, where=nearer)
    np.copyto(result.along[window], along + np.float32(start), where=nearer)
    np.copyto(result.road[window], index, where=nearer)


def pave(
    rng: np.random.Generator, canvas: np.ndarray, frame: Frame, layout: Layout, land: Land, texture: Texture
) -> None:
    """Paint car parks, drives, verges and roads onto the ground, in place."""
    bands = ribbons(frame, layout.roads)
    for lot in layout.lots:
        _car_park(rng, canvas, frame, lot, texture)
    _verges(rng, canvas, layout, land, bands, texture)
    for box in layout.boxes:
        if box.kind == "drive":
            _drive(canvas, frame, box, texture)
    _bridges(canvas, land, bands)
    colour = _road_colour(rng, layout, bands, texture)
    blend(canvas, colour, land.road)
    _markings(rng, canvas, frame, layout, land, bands, texture)


def _verges(
    rng: np.random.Generator, canvas: np.ndarray, layout: Layout, land: Land, bands: Ribbons, texture: Texture
) -> None:
    """Paint worn grass and grit beside every road, pavements along some streets."""
    near = bands.road >= 0
    ragged = texture.mix(13, grain=0.5, fine=0.8)
    grit = np.clip(1 - (bands.gap + 0.6 * ragged) / 2.2, 0, 1) * near * (1 - land.water)
    blend(canvas, np.array((150, 140, 118), np.float32) / 255 * (1 + 0.08 * ragged[..., None]), grit * 0.5)
    walked = np.array(
        [road.kind in {"street", "main"} and rng.random() < 0.4 for road in layout.roads] + [False]
    )
    start = rng.uniform(1.2, 2.2)
    pavement = np.clip((bands.gap - start) * 2 + 0.5, 0, 1) * np.clip(
        (start + 1.5 - bands.gap) * 2 + 0.5, 0, 1
    )
    pavement *= walked[bands.road]
    blend(
        canvas, np.array((178, 175, 168), np.float32) / 255 * (1 + 0.05 * ragged[..., None]), pavement * 0.75
    )


def _drive(canvas: np.ndarray, frame: Frame, box: Box, texture: Texture) -> None:
    place = stamp(frame, box)
    if place is None:
        return
    tone = np.array(box.colour, np.float32) / 255
    rough = 1 + 0.05 * texture.grain[place.window] + 0.05 * texture.fine[place.window]
    blend(canvas[place.window], tone * rough[..., None], place.coverage)


def _bridges(canvas: np.ndarray, land: Land, bands: Ribbons) -> None:
    """Paint pale parapets where a road crosses water."""
    rail = np.clip(1.2 - np.abs(bands.gap - 0.7), 0, 1) * (bands.road >= 0) * land.water
    blend(canvas, np.array((176, 172, 162), np.float32) / 255, rail)


@dataclass(frozen=True)
class _Finish:
    """How each road's surface looks; one more entry, the last, stands for pixels near no road."""

    tone: np.ndarray
    half_width_m: np.ndarray
    lanes: np.ndarray
    loose: np.ndarray


def _finishes(rng: np.random.Generator, roads: Sequence[Road]) -> _Finish:
    """Choose every road's tone; roads of one surface resemble each other within a scene."""
    shade = {surface: float(rng.uniform(0.86, 1.12)) for surface in SURFACES}
    tones = [
        np.array(_TONES[road.surface]) / 255 * shade[road.surface] * rng.uniform(0.94, 1.06) for road in roads
    ]
    tones.append(np.mean(tones, axis=0) if tones else np.full(3, 0.5))
    return _Finish(
        tone=np.array(tones, np.float32),
        half_width_m=np.array([road.width_m / 2 for road in roads] + [1.0], np.float32),
        lanes=np.array([max(1, round(road.width_m / 3.6)) for road in roads] + [1], np.float32),
        loose=np.array([road.surface in {"gravel", "dirt"} for road in roads] + [False], np.float32),
    )


def _road_colour(rng: np.random.Generator, layout: Layout, bands: Ribbons, texture: Texture) -> np.ndarray:
    """Colour the road surface: tone, wheel tracks, oil, patches: float32 (rows, cols, 3)."""
    finish = _finishes(rng, layout.roads)
    road, loose = bands.road, finish.loose[bands.road]
    lane = np.mod((bands.across / finish.half_width_m[road] * 0.5 + 0.5) * finish.lanes[road], 1.0)
    tracks = np.exp(-(((np.abs(lane - 0.5) - 0.26) / 0.12) ** 2))
    light = 1 + tracks * (0.05 + 0.05 * loose)
    light += texture.mix(14, grain=0.022, fine=0.014, patch=0.025, broad=0.04) * (1 + 2.0 * loose)
    light -= 0.10 * np.clip(texture.mix(15, fine=0.6, patch=1.0) - 1.4, 0, 1)
    light -= 0.05 * np.clip(1 - np.abs(bands.gap + 0.4), 0, 1)
    colour = np.asarray(finish.tone[road] * light[..., None], dtype=np.float32)
    grown = np.clip(1 - np.abs(bands.across) / 0.7, 0, 1) * np.clip(0.5 + 0.6 * texture.patch, 0, 0.8)
    blend(colour, np.array((104, 106, 70), np.float32) / 255, (loose * grown).astype(np.float32))
    return colour


def _line(across: np.ndarray, centre: np.ndarray | float, width_m: float, step: float) -> np.ndarray:
    """Measure the share of a pixel that a painted line covers, seen across the road."""
    half = max(width_m, step) / 2
    overlap = np.clip((half + 0.5 * step - np.abs(across - centre)) / step, 0, 1)
    return np.asarray(overlap * min(width_m / step, 1.0))


def _markings(
    rng: np.random.Generator,
    canvas: np.ndarray,
    frame: Frame,
    layout: Layout,
    land: Land,
    bands: Ribbons,
    texture: Texture,
) -> None:
    """Paint lane markings, worn, and missing where roads meet; visible as far as the pixels allow."""
    count, step = len(layout.roads), frame.ground_resolution_m
    marked = np.array([_marked(rng, road) for road in layout.roads] + [0], np.int8)
    half = np.array([road.width_m / 2 for road in layout.roads] + [1.0], np.float32)[bands.road]
    clear = _away_from_junctions(frame, layout, half) * (bands.road < count)
    worn = np.clip(0.85 + 0.3 * texture.mix(16, fine=0.7, patch=0.7), 0.15, 1.0) * land.road * clear
    style = marked[bands.road]
    centre = _line(np.abs(bands.across), 0.16, 0.17, step)
    blend(canvas, _YELLOW, centre * worn * (style == 2))
    dashed = np.clip(2 - np.abs(np.mod(bands.along, 12.0) - 6.0), 0, 1)
    blend(canvas, _WHITE, _line(bands.across, 0.0, 0.2, step) * worn * dashed * ((style == 1) | (style == 3)))
    edge = _line(np.abs(bands.across), half - 0.5, 0.24, step)
    blend(canvas, _WHITE, edge * worn * (style >= 2))
    wide = (half > 6.2) & (style == 2)
    blend(canvas, _WHITE, _line(np.abs(bands.across), half / 2, 0.2, step) * worn * dashed * wide)


def _marked(rng: np.random.Generator, road: Road) -> int:
    """Choose 0 none, 1 dashed centre, 2 double yellow centre and edges, 3 one way with lanes."""
    if road.surface in {"gravel", "dirt"} or road.kind in {"lane", "track", "roundabout"}:
        return 0
    if road.kind == "dual":
        return 3
    if road.kind == "main":
        return 2 if rng.random() < 0.85 else 1
    return 1 if road.width_m >= 7 and rng.random() < 0.4 else 0


def _away_from_junctions(frame: Frame, layout: Layout, half: np.ndarray) -> np.ndarray:
    clear = np.ones(frame.shape, np.float32)
    reach = 14.0
    for x, y in junctions(list(layout.roads)):
        rows, cols = frame.window((x - reach, y - reach, x + reach, y + reach))
        if rows.start < rows.stop and cols.start < cols.stop:
            distance = np.hypot(frame.x[:, cols] - np.float32(x), frame.y[rows] - np.float32(y))
            near = np.clip((distance - np.minimum(half[rows, cols] + 2.0, 9.0)) / 2, 0, 1)
            np.minimum(clear[rows, cols], near, out=clear[rows, cols])
    return clear


def _car_park(rng: np.random.Generator, canvas: np.ndarray, frame: Frame, lot: Lot, texture: Texture) -> None:
    """Paint asphalt with the white lines of the stalls."""
    window = frame.window(lot.outline.bounds)
    rows, cols = window
    if rows.start >= rows.stop or cols.start >= cols.stop:
        return
    step = frame.ground_resolution_m
    share = frame.part(window).cover([lot.outline])
    centre = lot.outline.centroid
    dx, dy = frame.x[:, cols] - np.float32(centre.x), frame.y[rows] - np.float32(centre.y)
    out = dx * np.cos(lot.angle) + dy * np.sin(lot.angle)
    aside = dy * np.cos(lot.angle) - dx * np.sin(lot.angle)
    tone = (
        np.array(_TONES[str(rng.choice(SURFACES[:3]))], np.float32) / 255 * np.float32(rng.uniform(0.9, 1.1))
    )
    light = 1 + texture.mix(17, grain=0.025, fine=0.025, patch=0.06)[window]
    blend(canvas[window], tone * light[..., None], share)
    stall = _line(np.mod(aside + 1.35, 2.7), 1.35, 0.12, step)
    row = np.abs(np.mod(out + 8.0, 16.0) - 8.0) < 5.2
    blend(canvas[window], _WHITE, (stall * row * share * np.float32(0.8)).astype(np.float32))
