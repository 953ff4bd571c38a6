"""Loops around a strip too narrow for a block: two lines where there may be one road, or a divided one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from roadlift.network.faces import faces_of
from roadlift.network.polylines import Polylines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COMPACT = 0.8
"""Area by that of a circle with the same outline (Polsby and Popper 1991): a turning circle is no strip."""


def find_slivers(lines: Polylines, width: Floats, *, min_block: float) -> Polylines:
    """Find the loops around a strip that is narrower than ``min_block`` between the edges of its roads.

    The width of a strip is twice its area by its outline: that of a long strip, and half of that of a square.

    Args:
        lines: they meet at their ends and nowhere else.
        width: (lines,) of the roads, in the unit of the lines; NaN counts as 0.
        min_block: in the same unit.

    Returns:
        The loops as closed lines, in the order of their smallest vertex.

    Example:
        >>> lines = Polylines.of([[(0, 0), (0, 9), (60, 9), (60, 0)], [(0, 0), (60, 0)]])
        >>> [len(find_slivers(lines, np.array([7.0, 7.0]), min_block=block)) for block in (1.5, 2.5)]
        [0, 1]
    """
    rings, line, face = faces_of(lines)
    count = np.maximum(np.bincount(face, minlength=len(rings)), 1)
    half = np.bincount(face, weights=np.nan_to_num(width)[line] / 2, minlength=len(rings)) / count
    areas = np.asarray(shapely.polygons(rings), dtype=object).reshape(-1)
    outline = shapely.length(rings)
    long = 4 * np.pi * shapely.area(areas) < COMPACT * outline**2
    maybe = np.flatnonzero(long & (_strip(areas) < min_block + 2 * half))
    narrow = maybe[_strip(shapely.buffer(areas[maybe], -half[maybe])) < min_block]
    loops = np.asarray(shapely.normalize(rings[narrow]), dtype=object).reshape(-1)
    return Polylines.from_shapely(loops[np.lexsort(shapely.bounds(loops).reshape(-1, 4).T[::-1])])


def _strip(areas: NDArray[np.object_]) -> Floats:
    outline = shapely.length(areas)
    strip: Floats = 2 * shapely.area(areas) / np.where(outline > 0, outline, 1.0)
    return strip
