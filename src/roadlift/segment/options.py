"""How an image is cut, scaled and put together; and the grid of tiles that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from roadlift.errors import UsageError
from roadlift.imagery import Grid
from roadlift.segment.blend import BLENDS

if TYPE_CHECKING:
    from roadlift.model import ModelCard

STRETCHES: Final = ("percentile", "none")
DEFAULT_TILE: Final = 1536


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """How an image is cut, scaled and put together.

    Attributes:
        tile_size: Largest side of a tile's core in pixels, rounded up to a multiple of the model's stride; the tiles
            share the raster evenly.
        halo: Margin read around each core in pixels, rounded up likewise; None is the model card's.
        exact: Take the card's exact halo: the result no longer depends on the tiling.
        blend: ``none`` (halo and crop), ``linear`` or ``hann`` (neighbouring tiles fade into each other).
        overlap: Pixels that neighbouring tiles share when blending; None is a quarter of the tile.
        batch_size: Tiles handed to the network at once; it never changes the result.
        stretch: ``percentile`` or ``none``; None is the model card's.

    Raises:
        UsageError: When a value is not allowed, or two contradict each other.

    Example:
        >>> PredictOptions(blend="cosine")
        Traceback (most recent call last):
        roadlift.errors.UsageError: blend is 'cosine'; allowed: none, linear, hann
    """

    tile_size: int = DEFAULT_TILE
    halo: int | None = None
    exact: bool = False
    blend: str = "none"
    overlap: int | None = None
    batch_size: int = 1
    stretch: str | None = None

    def __post_init__(self) -> None:
        _check_range("tile_size", self.tile_size, 1, 16384, "px")
        _check_range("halo", self.halo, 0, 8192, "px")
        _check_range("overlap", self.overlap, 0, 16384, "px")
        _check_range("batch_size", self.batch_size, 1, 256, "tiles")
        _check_choice("blend", self.blend, BLENDS)
        if self.stretch is not None:
            _check_choice("stretch", self.stretch, STRETCHES)
        if self.exact and (self.halo is not None or self.blend != "none"):
            raise UsageError(
                "exact takes the halo from the model card and does not blend; leave out halo and blend"
            )
        if self.blend == "none" and self.overlap is not None:
            raise UsageError(
                "overlap belongs to blend linear or hann; with blend none the margin is called halo"
            )
        if self.blend != "none" and self.halo is not None:
            raise UsageError(f"halo belongs to blend none; with blend {self.blend} give overlap")
        if self.overlap is not None and self.overlap > self.tile_size:
            raise UsageError(
                f"overlap is {self.overlap} px; at most the tile size, {self.tile_size} px, is allowed"
            )


def tile_grid(shape: tuple[int, int], card: ModelCard, options: PredictOptions) -> Grid:
    """Lay the grid of tiles over a raster: what is read, run and written, one after the other.

    When blending, the halo is half the overlap: whole tiles of the neighbours then share the overlap.

    Args:
        shape: Rows and columns of the raster.
        card: The model's card; all sizes are rounded up to its stride.
        options: Largest tile size, halo, blend.

    Raises:
        UsageError: When the overlap is larger than the tile.
    """
    largest = _round_up(options.tile_size, card.stride)
    if options.blend == "none":
        halo = card.exact_halo if options.exact else card.halo if options.halo is None else options.halo
    else:
        core = min(Grid.lay(shape, largest, halo=0, multiple=card.stride).core)
        overlap = core // 4 if options.overlap is None else options.overlap
        halo = min((overlap + 1) // 2, core // 2 // card.stride * card.stride)
    return Grid.lay(shape, largest, halo=_round_up(halo, card.stride), multiple=card.stride)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _check_range(name: str, value: int | None, lowest: int, highest: int, unit: str) -> None:
    if value is not None and not lowest <= value <= highest:
        raise UsageError(f"{name} is {value}; allowed: {lowest} to {highest} {unit}")


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")
