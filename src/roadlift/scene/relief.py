"""What stands on the ground: buildings, cars, trees; their heights, shading and the shadows of one sun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from roadlift.scene.frame import Frame, Stamp, Texture, blend, stamp
from roadlift.scene.noise import band_noise, ramp

if TYPE_CHECKING:
    from roadlift.scene.ground import Land
    from roadlift.scene.layout import Box, Layout

_CELL_M = 6.6
_SHRUB_CELL_M = 3.0
_EVERGREEN = [(34, 48, 36), (44, 60, 42), (56, 74, 50), (70, 88, 60)]
_LEAFED = {
    "spring": [(88, 100, 62), (104, 114, 72), (122, 122, 84), (116, 98, 84)],
    "summer": [(50, 68, 40), (64, 84, 50), (80, 98, 60), (98, 112, 72)],
    "dry": [(76, 84, 54), (92, 96, 64), (106, 106, 76), (98, 94, 70)],
}
_BARE = [(48, 41, 36), (72, 61, 54), (96, 82, 72), (120, 104, 92), (152, 134, 120)]
_EVERGREEN_SHARE = {"spring": 0.25, "summer": 0.22, "dry": 0.35}
_BARE_SHARE = {"spring": 0.85, "summer": 0.0, "dry": 0.08}


@dataclass(frozen=True)
class Sun:
    """Direction towards the sun in the picture (unit vector: x right, y down) and its height in radians."""

    x: float
    y: float
    height: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Sun:
        """Draw a late-morning sun, as survey flights have it."""
        angle = float(rng.uniform(0.15, 0.85)) * np.pi
        return cls(float(np.cos(angle)), float(np.sin(angle)), float(np.radians(rng.uniform(36, 58))))


@dataclass(frozen=True)
class Relief:
    """Heights above ground in metres of what stops light and of bare trees, and how surfaces face the sun."""

    solid: np.ndarray
    bare: np.ndarray
    facing: np.ndarray


def raise_boxes(
    rng: np.random.Generator, canvas: np.ndarray, frame: Frame, layout: Layout, sun: Sun, texture: Texture
) -> Relief:
    """Paint roofs, cars and pools onto the canvas and return their relief."""
    relief = Relief(
        np.zeros(frame.shape, np.float32), np.zeros(frame.shape, np.float32), np.ones(frame.shape, np.float32)
    )
    for kind in ("pool", "car", "shed", "hall", "house"):
        for box in layout.boxes:
            if box.kind == kind:
                place = stamp(frame, box)
                if place is not None:
                    _raise(rng, canvas, relief, box, place, sun, texture, frame.ground_resolution_m)
    return relief


def _raise(
    rng: np.random.Generator,
    canvas: np.ndarray,
    relief: Relief,
    box: Box,
    place: Stamp,
    sun: Sun,
    texture: Texture,
    step: float,
) -> None:
    window, coverage = place.window, place.coverage
    tone = np.array(box.colour, np.float32) / 255
    facing, height = np.ones_like(coverage), np.full_like(coverage, box.height_m)
    light = 1 + 0.035 * texture.grain[window] + 0.04 * texture.fine[window]
    if box.kind in {"house", "shed"}:
        facing, height = _roof(rng, box, place, sun, step)
    elif box.kind == "hall":
        light = light + 0.06 * texture.patch[window]
        rim = np.abs(place.along) > box.length_m / 2 - 0.9
        rim |= np.abs(place.across) > box.width_m / 2 - 0.9
        light = light * np.where(rim, 1.12, 1.0)
        height = height + 2.0 * _roof_units(rng, box, place)
        light = light * np.where(height > box.height_m, 0.8, 1.0)
    elif box.kind == "car":
        glass = (np.abs(np.abs(place.along) - 0.22 * box.length_m) < 0.45) & (box.length_m < 6)
        light = light * np.where(glass, 0.45, 1.0)
    blend(canvas[window], tone * light[..., None], coverage)
    relief.facing[window] += (facing - relief.facing[window]) * coverage
    np.maximum(relief.solid[window], height * coverage, out=relief.solid[window])


def _roof(
    rng: np.random.Generator, box: Box, place: Stamp, sun: Sun, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Shape a gabled or hipped roof: how its sides face the sun (1 like flat ground) and its height."""
    pitch = float(np.radians(rng.uniform(20, 36)))
    half_length, half_width = box.length_m / 2, box.width_m / 2
    lateral = half_width - np.abs(place.across)
    hipped = rng.random() < 0.35
    end = half_length - np.abs(place.along)
    on_end = (end < lateral) & hipped
    towards_across = -np.sin(box.angle) * sun.x + np.cos(box.angle) * sun.y
    towards_along = np.cos(box.angle) * sun.x + np.sin(box.angle) * sun.y
    side = np.clip(place.across / step, -1, 1) * towards_across
    side = np.where(on_end, np.sign(place.along) * towards_along, side)
    facing = np.cos(pitch) + np.sin(pitch) * side / np.tan(sun.height)
    rise = np.tan(pitch) * np.maximum(np.where(on_end, end, lateral), 0)
    return facing.astype(np.float32), (box.height_m + rise).astype(np.float32)


def _roof_units(rng: np.random.Generator, box: Box, place: Stamp) -> np.ndarray:
    """Place air conditioners and skylights on a flat roof: 1 where one stands."""
    units = np.zeros_like(place.coverage)
    for _ in range(int(rng.integers(2, 12))):
        along, across = rng.uniform(-0.42, 0.42, 2) * (box.length_m, box.width_m)
        size = rng.uniform(0.8, 2.2)
        units[(np.abs(place.along - along) < size) & (np.abs(place.across - across) < size)] = 1
    return units


@dataclass(frozen=True)
class Crowns:
    """The highest crown over every pixel: its height (0 where none), the tree's own tone, its sort."""

    height: np.ndarray
    tone: np.ndarray
    sort: np.ndarray


EVERGREEN, LEAFED, BARE = 1, 2, 3


def plant(
    rng: np.random.Generator,
    frame: Frame,
    layout: Layout,
    land: Land,
    texture: Texture,
    *,
    shrubs: bool = False,
) -> Crowns:
    """Set trees on a jittered grid, as thick as the land allows, and find the highest crown over every pixel.

    With ``shrubs`` bushes and hedges instead of trees.

    Cellular noise (Worley, "A cellular texture basis function", SIGGRAPH 1996) with one tree a cell.
    """
    rows, cols = frame.shape
    cell_m = _SHRUB_CELL_M if shrubs else _CELL_M
    width, height = cols * frame.ground_resolution_m, rows * frame.ground_resolution_m
    cells = (int(np.ceil(height / cell_m)) + 2, int(np.ceil(width / cell_m)) + 2)
    at_x = (np.arange(cells[1])[None, :] - 1 + rng.random(cells)).astype(np.float32) * np.float32(cell_m)
    at_y = (np.arange(cells[0])[:, None] - 1 + rng.random(cells)).astype(np.float32) * np.float32(cell_m)
    pixel_row = np.clip((at_y / frame.ground_resolution_m).astype(int), 0, rows - 1)
    pixel_col = np.clip((at_x / frame.ground_resolution_m).astype(int), 0, cols - 1)
    thickness = _shrub_thickness(land, texture) if shrubs else _thickness(land, texture)
    stands = rng.random(cells) < thickness[pixel_row, pixel_col]
    radius = np.where(stands, rng.beta(2.2, 2.6, cells) * (0.7 * cell_m) + 0.25 * cell_m, 0).astype(
        np.float32
    )
    radius *= np.clip(1 + 0.22 * texture.broad[pixel_row, pixel_col], 0.6, 1.35)
    tall = (radius * rng.uniform(1.6, 2.4, cells) * (0.6 if shrubs else 1.0)).astype(np.float32)
    sort = _sorts(rng, layout.season, texture.broad[pixel_row, pixel_col], land.woods[pixel_row, pixel_col])
    tall = np.where(sort == EVERGREEN, tall * 1.15, tall).astype(np.float32)
    tone = rng.normal(0, 1, cells).astype(np.float32)
    return _highest(frame, cell_m, (at_x, at_y, radius, tall, tone, sort), texture)


def _thickness(land: Land, texture: Texture) -> np.ndarray:
    """Estimate the chance that a tree stands in a cell, by what the land is used for."""
    clumped = texture.mix(18, fine=0.2, patch=0.9, broad=0.5)
    yard = 0.35 * np.clip((land.road_distance_m - 24) / 8, 0, 1)
    garden = np.clip(0.13 + yard + 0.2 * clumped, 0.02, 0.85) * np.clip(
        (land.road_distance_m - 1.2) * 2, 0, 1
    )
    chance = np.clip(0.02 + 0.05 * (clumped - 1.0), 0, 0.4)
    chance = np.where(land.field > 0, 0.003, chance)
    chance = np.where(land.gardens > 0.5, garden, chance)
    hedge = (ndimage.maximum_filter(land.field, 5) != ndimage.minimum_filter(land.field, 5)) & (
        texture.broad > 0.1
    )
    chance = np.where(hedge & (land.road_distance_m > 3), 0.45, chance)
    chance = np.maximum(chance, 0.93 * land.woods)
    bank = ndimage.gaussian_filter(land.water, 6) * (1 - land.water)
    chance = np.maximum(chance, np.clip(bank * 3, 0, 0.5))
    barred = (land.built > 0.1) | (land.water > 0.3) | (land.road_distance_m < 1.4)
    return np.where(barred, 0, chance).astype(np.float32)


def _shrub_thickness(land: Land, texture: Texture) -> np.ndarray:
    """Estimate the chance that a bush stands in a cell: around houses, along yards, on rough ground."""
    clumped = texture.mix(23, fine=0.7, patch=0.7)
    around = ndimage.maximum_filter(land.built, 3) * (land.built < 0.4)
    chance = np.clip(0.16 + 0.16 * clumped, 0, 0.6) * (land.gardens > 0.5) + 0.5 * around
    chance = np.maximum(chance, np.clip(0.05 + 0.1 * (clumped - 0.6), 0, 0.3) * (land.field == 0))
    barred = (land.built > 0.5) | (land.water > 0.3) | (land.road_distance_m < 2.0) | (land.woods > 0.5)
    return np.where(barred, 0, chance).astype(np.float32)


def _sorts(rng: np.random.Generator, season: str, stand: np.ndarray, woods: np.ndarray) -> np.ndarray:
    """Choose the sort of every tree: stands of conifers in woods, a mixture in gardens."""
    share = np.clip(_EVERGREEN_SHARE[season] + 0.5 * (stand - 0.55) * (woods > 0.5), 0.04, 0.96)
    sort = np.where(rng.random(stand.shape) < _BARE_SHARE[season], BARE, LEAFED)
    return np.where(rng.random(stand.shape) < share, EVERGREEN, sort).astype(np.int8)


def _highest(frame: Frame, cell_m: float, trees: tuple[np.ndarray, ...], texture: Texture) -> Crowns:
    """Find for every pixel the highest of the crowns of the nine cells around it."""
    at_x, at_y, radius, tall, tone, sort = trees
    x, y = frame.x - np.float32(frame.left_m), frame.y - np.float32(frame.top_m)
    cell_row, cell_col = (y / cell_m).astype(np.int32) + 1, (x / cell_m).astype(np.int32) + 1
    best, winner = np.zeros(frame.shape, np.float32), np.zeros(frame.shape, np.int32)
    lumpy = np.float32(1) + np.float32(0.3) * texture.mix(19, grain=0.7, fine=0.8)
    width = at_x.shape[1]
    inverse = np.where(radius > 0, 1 / np.maximum(radius, 0.1) ** 2, 1e6).astype(np.float32)
    for down in (-1, 0, 1):
        for aside in (-1, 0, 1):
            row, col = cell_row + down, np.clip(cell_col + aside, 0, width - 1)
            index = np.clip(row, 0, at_x.shape[0] - 1) * width + col
            square = (x - at_x.ravel()[index]) ** 2 + (y - at_y.ravel()[index]) ** 2
            dome = 1 - square * inverse.ravel()[index] * lumpy
            height = tall.ravel()[index] * (0.45 + 0.55 * dome) * (dome > 0)
            higher = height > best
            np.copyto(best, height, where=higher)
            np.copyto(winner, index, where=higher)
    stands = best > 0
    return Crowns(best, tone.ravel()[winner], np.where(stands, sort.ravel()[winner], 0).astype(np.int8))


def cover_with_trees(
    rng: np.random.Generator,
    canvas: np.ndarray,
    frame: Frame,
    layout: Layout,
    relief: Relief,
    crowns: Crowns,
    sun: Sun,
    texture: Texture,
) -> Relief:
    """Paint the crowns over everything and add them to the relief."""
    over = crowns.height > relief.solid
    leafy = over & (crowns.sort != BARE) & (crowns.sort > 0)
    bare = over & (crowns.sort == BARE)
    lumps = np.clip(texture.mix(20, grain=0.5, fine=0.45), -1.1, 1.1)
    bumpy = (crowns.height + np.where(crowns.height > 0, lumps, 0)).astype(np.float32)
    facing = _slope_light(bumpy, sun, frame.ground_resolution_m)
    soften = 0.75 / frame.ground_resolution_m
    leafy_share = ndimage.gaussian_filter(leafy.astype(np.float32), 0.5 * soften)
    bare_share = ndimage.gaussian_filter(bare.astype(np.float32), soften) * np.clip(
        0.62 + 0.25 * texture.grain, 0.15, 1
    )
    streaks = band_noise(
        rng, frame.shape, frame.ground_resolution_m,
        wavelengths_m=(max(0.7, 1.8 * frame.ground_resolution_m), 9.0), slope=-0.1, stretch=2.6,
        angle=float(np.arctan2(sun.y, sun.x)),
    )  # fmt: skip
    twigs = ramp(0.85 * streaks + 0.3 * crowns.tone + 0.35 * texture.mix(21, patch=0.7, broad=0.8), _BARE)
    blend(canvas, twigs, bare_share.astype(np.float32))
    variety = 0.55 * crowns.tone + texture.mix(22, grain=0.35, fine=0.3, patch=0.3)
    leaves = ramp(variety, _LEAFED[layout.season])
    needles = ramp(variety, _EVERGREEN)
    green = np.where((crowns.sort == EVERGREEN)[..., None], needles, leaves)
    blend(canvas, green, leafy_share)
    lit = relief.facing + (facing - relief.facing) * leafy_share
    opening = 2 * max(1, round(0.8 / frame.ground_resolution_m)) + 1
    massive = ndimage.grey_opening(np.where(leafy, bumpy, 0), size=opening)
    solid = np.maximum(relief.solid, massive).astype(np.float32)
    return Relief(
        solid,
        np.maximum(relief.bare, np.where(bare, crowns.height, 0)).astype(np.float32),
        lit.astype(np.float32),
    )


def _slope_light(height: np.ndarray, sun: Sun, step: float) -> np.ndarray:
    """Estimate the brightness of a bumpy surface by its slope towards the sun, 1 where it is level."""
    down, right = np.gradient(height, step)
    slope = -(right * sun.x + down * sun.y)
    return np.asarray(np.clip(1 + 0.62 * np.tanh(0.55 * slope), 0.25, 1.7), dtype=np.float32)


def shadow(height: np.ndarray, sun: Sun, step: float, *, highest_m: float = 17.0) -> np.ndarray:
    """Measure the share of the sun's light that taller things take away from every pixel: float32 0..1.

    Marches from every pixel towards the sun over the height field, one pixel a step.

    Example:
        >>> wall = np.zeros((1, 8), np.float32); wall[0, 5] = 3
        >>> shadow(wall, Sun(1.0, 0.0, np.pi / 4), 1.0).round()[0].tolist()
        [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    """
    drop = np.float32(np.tan(sun.height) * step)
    over = np.full(height.shape, -1e3, np.float32)
    rows, cols = height.shape
    for stride in range(1, int(min(highest_m, float(height.max())) / drop) + 2):
        down, right = round(stride * sun.y), round(stride * sun.x)
        if abs(down) >= rows or abs(right) >= cols:
            break
        here = slice(max(-down, 0), rows - max(down, 0)), slice(max(-right, 0), cols - max(right, 0))
        there = slice(max(down, 0), rows - max(-down, 0)), slice(max(right, 0), cols - max(-right, 0))
        np.maximum(over[here], height[there] - drop * np.float32(stride), out=over[here])
    return np.asarray(np.clip((over - height) / max(float(drop), 0.5) + 0.25, 0, 1), dtype=np.float32)


def light(canvas: np.ndarray, relief: Relief, sun: Sun, step: float) -> np.ndarray:
    """Illuminate the painted surfaces: sun where no shadow falls, bluish sky everywhere."""
    dark = np.maximum(shadow(relief.solid, sun, step), 0.42 * shadow(relief.bare, sun, step))
    dark = ndimage.gaussian_filter(dark, 0.35)
    direct = (1 - dark) * relief.facing
    sky = np.array((0.27, 0.30, 0.36), np.float32)
    beam = np.array((0.77, 0.74, 0.69), np.float32)
    return np.asarray(canvas * (sky + beam * direct[..., None]), dtype=np.float32)
