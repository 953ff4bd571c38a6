"""How long a tile may take: a network that hangs on some pixels must not hang the work."""

from __future__ import annotations

from typing import Final

from roadlift.errors import ModelError

TILE_SECONDS: Final = 300.0
"""A road network takes a second for a tile of usual size on one core, some dozens in 32 bits on a busy machine."""


def hangs(shape: tuple[int, int]) -> ModelError:
    """Return the error of a network that does not finish a tile.

    Args:
        shape: (rows, cols) of the tile.

    Example:
        >>> hangs((1024, 1024))
        ModelError('the network did not finish a tile of 1024 x 1024 pixels within 300 s; ...
    """
    rows, cols = shape
    return ModelError(
        f"the network did not finish a tile of {rows} x {cols} pixels within {TILE_SECONDS:g} s; a road network takes "
        "about one. Smaller tiles (--tile-size) take less; if it is not that, the model hangs: use another."
    )
