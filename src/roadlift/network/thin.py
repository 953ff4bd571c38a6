"""Thin a mask to its skeleton, in a bounded number of rounds: each pixel depends on its surroundings only.

The parallel algorithm of Guo and Hall (1989, A1) looks at a pixel's eight neighbours in every half round, and
keeps every area and every hole. Stopped after ``rounds`` of them, what becomes of a pixel is known from the
pixels within ``halo(rounds)``, so that strips with such a margin give the skeleton of the whole raster, pixel
for pixel. Only pixels beside one that was just taken away are looked at again, which makes the work that of
the contours, not of the raster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

OUTLINE_ROUNDS = 4
CLOCKWISE = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""Neighbours from north."""


def halo(rounds: int) -> int:
    """Pixels around a strip on which its skeleton after ``rounds`` depends."""
    return 2 * (rounds + OUTLINE_ROUNDS) + 1


def thin(mask: Booleans, *, rounds: int) -> Booleans:
    """Take the contour off a mask until lines one pixel wide are left, at most ``rounds`` times.

    A road up to ``2 * rounds`` pixels wide becomes a line along its middle. Of a wider area a core is left;
    no line in it is meaningful, and its outline takes its place, so that the roads at it stay connected.

    Args:
        mask: (rows, cols) bool; outside of it nothing is set.
        rounds: each takes one pixel off every side.

    Returns:
        (rows, cols) bool.

    Example:
        >>> mask = np.zeros((5, 12), bool); mask[1:4, 1:11] = True
        >>> thin(mask, rounds=3).sum(axis=0).tolist()
        [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]
    """
    rows, cols = mask.shape
    framed = np.zeros((rows + 2, cols + 2), dtype=np.uint8)
    framed[1:-1, 1:-1] = mask
    if _peel(framed, rounds):
        _hollow(framed)
        _peel(framed, OUTLINE_ROUNDS)
    skeleton: Booleans = framed.view(np.bool_)[1:-1, 1:-1]
    return skeleton


def _removable() -> tuple[Booleans, Booleans]:
    """List for both half rounds whether a pixel with given neighbours (bit i: ``CLOCKWISE[i]``) goes, (256,) each."""
    north, northeast, east, southeast, south, southwest, west, northwest = (
        (np.arange(256) >> bit) & 1 for bit in range(8)
    )
    crossings = (1 - north) & (northeast | east)
    crossings = crossings + ((1 - east) & (southeast | south)) + ((1 - south) & (southwest | west))
    crossings = crossings + ((1 - west) & (northwest | north))
    one = (northwest | north) + (northeast | east) + (southeast | south) + (southwest | west)
    other = (north | northeast) + (east | southeast) + (south | southwest) + (west | northwest)
    fewest = np.minimum(one, other)
    simple = (crossings == 1) & (fewest >= 2) & (fewest <= 3)
    first = simple & (((north | northeast | (1 - southeast)) & east) == 0)
    second = simple & (((south | southwest | (1 - northwest)) & west) == 0)
    return first, second


REMOVABLE = _removable()


def _peel(framed: NDArray[np.uint8], rounds: int) -> bool:
    """Thin in place; return whether the last round still took pixels away."""
    flat, width = framed.reshape(-1), framed.shape[1]
    steps = [down * width + across for down, across in CLOCKWISE]
    scratch = np.empty(len(flat), dtype=np.int32)
    fresh = before = _contour(flat, width)
    going = True
    for half in range(2 * rounds):
        candidates = _distinct(_set_ones(flat, np.concatenate([fresh, before])), scratch)
        code = np.zeros(len(candidates), dtype=np.uint8)
        for bit, step in enumerate(steps):
            code |= flat.take(candidates + step) << bit
        gone = candidates[REMOVABLE[half % 2].take(code)]
        flat[gone] = 0
        before = fresh
        fresh = _distinct(np.concatenate([_set_ones(flat, gone + step) for step in steps]), scratch)
        went, going = going, len(gone) > 0
        if not went and not going:
            return False
    return went or going


def _contour(flat: NDArray[np.uint8], width: int) -> Integers:
    """Set pixels with an unset direct neighbour, as flat indices: no others can go."""
    here = flat[width:-width]
    inner = here & flat[: -2 * width] & flat[2 * width :]
    inner &= flat[width - 1 : -width - 1]
    inner &= flat[width + 1 : len(flat) - width + 1]
    contour: Integers = np.flatnonzero(here > inner) + width
    return contour


def _set_ones(flat: NDArray[np.uint8], places: Integers) -> Integers:
    """Those of some places whose pixel is set."""
    chosen: Integers = places[flat.take(places).view(np.bool_)]
    return chosen


def _distinct(items: Integers, scratch: NDArray[np.int32]) -> Integers:
    """Each index once: the one whose place in the list was written last stays."""
    place = np.arange(len(items), dtype=np.int32)
    scratch[items] = place
    distinct: Integers = items[scratch[items] == place]
    return distinct


def _hollow(framed: NDArray[np.uint8]) -> None:
    """Unset, in place, the pixels whose eight neighbours are all set."""
    across = framed[:, 1:-1] & framed[:, :-2] & framed[:, 2:]
    framed[1:-1, 1:-1] &= ~(across[1:-1] & across[:-2] & across[2:]) & 1
