"""Random crops of labelled images: another place, turn, size, light and sensor each time.

All randomness comes from the generator that is passed in, so a crop is a pure function of sample and seed.
"""

from __future__ import annotations

import cv2
import numpy as np

from roadlift.train.data import IGNORE, Sample

_FILL = 127
_MIN_VALID_SHARE = 0.4
_TRIES = 6


def random_crop(sample: Sample, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cut a random crop, turned and scaled, and change its colours and sharpness.

    Args:
        sample: The labelled image.
        size: Side of the crop in pixels.
        rng: Source of all randomness.

    Returns:
        Image uint8 (size, size, 3) and label uint8 (size, size) with 255 where there is nothing to learn from.

    Example:
        >>> sample = Sample("a", np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8))
        >>> image, label = random_crop(sample, 32, np.random.default_rng(0))
        >>> image.shape, label.shape
        ((32, 32, 3), (32, 32))
    """
    for _ in range(_TRIES):
        image, label = _warp(sample, size, rng)
        if (label != IGNORE).mean() >= _MIN_VALID_SHARE:
            break
    image = random_sharpness(random_light(image, rng), rng)
    image[label == IGNORE] = _FILL
    return image, label


def _warp(sample: Sample, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cut, flip, turn and scale in one resampling; the label follows with nearest neighbours."""
    matrix = _random_transform(sample.label.shape, size, rng)
    flags = cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(
        sample.image, matrix, (size, size), flags=flags | cv2.INTER_LINEAR, borderValue=(_FILL,) * 3
    )
    label = cv2.warpAffine(
        sample.label, matrix, (size, size), flags=flags | cv2.INTER_NEAREST, borderValue=IGNORE
    )
    return image, label


def _random_transform(shape: tuple[int, ...], size: int, rng: np.random.Generator) -> np.ndarray:
    """Map crop pixels (x, y) to image pixels: a quarter turn or any turn, a flip, a scale, a place."""
    scale = 2 ** rng.uniform(-0.5, 0.5) if rng.random() < 0.6 else 1.0
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
    if rng.random() < 0.15:
        return image
    strength = rng.choice((0.5, 1.0))
    levels = np.linspace(0, 1, 256)[:, None]
    exposure = 2 ** rng.normal(0, 0.25 * strength) * 2 ** rng.normal(0, 0.12 * strength, 3)
    offset = rng.normal(0, 0.06 * strength) + rng.normal(0, 0.03 * strength, 3)
    gamma = 2 ** (rng.normal(0, 0.35 * strength) + rng.normal(0, 0.12 * strength, 3))
    curve = np.clip((levels - 0.5) * exposure + 0.5 + offset, 0, 1) ** gamma
    if rng.random() < 0.3:
        haze = rng.uniform(0, 0.5 * strength)
        curve = curve * (1 - haze) + haze * rng.uniform(0.4, 0.9, 3)
    table = np.rint(curve * 255).astype(np.uint8)[None]
    return cv2.LUT(_random_saturation(image, rng), table)


def _random_saturation(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mix the channels: towards grey, away from grey, or a little into each other."""
    amount = 0.0 if rng.random() < 0.06 else rng.uniform(0.3, 1.6)
    matrix = amount * np.eye(3) + (1 - amount) * np.full((3, 3), 1 / 3)
    matrix += rng.normal(0, 0.05, (3, 3))
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
