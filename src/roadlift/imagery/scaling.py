"""Radiometry: native pixel values to the 0..255 that the network sees, by one range per channel and image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roadlift.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    UInt8 = NDArray[np.uint8]

FILL = 127
_TABLE_TYPES = ("uint8", "uint16", "int16", "int8")


@dataclass(frozen=True)
class Pixels:
    """A window of an image.

    Attributes:
        values: (3, rows, cols) in the image's own type: red, green, blue.
        valid: bool (rows, cols): where there is an image.
    """

    values: NDArray[Any]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Stretch:
    """A range per channel that becomes 0..255; what lies outside is clipped.

    Fitted once per image and never per tile, so that neighbouring tiles agree.

    Attributes:
        low: Value of each channel that becomes 0.
        high: Value of each channel that becomes 255.
        fill: Value (0..255) that pixels without data hold.

    Example:
        >>> pixels = Pixels(np.array([[[0, 60, 100]]] * 3, np.uint16), np.ones((1, 3), bool))
        >>> Stretch((0.0,) * 3, (100.0,) * 3).apply(pixels)[0, :, 0].tolist()
        [0, 153, 255]
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    fill: int = FILL

    @classmethod
    def fit(
        cls, pixels: Pixels, *, low_percent: float = 1.0, high_percent: float = 99.0, fill: int = FILL
    ) -> Stretch:
        """Fit the range of each channel to percentiles of the valid pixels.

        Args:
            pixels: A sample of the image, see :meth:`roadlift.imagery.ImagerySource.sample`.
            low_percent: Percentile that becomes 0.
            high_percent: Percentile that becomes 255.
            fill: Value that pixels without data hold.

        Returns:
            The stretch; where nothing is valid the range of the type.

        Raises:
            UsageError: The percentiles are not ``0 <= low < high <= 100``.
        """
        if not 0 <= low_percent < high_percent <= 100:
            raise UsageError(
                f"The percentiles are {low_percent} and {high_percent}; needed: 0 <= low < high <= 100."
            )
        if not pixels.valid.any():
            return cls.none(pixels.values.dtype, fill=fill)
        ranges = [
            np.percentile(channel[pixels.valid], (low_percent, high_percent)) for channel in pixels.values
        ]
        return cls(tuple(float(low) for low, _ in ranges), tuple(float(high) for _, high in ranges), fill)

    @classmethod
    def none(cls, dtype: Any, *, fill: int = FILL) -> Stretch:
        """Take the whole range of an integer type, or 0..1 of a float type; uint8 stays as it is."""
        dtype = np.dtype(dtype)
        if dtype.kind == "f":
            return cls((0.0,) * 3, (1.0,) * 3, fill)
        limits = np.iinfo(dtype)
        return cls((float(limits.min),) * 3, (float(limits.max),) * 3, fill)

    def apply(self, pixels: Pixels) -> UInt8:
        """Return uint8 (rows, cols, 3) with the range of each channel stretched over 0..255.

        A channel without range (low == high) becomes 0 below it, 255 above and ``fill`` on it.
        """
        rows, cols = pixels.valid.shape
        scaled = np.empty((rows, cols, 3), np.uint8)
        for channel in range(3):
            scaled[..., channel] = self._channel(pixels.values[channel], channel)
        if not pixels.valid.all():
            scaled[~pixels.valid] = self.fill
        return scaled

    def _channel(self, values: NDArray[Any], channel: int) -> UInt8:
        if values.dtype.name not in _TABLE_TYPES:
            return self._scale(values, channel)
        limits = np.iinfo(values.dtype)
        table = self._scale(np.arange(limits.min, limits.max + 1), channel)
        index = values if limits.min == 0 else values.astype(np.int32) - limits.min
        return np.take(table, index)

    def _scale(self, values: NDArray[Any], channel: int) -> UInt8:
        low, high = self.low[channel], self.high[channel]
        number: NDArray[Any] = values.astype(np.float32 if _fits_single(values.dtype) else np.float64)
        if high <= low:
            return np.select([number < low, number > high], [0, 255], self.fill).astype(np.uint8)
        with np.errstate(over="ignore", invalid="ignore"):
            number -= low
            number *= 255 / (high - low)
        np.nan_to_num(number, copy=False, nan=self.fill)
        np.clip(number, 0, 255, out=number)
        scaled: UInt8 = np.rint(number).astype(np.uint8)
        return scaled


def _fits_single(dtype: np.dtype[Any]) -> bool:
    """Whether 32-bit floats hold every value of the type exactly."""
    return dtype.itemsize <= (4 if dtype.kind == "f" else 2)
