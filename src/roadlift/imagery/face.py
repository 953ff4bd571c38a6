"""What an open image and an open mosaic of images have in common: what they tell about themselves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from roadlift.imagery.georef import Georef
from roadlift.imagery.lost import Lost

if TYPE_CHECKING:
    from types import TracebackType


class Imagery:
    """Imagery opened for reading; use it as a context manager.

    Attributes:
        path: As given.
        shape: (rows, cols) of the working grid.
        georef: Georeference of the working grid; without CRS it maps to the image's own pixels, y down.
        ground_resolution_m: Metres per pixel of the working grid.
        native_shape: (rows, cols) of the file, or the first of several.
        native_georef: Georeference of that file.
        dtype: Type of the pixels.
        bands: Bands of that file read as red, green and blue, counted from 1.
        band_count: Bands of that file.
        colours: Colour interpretation of the bands that are read.
        warped: Whether pixels are resampled on the way.
    """

    path: str | Path
    shape: tuple[int, int]
    georef: Georef
    ground_resolution_m: float
    native_shape: tuple[int, int]
    native_georef: Georef
    dtype: np.dtype[Any]
    bands: tuple[int, int, int]
    band_count: int
    colours: tuple[str, ...]
    warped: bool

    @property
    def bands_named(self) -> bool:
        """Whether the file itself says which bands are red, green and blue."""
        return self.colours == ("red", "green", "blue")

    @property
    def lost(self) -> frozenset[Lost]:
        """What was found damaged so far and given as no data."""
        raise NotImplementedError

    @property
    def unreadable_pixels(self) -> int:
        """Pixels that were found damaged so far and given as no data."""
        return sum(one.height * one.width for one in self.lost)

    def take_up(self, lost: Iterable[Lost]) -> None:
        """Count what was found damaged earlier; it is not read again.

        Raises:
            InputError: More is lost than may be.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close the files."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
