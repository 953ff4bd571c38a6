"""Random crops of labelled images: another place, turn, size, light and sensor each time.

All randomness comes from the generator that is passed in, so a crop is a pure function of sample and seed.
"""

from __future__ import annotations

import cv2
import numpy as np

from roadlift.train.data import IGNORE, Sample

_FILL = 127
_MIN_VALID_SHARE = 0.6
_MIN_ROAD_SHARE = 0.01
_ROAD = 64
_TRIES = 12
_SCALED_SHARE = 0.6
_MARGIN = 6


def random_crop(
    sample: Sample,
    size: int,
    rng: np.random.Generator,
    *,
    scale_octaves: float = 0.5,
    roadless_share: float = 1.0,
    light_share: float = 0.9,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a random crop, turned and scaled, and change its colours and sharpness.

    Args:
        sample: The labelled image; its label may hold any target: 0 background, more: road, 255: ignore.
        size: Side of the crop in pixels.
        rng: Source of all randomness.
        scale_octaves: Most of the crops are scaled by up to two to the power of this, up or down.
        roadless_share: Share of the crops without road that is kept; the others are drawn again.
        light_share: Share of the crops whose light, colours and sharpness are changed.

    Returns:
        Image uint8 (size, size, 3) and label uint8 (size, size) with 255 where there is nothing to learn from.

    Example:
        >>> sample = Sample("a", np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8))
        >>> image, label = random_crop(sample, 32, np.random.default_rng(0))
        >>> image.shape, label.shape
        ((32, 32, 3), (32, 32))
    """
    part, matrix, label = _random_place(sample, size, rng, scale_octaves, roadless_share)
    image = _warp_image(part.image, matrix, size)
    if rng.random() < light_share:
        image = random_sharpness(random_light(image, rng), rng)
    image[label == IGNORE] = _FILL
    return image, label


def _random_place(
    sample: Sample, size: int, rng: np.random.Generator, scale_octaves: float, roadless_share: float
) -> tuple[Sample, np.ndarray, np.ndarray]:
    """Draw places until one is worth learning from; else the one with the largest labelled area.

    Returns:
        The part of the sample, the transform of crop pixels into it, and the label of the crop.
    """
    best, best_valid = None, -1.0
    keep_roadless = rng.random() < roadless_share
    for _ in range(_TRIES):
        matrix = _random_transform(sample.label.shape, size, rng, scale_octaves)
        part, matrix = _cut_out(sample, matrix, size)
        label = _warp_label(part.label, matrix, size)
        valid = float((label != IGNORE).mean())
        if valid > best_valid:
            best, best_valid = (part, matrix, label), valid
        road = float(((label > _ROAD) & (label != IGNORE)).mean())
        if valid >= _MIN_VALID_SHARE and (keep_roadless or road >= _MIN_ROAD_SHARE):
            return part, matrix, label
    if best is None:
        raise ValueError("_TRIES must be positive.")
    return best


def _warp_label(label: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST
    return cv2.warpAffine(label, matrix, (size, size), flags=flags, borderValue=IGNORE)


def _warp_image(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Resample an image; before it shrinks, it is blurred, so that nothing aliases."""
    scale = float(np.hypot(*matrix[:, 0]))
    if scale > 1.1:
        image = cv2.GaussianBlur(image, (0, 0), 0.5 * np.sqrt(scale**2 - 1))
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    return cv2.warpAffine(image, matrix, (size, size), flags=flags, borderValue=(_FILL,) * 3)


def _cut_out(sample: Sample, matrix: np.ndarray, size: int) -> tuple[Sample, np.ndarray]:
    """Return the part of the sample that a crop of ``size`` needs, and the transform into that part."""
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]]) @ matrix.T
    extent = np.array(sample.label.shape[::-1])
    first = np.clip(np.floor(corners.min(axis=0)).astype(int) - _MARGIN, 0, extent - 1)
    last = np.clip(np.ceil(corners.max(axis=0)).astype(int) + _MARGIN, first + 1, extent)
    part = (slice(first[1], last[1]), slice(first[0], last[0]))
    moved = matrix.copy()
    moved[:, 2] -= first
    return Sample(sample.name, sample.image[part], sample.label[part]), moved


def _random_transform(
    shape: tuple[int, ...], size: int, rng: np.random.Generator, scale_octaves: float
) -> np.ndarray:
    """Map crop pixels (x, y) to image pixels: a quarter turn or any turn, a flip, a scale, a place.

    A crop is never scaled to be larger than the image.
    """
    scale = 2 ** rng.uniform(-scale_octaves, scale_octaves) if rng.random() < _SCALED_SHARE else 1.0
    scale = min(scale, max(1.0, min(shape) / size))
    angle = rng.integers(4) * np.pi / 2 + (rng.uniform(-np.pi / 4, np.pi / 4) if rng.random() < 0.3 else 0.0)
    flip = rng.choice((-1.0, 1.0))
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cosine, -sine * flip], [sine, cosine * flip]])
    half = min(scale * size, *shape) / 2
    centre = [rng.uniform(min(half, extent / 2), max(extent - half, extent / 2)) for extent in shape[::-1]]
    offset = np.array(centre) - 0.5 - linear @ np.full(2, (size - 1) / 2)
    return np.column_stack([linear, offset])


def random_light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change exposure, colour cast, gamma, saturation and haze: what differs between sensors, seasons and hours.

    Args:
        image: uint8 (rows, cols, 3).
        rng: Source of all randomness.

    Returns:
        uint8 (rows, cols, 3).
    """
    strength = rng.choice((0.5, 1.0, 1.6))
    image = _random_saturation(image, rng)
    if rng.random() < 0.15:
        image = _random_relief(image, rng)
    return cv2.LUT(image, _random_tone(rng, strength))


def _random_tone(rng: np.random.Generator, strength: float) -> np.ndarray:
    """Return a curve for each channel, uint8 (1, 256, 3): contrast, cast, gamma, haze."""
    levels = np.linspace(0, 1, 256)[:, None]
    contrast = 2 ** rng.normal(0, 0.25 * strength) * 2 ** rng.normal(0, 0.12 * strength, 3)
    offset = rng.normal(0, 0.06 * strength) + rng.normal(0, 0.04 * strength, 3)
    gamma = 2 ** (rng.normal(0, 0.35 * strength) + rng.normal(0, 0.15 * strength, 3))
    curve = np.clip((levels - 0.5) * contrast + 0.5 + offset, 0, 1) ** gamma
    if rng.random() < 0.3:
        haze = rng.uniform(0, min(0.5 * strength, 0.7))
        curve = curve * (1 - haze) + haze * rng.uniform(0.4, 0.9, 3)
    return np.rint(curve * 255).astype(np.uint8)[None]


def _random_relief(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Let the brightness drift over the crop, or even out its contrast place by place."""
    if rng.random() < 0.5:
        lightness = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
        tiles = int(rng.integers(2, 8))
        lightness[..., 0] = cv2.createCLAHE(rng.uniform(1, 3), (tiles, tiles)).apply(lightness[..., 0].copy())
        return cv2.cvtColor(lightness, cv2.COLOR_LAB2RGB)
    coarse = rng.normal(1, 0.15, (3, 3)).astype(np.float32)
    drift = cv2.resize(coarse, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(image * drift[..., None], 0, 255).astype(np.uint8)


def _random_saturation(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mix the channels: towards grey, away from grey, or a little into each other; rarely exchange them."""
    amount = 0.0 if rng.random() < 0.1 else rng.uniform(0.2, 1.7)
    matrix = amount * np.eye(3) + (1 - amount) * np.full((3, 3), 1 / 3)
    matrix += rng.normal(0, 0.06, (3, 3))
    if rng.random() < 0.08:
        matrix = matrix[rng.permutation(3)]
    return cv2.transform(image, matrix / matrix.sum(axis=1, keepdims=True))


def random_sharpness(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, lose resolution, add noise or compress: each on a part of the crops.

    Args:
        image: uint8 (rows, cols, 3).
        rng: Source of all randomness.

    Returns:
        uint8 (rows, cols, 3).
    """
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.3))
    if rng.random() < 0.15:
        image = _coarsen(image, rng.uniform(1.2, 2.2))
    if rng.random() < 0.15:
        blurred = cv2.GaussianBlur(image, (0, 0), 1.5)
        amount = rng.uniform(0.3, 1.2)
        image = cv2.addWeighted(image, 1 + amount, blurred, -amount, 0)
    if rng.random() < 0.25:
        noise = rng.standard_normal(image.shape, np.float32) * rng.uniform(2, 12)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return image.copy()


def _coarsen(image: np.ndarray, factor: float) -> np.ndarray:
    size = image.shape[1::-1]
    small = cv2.resize(image, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
