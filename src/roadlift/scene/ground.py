"""The ground of a scene before anything stands on it: meadow, lawns, fields, forest floor, water, soil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from roadlift.scene.frame import Frame, Texture, blend, stamp
from roadlift.scene.noise import ramp

if TYPE_CHECKING:
    from roadlift.scene.layout import Layout

Colours = list[tuple[int, int, int]]

_MEADOW: dict[str, Colours] = {
    "spring": [(88, 88, 58), (104, 100, 70), (122, 113, 84), (142, 130, 101), (156, 144, 116)],
    "summer": [(78, 92, 56), (94, 104, 64), (110, 116, 74), (130, 130, 88), (148, 142, 104)],
    "dry": [(126, 116, 82), (144, 130, 94), (160, 144, 108), (176, 160, 124), (190, 174, 140)],
}
_LAWN: dict[str, Colours] = {
    "spring": [(70, 92, 55), (84, 100, 62), (100, 106, 72), (118, 113, 84), (136, 126, 99)],
    "summer": [(68, 94, 54), (82, 104, 60), (96, 112, 68), (112, 120, 78), (134, 132, 96)],
    "dry": [(98, 110, 66), (122, 122, 80), (144, 136, 96), (160, 148, 112), (176, 162, 128)],
}
_FLOOR: dict[str, Colours] = {
    "spring": [(58, 50, 43), (76, 65, 56), (92, 79, 68), (108, 93, 80), (126, 109, 95)],
    "summer": [(38, 46, 30), (52, 60, 38), (66, 72, 46), (82, 84, 58), (96, 92, 66)],
    "dry": [(92, 84, 60), (112, 100, 72), (132, 116, 86), (146, 130, 98), (156, 140, 108)],
}
_CROPS: dict[str, Colours] = {
    "spring": [
        (116, 98, 80), (138, 120, 98), (98, 112, 68), (90, 108, 62), (164, 148, 120),
        (104, 88, 74), (126, 122, 88), (150, 132, 106), (108, 120, 76),
    ],
    "summer": [
        (92, 112, 64), (112, 122, 72), (170, 156, 112), (84, 102, 60), (138, 138, 88),
        (118, 102, 82), (184, 168, 124), (102, 118, 72), (78, 98, 60),
    ],
    "dry": [
        (182, 164, 126), (160, 140, 110), (194, 176, 140), (100, 114, 68), (148, 130, 102),
        (172, 152, 122), (138, 130, 94), (188, 172, 138), (120, 124, 82),
    ],
}  # fmt: skip
_SOIL: Colours = [(122, 100, 78), (160, 136, 106), (184, 162, 130), (206, 188, 158), (148, 122, 98)]


@dataclass(frozen=True)
class Land:
    """Where what covers the ground: float32 shares (rows, cols), distance to the road surface in metres."""

    road: np.ndarray
    road_distance_m: np.ndarray
    water: np.ndarray
    woods: np.ndarray
    gardens: np.ndarray
    field: np.ndarray
    built: np.ndarray


def survey(frame: Frame, layout: Layout, texture: Texture) -> Land:
    """Turn the layout's outlines into soft-edged, naturally frayed layers."""
    step = frame.ground_resolution_m
    road = frame.cover(layout.surface.geoms)
    distance = np.asarray(ndimage.distance_transform_edt(road < 0.5), dtype=np.float32) * np.float32(step)
    ragged = texture.mix(1, fine=0.5, patch=1.3, broad=0.8)
    water = _frayed(frame, frame.cover([layout.river, *layout.ponds.geoms], supersample=1), 0.4 * ragged, 1.5)
    gardens = frame.cover(layout.gardens.geoms, supersample=1)
    wild = np.clip((distance - 52 - 9 * ragged) / 5, 0, 1) * gardens
    woods = np.maximum(_frayed(frame, frame.cover(layout.woods.geoms, supersample=1), ragged, 5.0), wild)
    woods *= np.clip((distance - 4 - 2.0 * ragged) / 2.5, 0, 1) * (1 - water)
    field = frame.number([field.outline for field in layout.fields], range(1, len(layout.fields) + 1))
    standing = [box for box in layout.boxes if box.kind in {"house", "hall", "shed", "pool", "drive"}]
    built = frame.cover([lot.outline for lot in layout.lots], supersample=1).astype(np.float32)
    for box in standing:
        print_ = stamp(frame, box, grow_m=1.2)
        if print_ is not None:
            np.maximum(built[print_.window], print_.coverage, out=built[print_.window])
    return Land(road, distance, water, woods, gardens, field, built)


def _frayed(frame: Frame, share: np.ndarray, ragged: np.ndarray, depth_m: float) -> np.ndarray:
    """Blur an outline and cut it again along a noisy level, so that its edge wanders by about ``depth_m``."""
    sigma = depth_m / frame.ground_resolution_m
    soft = ndimage.gaussian_filter(share, sigma, mode="nearest") if share.any() else share
    return np.asarray(
        np.clip((soft - 0.5 + 0.16 * ragged * (soft > 0.01)) * max(2.2 * sigma, 2.0) + 0.5, 0, 1)
    )


def ground(
    rng: np.random.Generator, frame: Frame, layout: Layout, land: Land, texture: Texture
) -> np.ndarray:
    """Paint the ground: float32 (rows, cols, 3) reflectance-like values in 0..1."""
    season = layout.season
    canvas = ramp(texture.mix(2, grain=0.25, fine=0.22, patch=0.55, broad=0.8), _MEADOW[season])
    _crops(rng, canvas, layout, land, frame, texture)
    _lawns(rng, canvas, frame, layout, land, texture)
    _soil(rng, canvas, land, texture)
    floor = ramp(texture.mix(4, grain=0.6, fine=0.5, patch=0.4, broad=0.6), _FLOOR[season])
    blend(canvas, floor, land.woods)
    bank = np.clip(ndimage.gaussian_filter(land.water, 4 / frame.ground_resolution_m) * 2.5, 0, 1)
    blend(
        canvas,
        ramp(texture.mix(5, fine=0.8, patch=0.6), [(84, 76, 58), (128, 116, 90), (90, 96, 62)]),
        bank * 0.6,
    )
    blend(canvas, _water(rng, texture), land.water)
    return canvas


def _lawns(
    rng: np.random.Generator, canvas: np.ndarray, frame: Frame, layout: Layout, land: Land, texture: Texture
) -> None:
    """Paint lawns near the streets, and plots around the houses, each kept in its own way."""
    colours = _LAWN[layout.season]
    lawn = ramp(texture.mix(3, grain=0.16, fine=0.18, patch=0.7, broad=0.5), colours)
    blend(canvas, lawn, land.gardens * np.clip((70 - land.road_distance_m) / 20, 0, 1))
    plot_texture = np.float32(1) + np.float32(0.035) * texture.mix(6, grain=0.8, fine=0.9, patch=1.2)
    for box in layout.boxes:
        if box.kind != "house":
            continue
        lot = stamp(frame, box, grow_m=float(rng.uniform(4.5, 9)))
        tone = (
            np.array(colours[int(rng.integers(len(colours)))], np.float32)
            / 255
            * np.float32(rng.uniform(0.85, 1.12))
        )
        if lot is not None:
            strength = lot.coverage * np.float32(rng.uniform(0.3, 0.85))
            blend(canvas[lot.window], tone * plot_texture[lot.window][..., None], strength)


def _crops(
    rng: np.random.Generator, canvas: np.ndarray, layout: Layout, land: Land, frame: Frame, texture: Texture
) -> None:
    """Paint fields: a crop's colour, its rows and tramlines, and wetter and poorer spots."""
    if not layout.fields:
        return
    count = len(layout.fields) + 1
    palette = np.array(_CROPS[layout.season], np.float32) / 255
    colour = np.zeros((count, 3), np.float32)
    angle, depth = np.zeros(count, np.float32), np.zeros(count, np.float32)
    for index, field in enumerate(layout.fields, start=1):
        colour[index] = palette[field.crop % len(palette)] * rng.uniform(0.88, 1.1)
        angle[index], depth[index] = field.angle, rng.uniform(0.0, 0.1)
    rows, cols = np.nonzero(land.field)
    field_number = land.field[rows, cols]
    turn = angle[field_number]
    across = frame.y[rows, 0] * np.cos(turn) - frame.x[0, cols] * np.sin(turn)
    across += 0.5 * texture.patch[rows, cols]
    furrow = max(2.4, 2.6 * frame.ground_resolution_m)
    rowed = np.sin(across * np.float32(2 * np.pi / furrow)) * depth[field_number]
    tram = -0.14 * (np.abs(np.mod(across, 21.0) - 10.5) < 0.5 * max(1.0, frame.ground_resolution_m))
    mottled = texture.mix(7, grain=0.05, fine=0.05, patch=0.055, broad=0.08)[rows, cols]
    light = np.float32(1) + rowed + tram * (depth[field_number] > 0.03) + mottled
    canvas[rows, cols] = colour[field_number] * light[:, None].astype(np.float32)


def _soil(rng: np.random.Generator, canvas: np.ndarray, land: Land, texture: Texture) -> None:
    """Paint patches of bare soil and sand: as bright as a road, but with no course."""
    level = texture.mix(int(rng.integers(8, 30)), fine=0.06, patch=0.5, broad=1.0)
    bare = np.clip((level - float(rng.uniform(1.9, 2.5))) * 2.5, 0, 0.75) * (land.road_distance_m > 3)
    blend(
        canvas, ramp(texture.mix(9, grain=0.5, fine=0.5, patch=0.7), _SOIL), bare * (1 - land.gardens * 0.75)
    )
    worn = np.clip((texture.mix(10, grain=0.1, fine=0.3, patch=1.0) - 1.3) * 1.2, 0, 0.5) * land.gardens
    blend(canvas, ramp(texture.mix(11, grain=0.3, fine=0.3, patch=0.4), _SOIL[:3]), worn)


def _water(rng: np.random.Generator, texture: Texture) -> np.ndarray:
    """Paint dark, faintly mottled water; its colour is the scene's own."""
    tones: list[Colours] = [
        [(20, 26, 26), (28, 34, 32), (34, 42, 38)],
        [(36, 46, 38), (46, 58, 46), (56, 66, 52)],
        [(30, 44, 54), (40, 56, 66), (50, 66, 74)],
    ]
    return ramp(texture.mix(12, grain=0.3, fine=0.35, broad=0.8), tones[int(rng.integers(3))])
