"""Random fields that are nowhere flat: band-limited power-law noise, in metres rather than pixels."""

from __future__ import annotations

import numpy as np
from scipy import fft


def band_noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    ground_resolution_m: float,
    *,
    wavelengths_m: tuple[float, float],
    slope: float = 0.3,
    stretch: float = 1.0,
    angle: float = 0.0,
) -> np.ndarray:
    """Draw a Gaussian random field with all its energy between two wavelengths.

    Spectral synthesis: white complex noise shaped by ``frequency ** -slope`` and transformed back
    (Saupe, "Algorithms for random fractals", in The Science of Fractal Images, 1988).

    Args:
        rng: source of randomness.
        shape: rows, columns.
        ground_resolution_m: metres per pixel.
        wavelengths_m: shortest and longest wavelength.
        slope: 0 gives every octave the same energy, 1 favours the long waves, -1 is white.
        stretch: above 1 the grain is that many times longer along ``angle`` than across.
        angle: direction of the grain in radians, from the column axis towards the row axis.

    Returns:
        float32 (rows, cols), mean 0, standard deviation 1.

    Example:
        >>> field = band_noise(np.random.default_rng(1), (64, 96), 0.5, wavelengths_m=(2, 20))
        >>> field.shape, round(float(field.std()), 3)
        ((64, 96), 1.0)
    """
    rows, cols = (fft.next_fast_len(size, real=True) for size in shape)
    row_frequency = fft.fftfreq(rows, ground_resolution_m).astype(np.float32)[:, None]
    col_frequency = fft.rfftfreq(cols, ground_resolution_m).astype(np.float32)[None, :]
    along = (col_frequency * np.cos(angle) + row_frequency * np.sin(angle)) * np.float32(stretch)
    across = row_frequency * np.cos(angle) - col_frequency * np.sin(angle)
    frequency = np.hypot(along, across).astype(np.float32)
    shortest, longest = wavelengths_m
    longest = min(longest, ground_resolution_m * max(rows, cols))
    frequency[0, 0] = 1.0
    amplitude = frequency ** np.float32(-1.0 - slope)
    amplitude *= np.exp(-((frequency * np.float32(shortest * 0.7)) ** 4))
    amplitude *= 1 - np.exp(-((frequency * np.float32(longest)) ** 4))
    amplitude[0, 0] = 0.0
    white = rng.standard_normal((2, *frequency.shape), dtype=np.float32)
    spectrum = (white[0] + 1j * white[1]) * amplitude
    field = fft.irfft2(spectrum, s=(rows, cols))[: shape[0], : shape[1]]
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-6), dtype=np.float32)


def ramp(position: np.ndarray, colours: list[tuple[int, int, int]], *, spread: float = 1.6) -> np.ndarray:
    """Pick colours along a list, chosen by a field of about unit deviation.

    Args:
        position: float (rows, cols); ``-spread`` takes the first colour, ``+spread`` the last.
        colours: red, green, blue in 0..255.
        spread: half the width of the range.

    Returns:
        float32 (rows, cols, 3) in 0..1.

    Example:
        >>> ramp(np.array([[-2.0, 0.0, 2.0]]), [(0, 0, 0), (255, 255, 255)])[0, :, 0].round(1).tolist()
        [0.0, 0.5, 1.0]
    """
    steps = np.linspace(0, len(colours) - 1, 256)
    table = np.stack(
        [np.interp(steps, range(len(colours)), [colour[band] for colour in colours]) for band in range(3)],
        axis=1,
    ).astype(np.float32) / np.float32(255)
    index = np.clip((position / (2 * spread) + 0.5) * 255 + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(table[index])


def wander(
    rng: np.random.Generator, count: int, step_m: float, *, wavelengths_m: tuple[float, float]
) -> np.ndarray:
    """Draw a smooth random function of one variable: float64 (count,), mean 0, about unit deviation.

    Example:
        >>> wander(np.random.default_rng(0), 50, 10.0, wavelengths_m=(100, 400)).shape
        (50,)
    """
    position = np.arange(count) * step_m
    shortest, longest = wavelengths_m
    total = np.zeros(count)
    for _ in range(6):
        wavelength = np.exp(rng.uniform(np.log(shortest), np.log(longest)))
        total += np.sin(2 * np.pi * (position / wavelength + rng.random())) * (wavelength / longest) ** 0.7
    return np.asarray(total / np.sqrt(3))
