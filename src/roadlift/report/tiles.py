"""A picture as a pyramid of small WebP tiles, so that a browser shows only what is looked at, as sharp as it needs."""

from __future__ import annotations

import base64
import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILE_PX = 512
_EFFORT = 1


@dataclass(frozen=True)
class Pyramid:
    """Tiles of a picture at full size, half, a quarter, ...

    Attributes:
        finest: How often the picture was halved for the finest level that is there; 0 is full size.
        coarsest: The same of the coarsest level.
        tiles: WebP files by level, row, column; tiles in which there is nothing to see are left out.
    """

    finest: int
    coarsest: int
    tiles: dict[tuple[int, int, int], bytes]

    @property
    def size(self) -> int:
        """Bytes of all tiles."""
        return sum(len(tile) for tile in self.tiles.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the pyramid as values for JSON: tiles in base64 under ``level/row/column``."""
        coded = {
            "/".join(map(str, at)): base64.b64encode(tile).decode("ascii") for at, tile in self.tiles.items()
        }
        return {"finest": self.finest, "coarsest": self.coarsest, "tiles": coded}


def pyramid(picture: NDArray[np.uint8], *, quality: int, budget: int) -> Pyramid:
    """Cut a picture into tiles at all sizes; the finest sizes are left out where they would not fit the budget.

    Args:
        picture: uint8 (rows, cols, 4), red, green, blue, opacity.
        quality: Of WebP, 1..100.
        budget: Bytes of all tiles at most; the coarsest size is always there.

    Example:
        >>> whole = pyramid(np.full((600, 1100, 4), 200, np.uint8), quality=50, budget=10**6)
        >>> whole.finest, whole.coarsest, len(whole.tiles)
        (0, 2, 9)
    """
    levels = [picture]
    while max(levels[-1].shape[:2]) > TILE_PX:
        levels.append(_halved(levels[-1]))
    tiles: dict[tuple[int, int, int], bytes] = {}
    finest = len(levels) - 1
    for number in reversed(range(len(levels))):
        level = {(number, *at): tile for at, tile in _tiles(levels[number], quality).items()}
        if tiles and sum(map(len, (*tiles.values(), *level.values()))) > budget:
            break
        tiles |= level
        finest = number
    return Pyramid(finest, len(levels) - 1, tiles)


def _halved(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average blocks of two by two pixels, colours by their opacity; odd sizes are filled up with nothing."""
    rows, cols = picture.shape[:2]
    even = np.pad(picture, ((0, rows % 2), (0, cols % 2), (0, 0))) if rows % 2 or cols % 2 else picture
    halved = np.empty((even.shape[0] // 2, even.shape[1] // 2, 4), np.uint8)
    for top in range(0, len(halved), TILE_PX):
        strip = even[2 * top : 2 * (top + TILE_PX)]
        opaque = bool((strip[..., 3] == 255).all())
        halved[top : top + TILE_PX] = _mean(strip) if opaque else _mean_by_opacity(strip)
    return halved


def _mean(strip: NDArray[np.uint8]) -> NDArray[np.uint8]:
    parts = [strip[row::2, col::2].astype(np.uint16) for row in (0, 1) for col in (0, 1)]
    return ((parts[0] + parts[1] + parts[2] + parts[3] + 2) >> 2).astype(np.uint8)


def _mean_by_opacity(strip: NDArray[np.uint8]) -> NDArray[np.uint8]:
    wide = strip.astype(np.uint32)
    wide[..., :3] *= wide[..., 3:]
    sums = wide[::2, ::2] + wide[1::2, ::2] + wide[::2, 1::2] + wide[1::2, 1::2]
    opacity = sums[..., 3:]
    colour = (sums[..., :3] + opacity // 2) // np.maximum(opacity, 1)
    return np.concatenate([colour, (opacity + 2) // 4], axis=2).astype(np.uint8)


def _tiles(picture: NDArray[np.uint8], quality: int) -> dict[tuple[int, int], bytes]:
    rows, cols = (-(-size // TILE_PX) for size in picture.shape[:2])
    places = [(row, col) for row in range(rows) for col in range(cols)]

    def encoded(place: tuple[int, int]) -> bytes | None:
        row, col = (at * TILE_PX for at in place)
        return _encoded(picture[row : row + TILE_PX, col : col + TILE_PX], quality)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = zip(places, pool.map(encoded, places), strict=True)
        return {place: tile for place, tile in found if tile is not None}


def _encoded(tile: NDArray[np.uint8], quality: int) -> bytes | None:
    """Return a full tile as WebP, or None where nothing can be seen in it."""
    if not tile[..., 3].any():
        return None
    rows, cols = tile.shape[:2]
    full = np.pad(tile, ((0, TILE_PX - rows), (0, TILE_PX - cols), (0, 0)))
    image = Image.fromarray(full if (full[..., 3] < 255).any() else np.ascontiguousarray(full[..., :3]))
    file = io.BytesIO()
    image.save(file, "WEBP", quality=quality, method=_EFFORT, alpha_quality=min(100, quality + 20))
    return file.getvalue()
