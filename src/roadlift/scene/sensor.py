"""From light to pixel values: optics, haze, colour cast, sharpening, noise, compression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage


@dataclass(frozen=True)
class Camera:
    """How a camera and its processing change the picture; every field is drawn per scene by ``draw``."""

    blur_px: float
    sharpen: float
    haze: float
    gain: tuple[float, float, float]
    gamma: float
    contrast: float
    saturation: float
    noise: float
    quality: int | None

    @classmethod
    def draw(cls, rng: np.random.Generator, *, quality: int | None = None) -> Camera:
        """Draw a plausible camera; ``quality`` 1..100 adds the blocks of lossy compression."""
        cast = rng.normal(0, 0.03, 3) + np.array([0.0, 0.005, -0.035])
        return cls(
            blur_px=float(rng.uniform(0.35, 0.7)),
            sharpen=float(rng.uniform(0.2, 0.9)),
            haze=float(rng.choice([0.0, 0.0, 0.02, 0.05])),
            gain=(1 + float(cast[0]), 1 + float(cast[1]), 1 + float(cast[2])),
            gamma=float(rng.uniform(0.95, 1.25)),
            contrast=float(rng.uniform(1.02, 1.35)),
            saturation=float(rng.uniform(0.6, 1.0)),
            noise=float(rng.uniform(0.006, 0.018)),
            quality=quality,
        )


def expose(rng: np.random.Generator, radiance: np.ndarray, camera: Camera) -> np.ndarray:
    """Turn light (rows, cols, 3) in about 0..1 into uint8 pixel values.

    Example:
        >>> grey = np.full((16, 16, 3), 0.5, np.float32)
        >>> expose(np.random.default_rng(0), grey, Camera.draw(np.random.default_rng(1))).dtype
        dtype('uint8')
    """
    seen = ndimage.gaussian_filter(radiance, (camera.blur_px, camera.blur_px, 0))
    if camera.sharpen:
        seen += camera.sharpen * (seen - ndimage.gaussian_filter(seen, (1.1, 1.1, 0)))
    seen = np.clip(seen, 0, 1.3) ** np.float32(camera.gamma)
    seen = (seen - 0.3) * np.float32(camera.contrast) + np.float32(0.3)
    luminance = seen @ np.array((0.3, 0.59, 0.11), np.float32)
    seen = luminance[..., None] + (seen - luminance[..., None]) * np.float32(camera.saturation)
    seen = seen * np.array(camera.gain, np.float32)
    seen += np.float32(camera.haze) * (np.array((0.62, 0.68, 0.74), np.float32) - seen)
    shared = rng.standard_normal(seen.shape[:2], dtype=np.float32)[..., None]
    own = rng.standard_normal(seen.shape, dtype=np.float32)
    seen += (
        np.float32(camera.noise)
        * (np.float32(0.8) * shared + np.float32(0.5) * own)
        * (0.6 + np.clip(seen, 0, 1))
    )
    values = 255 * _shoulder(seen)
    if camera.quality is not None:
        values = compress(values, camera.quality)
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


def _shoulder(values: np.ndarray) -> np.ndarray:
    """Let highlights run softly into white instead of cutting them off."""
    over = np.maximum(values - np.float32(0.8), 0)
    return np.asarray(np.minimum(values, np.float32(0.8)) + np.float32(0.2) * np.tanh(over / np.float32(0.2)))


def compress(values: np.ndarray, quality: int) -> np.ndarray:
    """Quantise the cosine coefficients of 8 x 8 blocks as lossy image formats do; shape and range stay.

    A step that grows with frequency stands for the standard's tables (ITU-T T.81, annex K).
    """
    rows, cols, bands = values.shape
    padded = np.pad(values, ((0, -rows % 8), (0, -cols % 8), (0, 0)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // 8, 8, padded.shape[1] // 8, 8, bands)
    frequency = np.add.outer(np.arange(8), np.arange(8)).astype(np.float32)
    scale = (100 - min(max(quality, 1), 100)) / 50 if quality >= 50 else 50 / max(quality, 1)
    step = np.maximum((10 + 7 * frequency) * np.float32(scale), 1)[None, :, None, :, None]
    coefficients = fft.dctn(blocks, axes=(1, 3), norm="ortho")
    restored = fft.idctn(np.rint(coefficients / step) * step, axes=(1, 3), norm="ortho")
    return np.asarray(restored.reshape(padded.shape)[:rows, :cols])
