"""Joins overlapping tiles: windows that fall towards the rim, and their exact accumulation.

Two neighbouring tapered windows add up to a constant in the overlap, so that a constant field stays
constant. Weights are integers: sums do not depend on the order in which tiles come.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from roadlift.errors import UsageError
from roadlift.imagery import Window, tiles_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.imagery import Grid, Tile, TileStore

BLENDS: Final = ("none", "linear", "hann")
PATCH_WEIGHTS: Final = ("uniform", "linear", "hann")
FULL_WEIGHT: Final = 256
"""Weight along one axis outside all overlaps; the product of both axes and 254 fits into uint32."""
_NO_DATA: Final = 255


def taper(length: int, overlap: int, blend: str) -> NDArray[np.uint32]:
    """Weights along one axis of a tile whose ends overlap its neighbours by ``overlap`` pixels.

    With ``t`` the position inside the overlap, 0 < t < 1: linear weight ``t``, Hann weight ``sin^2(pi t /
    2)`` (Harris 1978, "On the use of windows", eq. 27). Rising and falling end are complementary: they add
    up to ``FULL_WEIGHT``.

    Args:
        length: Pixels of the tile along the axis; at least twice the overlap.
        overlap: Pixels shared with each neighbour.
        blend: ``linear`` or ``hann``.

    Returns:
        uint32 (length,), 1..256.

    Raises:
        UsageError: When the blend is unknown or the overlap does not fit the length.

    Example:
        >>> taper(8, 3, "linear").tolist()
        [43, 128, 213, 256, 256, 213, 128, 43]
    """
    if blend not in ("linear", "hann"):
        raise UsageError(f"blend is {blend!r}; allowed for tapered windows: linear, hann")
    if not 0 <= 2 * overlap <= length:
        raise UsageError(
            f"overlap is {overlap} px; 0 to {length // 2} px are allowed for tiles of {length} px"
        )
    position = (np.arange(overlap) + 0.5) / max(overlap, 1)
    rising = position if blend == "linear" else np.sin(np.pi / 2 * position) ** 2
    weights = np.full(length, FULL_WEIGHT, np.uint32)
    ramp = np.rint(rising * FULL_WEIGHT).clip(1, FULL_WEIGHT - 1).astype(np.uint32)
    # Half of the ramp is computed, the other half is its complement, so that rounding cannot break the sum.
    half = overlap // 2
    ramp[overlap - half :] = FULL_WEIGHT - ramp[:half][::-1]
    if overlap % 2:
        ramp[half] = FULL_WEIGHT // 2
    weights[:overlap] = ramp
    weights[length - overlap :] = ramp[::-1]
    return weights


def patch_window(patch: tuple[int, ...], counts: tuple[int, ...], weights: str) -> NDArray[np.float64]:
    """Weights of one patch for the weighted mean of overlapping patches, positive everywhere.

    Args:
        patch: Size of the patch along each axis.
        counts: Number of patches along each axis; an axis with one patch is not weighted.
        weights: One of ``PATCH_WEIGHTS``.

    Returns:
        float64 array of shape ``patch``.

    Example:
        >>> patch_window((4,), (2,), "linear").tolist()
        [0.25, 0.75, 0.75, 0.25]
    """
    window = np.ones(patch)
    for axis, (size, count) in enumerate(zip(patch, counts, strict=True)):
        if count > 1 and weights != "uniform":
            position = (np.arange(size) + 0.5) / size
            line = 1 - np.abs(2 * position - 1) if weights == "linear" else np.sin(np.pi * position) ** 2
            window *= line.reshape([-1 if other == axis else 1 for other in range(len(patch))])
    return window


class SeamBlender:
    """Blends tiles that come in grid order and hands out each part as soon as no tile can change it any more.

    A tile is the whole read window of the grid: neighbours overlap by twice the grid's halo. What is kept
    between two tiles is the seam to the right and the seam below: ``overlap x raster width`` numbers, never
    the image.

    Args:
        grid: The grid whose tiles will come.
        blend: ``linear`` or ``hann``.
    """

    def __init__(self, grid: Grid, blend: str) -> None:
        self._grid = grid
        rows, cols = grid[len(grid) - 1].read.shape
        self._overlap = 2 * grid.halo
        self._last = (grid[len(grid) - 1].core.row, grid[len(grid) - 1].core.col)
        self._row_taper = taper(rows, self._overlap, blend)
        self._col_taper = taper(cols, self._overlap, blend)
        self._weights = self._row_taper[:, None] * self._col_taper
        self._below = np.zeros((self._overlap, self._last[1] + cols), np.uint32)
        self._right = np.zeros((rows, self._overlap), np.uint32)

    def add(self, tile: Tile, probability: NDArray[np.uint8]) -> tuple[int, int, NDArray[np.uint8]]:
        """Add one tile and take what has become final.

        Args:
            tile: The next tile of the grid, in order.
            probability: uint8 0..254 of its read window.

        Returns:
            Row and column of the raster at which the final part begins (they may be negative: mirrored rim),
            and the part.
        """
        first_row, first_col = tile.core.row == 0, tile.core.col == 0
        last_row, last_col = tile.core.row == self._last[0], tile.core.col == self._last[1]
        rows, cols = probability.shape
        overlap, column = self._overlap, tile.core.col
        block = probability * self._weights
        if not first_col:
            block[:, :overlap] += self._right
        if not first_row:
            known = 0 if first_col else overlap
            block[:overlap, known:] += self._below[:, column + known : column + cols]
        height = rows if last_row else rows - overlap
        width = cols if last_col else cols - overlap
        self._right = block[:, cols - overlap :].copy()
        self._below[:, column : column + width] = block[rows - overlap :, :width]
        row_total = _total(self._row_taper, overlap, first=first_row, last=last_row)[:height]
        col_total = _total(self._col_taper, overlap, first=first_col, last=last_col)[:width]
        total = row_total[:, None] * col_total
        final = (2 * block[:height, :width] + total) // (2 * total)
        return tile.read.row, tile.read.col, final.astype(np.uint8)


@dataclass(frozen=True)
class BlendedTiles:
    """Tiles that were stored with their margins, read as one raster in which they fade into each other.

    The values are those of :class:`SeamBlender`, in any order and for any window.

    Attributes:
        store: Finished tiles, kept as whole read windows.
        blend: ``linear`` or ``hann``.
    """

    store: TileStore
    blend: str

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.store.shape

    @cached_property
    def _tapers(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        grid = self.store.grid
        rows, cols = (taper(side, 2 * grid.halo, self.blend) for side in grid.read_shape)
        return rows, cols

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Return the blended pixels of a window inside the raster; 255 where no tile has data."""
        total, weight = np.zeros(window.shape, np.uint32), np.zeros(window.shape, np.uint32)
        for tile in tiles_in(self.store.grid, window.pad(self.store.grid.halo).clip(self.shape)):
            kept, (row_taper, col_taper) = self.store.kept(tile), self._tapers
            part = kept.intersect(window)
            if part.height and part.width:
                values = self.store.read_tile(tile)[part.shift(-kept.row, -kept.col).slices]
                rows, cols = part.shift(-tile.read.row, -tile.read.col).slices
                shares = (row_taper[rows, None] * col_taper[cols]) * (values != _NO_DATA)
                place = part.shift(-window.row, -window.col).slices
                total[place] += shares * values
                weight[place] += shares
        found = (2 * total + weight) // np.maximum(2 * weight, 1)
        return np.where(weight > 0, found, _NO_DATA).astype(np.uint8)


def _total(weights: NDArray[np.uint32], overlap: int, *, first: bool, last: bool) -> NDArray[np.uint32]:
    """Sum of the weights of all tiles along one axis over one tile's pixels."""
    total = np.full_like(weights, FULL_WEIGHT)
    if first:
        total[:overlap] = weights[:overlap]
    if last:
        total[len(total) - overlap :] = weights[len(weights) - overlap :]
    return total
