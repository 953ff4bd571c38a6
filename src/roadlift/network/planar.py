"""Lines that meet at nodes and nowhere else: the one promise that smoothing and simplifying must not break."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from roadlift.network.polylines import Polylines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Booleans = NDArray[np.bool_]


def find_crossings(lines: Polylines, of: Booleans | None = None) -> Booleans:
    """Find the lines that cross themselves, cross another or run on it; to share an end is no crossing.

    Args:
        lines: all lines.
        of: (lines,) bool, look only at pairs with one of these; None at all.

    Returns:
        (lines,) bool.

    Example:
        >>> lines = Polylines.of([[(0, 0), (2, 2)], [(0, 2), (2, 0)], [(2, 2), (5, 2)]])
        >>> find_crossings(lines).tolist()
        [True, True, False]
    """
    of = np.ones(len(lines), dtype=bool) if of is None else of
    crossing = np.zeros(len(lines), dtype=bool)
    crossing[of] = ~shapely.is_simple(lines.take(of).to_shapely())
    pieces, owner = _halves(lines)
    asked = np.flatnonzero(of[owner])
    tree = shapely.STRtree(pieces)
    for predicate in ("crosses", "overlaps", "covers", "covered_by"):
        if predicate == "covered_by" and of.all():
            continue  # was seen from the other line
        one, other = tree.query(pieces[asked], predicate=predicate)
        one = asked[one]
        different = one != other
        crossing[owner[one[different]]] = crossing[owner[other[different]]] = True
    return crossing


def _halves(lines: Polylines) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Cut closed lines in two: the place where one closes is an end, not a part of its inside."""
    closed = np.all(lines.starts == lines.ends, axis=1) & (lines.counts > 2)
    index = np.arange(len(lines.coordinates))
    middle = lines.first + lines.counts // 2
    first = index <= np.where(closed, middle, lines.last)[lines.owner]
    second = closed[lines.owner] & (index >= middle[lines.owner])
    owner = np.concatenate([np.arange(len(lines)), np.flatnonzero(closed)])
    pieces = [
        lines.keep(first).to_shapely(),
        lines.take(closed).keep(second[closed[lines.owner]]).to_shapely(),
    ]
    return np.concatenate(pieces), owner


def keep_apart(versions: Sequence[Polylines]) -> tuple[Polylines, Booleans]:
    """Choose for each line the latest of its versions with which no two lines cross.

    Lines that cross go back by one version, and are looked at again.

    Args:
        versions: the same lines with the same ends, from the first drawing to the last.

    Returns:
        The lines, and which of them cross even in their first version, (lines,) bool.
    """
    chosen = np.full(len(versions[0]), len(versions) - 1, dtype=np.int64)
    crossing = np.ones(len(chosen), dtype=bool)
    while True:
        lines = pick(versions, chosen)
        crossing = find_crossings(lines, crossing)  # the others have not moved since they crossed nothing
        back = crossing & (chosen > 0)
        if not back.any():
            return lines, crossing
        chosen[back] -= 1


def pick(versions: Sequence[Polylines], chosen: NDArray[np.int64]) -> Polylines:
    """Take each line from one of several versions of them all, (lines,) int64."""
    parts = [version.take(chosen == number) for number, version in enumerate(versions)]
    order = np.concatenate([np.flatnonzero(chosen == number) for number in range(len(versions))])
    together = Polylines(
        np.concatenate([part.coordinates for part in parts]),
        np.concatenate([[0], np.cumsum(np.concatenate([part.counts for part in parts]))]).astype(np.int64),
    )
    return together.take(np.argsort(order))
