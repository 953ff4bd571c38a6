"""Which bands are red, green and blue, and whether their pixels can be used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp

from roadlift.errors import InputError, UsageError
from roadlift.imagery.opening import is_alpha


def choose_bands(
    dataset: rasterio.DatasetReader, bands: Sequence[int] | None, path: str | Path
) -> tuple[int, int, int]:
    """Choose red, green and blue: as given, else by colour interpretation, else the first three, else grey thrice.

    Raises:
        UsageError: A band that was asked for does not exist, or the count is neither 1 nor 3.
    """
    if bands is not None:
        if len(bands) not in (1, 3) or not all(1 <= band <= dataset.count for band in bands):
            raise UsageError(
                f"--bands {','.join(map(str, bands))} does not fit {path}: give 3 bands, or 1 for grey, "
                f"from 1 to {dataset.count}."
            )
        first, second, third = bands if len(bands) == 3 else (*bands, *bands, *bands)
        return first, second, third
    places = {
        colour: band
        for band, colour in reversed(list(zip(dataset.indexes, dataset.colorinterp, strict=True)))
    }
    wanted = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(colour in places for colour in wanted):
        return places[wanted[0]], places[wanted[1]], places[wanted[2]]
    pictures = [band for band in dataset.indexes if not is_alpha(dataset, band)]
    if not pictures:
        raise InputError(f"{path} holds only an alpha band; there is no image in it.")
    return (pictures[0], pictures[1], pictures[2]) if len(pictures) >= 3 else (pictures[0],) * 3


def pixel_type(dataset: rasterio.DatasetReader, bands: tuple[int, ...], path: str | Path) -> np.dtype[Any]:
    """Return the one type of the bands.

    Raises:
        InputError: They differ, or are complex, of 1 bit, or in a printer's colours.
    """
    dtypes = sorted({dataset.dtypes[band - 1] for band in bands})
    dtype = dtypes[0]
    if len(dtypes) > 1:
        raise InputError(f"{path} mixes {' and '.join(dtypes)} bands; give three of one type with --bands.")
    if "complex" in dtype:
        raise InputError(f"{path} has {dtype} pixels; real numbers are needed. Take the amplitude first.")
    bits = dataset.tags(bands[0], ns="IMAGE_STRUCTURE").get("NBITS")
    if bits == "1":
        raise InputError(f"{path} has 1-bit pixels: that is a mask, not an image.")
    if (
        dataset.tags(ns="IMAGE_STRUCTURE").get("SOURCE_COLOR_SPACE") == "CMYK"
        or ColorInterp.cyan in dataset.colorinterp
    ):
        raise InputError(f"{path} is a CMYK image; convert it to RGB first.")
    kind: np.dtype[Any] = np.dtype(dtype)
    return kind


def palette_of(dataset: rasterio.DatasetReader, bands: tuple[int, ...]) -> np.ndarray | None:
    """Return the colours (values, 4: red, green, blue, opacity) of a paletted band, or None."""
    if dataset.colorinterp[bands[0] - 1] != ColorInterp.palette:
        return None
    dtype = dataset.dtypes[bands[0] - 1]
    if dtype not in ("uint8", "uint16"):
        raise InputError(f"{dataset.name} has a palette for {dtype} pixels; uint8 and uint16 may have one.")
    table = np.zeros((np.iinfo(dtype).max + 1, 4), np.uint8)
    for index, colour in dataset.colormap(bands[0]).items():
        table[index] = np.clip(colour, 0, 255)
    return table
