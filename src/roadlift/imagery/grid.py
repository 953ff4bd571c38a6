"""Windows, tiles and grids: pure integer arithmetic, row before column, no input or output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from roadlift.errors import UsageError


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels; it may stick out of the raster.

    Example:
        >>> Window(0, 0, 4, 6).pad(1)
        Window(row=-1, col=-1, height=6, width=8)
    """

    row: int
    col: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.height, self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in an array of the whole raster."""
        return slice(self.row, self.row + self.height), slice(self.col, self.col + self.width)

    def pad(self, pixels: int) -> Window:
        """Return the window grown by ``pixels`` on every side."""
        return Window(self.row - pixels, self.col - pixels, self.height + 2 * pixels, self.width + 2 * pixels)

    def shift(self, rows: int, cols: int) -> Window:
        """Return the window moved."""
        return Window(self.row + rows, self.col + cols, self.height, self.width)

    def intersect(self, other: Window) -> Window:
        """Return the common part; its height or width is 0 where there is none."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        bottom = min(self.row + self.height, other.row + other.height)
        right = min(self.col + self.width, other.col + other.width)
        return Window(row, col, max(bottom - row, 0), max(right - col, 0))

    def clip(self, shape: tuple[int, int]) -> Window:
        """Return the part inside a raster of ``shape`` (rows, cols)."""
        return self.intersect(Window(0, 0, *shape))


@dataclass(frozen=True)
class Tile:
    """A part of the raster: ``core`` is written, ``read`` = core and halo is what the network sees."""

    index: int
    core: Window
    read: Window


@dataclass(frozen=True)
class Grid:
    """A partition of a raster into tiles whose reads all have one shape.

    Origins are multiples of ``core`` from the raster's origin: they depend on nothing but the raster.

    Attributes:
        shape: (rows, cols) of the raster.
        core: (rows, cols) of a tile's core, multiples of ``multiple``.
        halo: Margin around it in pixels, a multiple of ``multiple``.
        multiple: What the network's input must be a multiple of.

    Raises:
        UsageError: A size is not positive or not a multiple.

    Example:
        >>> len(Grid((100, 200), core=(64, 96), halo=32))
        6
    """

    shape: tuple[int, int]
    core: tuple[int, int]
    halo: int
    multiple: int = 32

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise UsageError(f"The raster has shape {self.shape}; both sides must be at least 1 pixel.")
        if min(self.core) < 1 or any(side % self.multiple for side in self.core):
            raise UsageError(
                f"The tile size is {self.core}; both sides must be positive multiples of {self.multiple}."
            )
        if self.halo < 0 or self.halo % self.multiple:
            raise UsageError(
                f"The halo is {self.halo}; it must be 0 or a positive multiple of {self.multiple}."
            )

    @classmethod
    def lay(cls, shape: tuple[int, int], largest: int, *, halo: int, multiple: int = 32) -> Grid:
        """Lay tiles with cores of at most ``largest`` pixels a side, as few as possible and then as small as possible.

        Tiles at the lower and right border stick out of the raster by less than ``multiple`` pixels a tile, so hardly a
        pixel is computed in vain.

        Example:
            >>> Grid.lay((4500, 6000), 1024, halo=64).core
            (928, 1024)
        """
        counts = [-(-extent // largest) for extent in shape]
        rows, cols = (
            -(-extent // (count * multiple)) * multiple for extent, count in zip(shape, counts, strict=True)
        )
        return cls(shape, (rows, cols), halo, multiple)

    @property
    def tiles_down(self) -> int:
        """Number of tile rows."""
        return -(-self.shape[0] // self.core[0])

    @property
    def tiles_across(self) -> int:
        """Number of tile columns."""
        return -(-self.shape[1] // self.core[1])

    @property
    def read_shape(self) -> tuple[int, int]:
        """(rows, cols) of every tile's read window."""
        return self.core[0] + 2 * self.halo, self.core[1] + 2 * self.halo

    def __len__(self) -> int:
        return self.tiles_down * self.tiles_across

    def __iter__(self) -> Iterator[Tile]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Tile:
        if not 0 <= index < len(self):
            raise IndexError(index)
        row, col = divmod(index, self.tiles_across)
        full = Window(row * self.core[0], col * self.core[1], *self.core)
        return Tile(index, full.clip(self.shape), full.pad(self.halo))
