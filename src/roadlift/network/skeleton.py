"""A mask to the pixels of its skeleton, strip by strip; the skeleton reaches the image border where roads do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from roadlift.network.raster import strip_rows
from roadlift.network.runs import Runs
from roadlift.network.strips import map_strips
from roadlift.network.thin import halo, thin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Skeleton pixels in reading order.

    Attributes:
        row, col: (pixels,) int64.
        radius: (pixels,) float64, half the road's width there, pixels.
    """

    row: Integers
    col: Integers
    radius: Floats

    def radius_at(self, pixels: Integers) -> Floats:
        """Half the width at (places, 2) rows and columns of skeleton pixels, (places,)."""
        width = int(self.col.max(initial=0)) + 1
        keys = self.row * width + self.col
        found: Floats = self.radius[np.searchsorted(keys, pixels[:, 0] * width + pixels[:, 1])]
        return found


def skeletonise(roads: Runs, *, reach: int, max_run: int) -> Skeleton:
    """Thin a mask whose roads continue beyond the image border.

    Thinning shortens a road by about half its width at a free end. Where a road leaves the image the mask is
    therefore continued (its border pixels repeated) before thinning and cropped after. A road that touches
    the border over more than ``max_run`` pixels runs along it, and is not continued.

    Args:
        roads: the mask.
        reach: pixels; half the width of the widest road.
        max_run: longest run of border pixels that counts as a road leaving the image.

    Example:
        >>> mask = np.zeros((9, 20), bool); mask[3:6] = True
        >>> skeleton = skeletonise(Runs.of(mask), reach=5, max_run=10)
        >>> skeleton.row.tolist() == [4] * 20, skeleton.col.tolist() == list(range(20))
        (True, True)
        >>> skeleton.radius[10].item()
        1.5
    """
    continued = continue_border(roads, pad=reach, max_run=max_run)
    rows = roads.shape[0]
    step = max(strip_rows(continued.shape[1]), 1)
    parts = map_strips(lambda top: _strip(continued, top, min(top + step, rows), reach), range(0, rows, step))
    return Skeleton(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _strip(continued: Runs, top: int, bottom: int, reach: int) -> tuple[Integers, Integers, Floats]:
    """Rows, columns and half widths of the skeleton pixels in some rows of the image (which begins at ``reach``)."""
    above = max(top + reach - halo(reach), 0)
    below = min(bottom + reach + halo(reach), continued.shape[0])
    first_run, behind = np.searchsorted(continued.row, [above, below])
    if first_run == behind:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, np.empty(0)
    mask = continued.to_mask(above, below)
    first = top + reach - above
    core = thin(mask, rounds=reach)[first : first + bottom - top, reach:-reach]
    row, col = np.nonzero(core)
    radius = half_widths(mask, row + first, col + reach, reach=reach)
    return row + top, col, radius


def continue_border(roads: Runs, *, pad: int, max_run: int) -> Runs:
    """Add ``pad`` pixels on each side, into which the roads that leave the image continue."""
    rows, cols = roads.shape
    start, stop = roads.start + pad, roads.stop + pad
    left, right = roads.start == 0, roads.stop == cols
    start[left] -= pad * _in_short_run(roads.row[left], rows, max_run)
    stop[right] += pad * _in_short_run(roads.row[right], rows, max_run)
    parts = [(roads.row + pad, start, stop)]
    for edge, outside in ((0, np.arange(pad)), (rows - 1, np.arange(pad + rows, 2 * pad + rows))):
        leaves = (roads.row == edge) & (roads.lengths <= max_run)
        begin, end = roads.start[leaves] + pad, roads.stop[leaves] + pad
        parts.append((np.repeat(outside, len(begin)), np.tile(begin, pad), np.tile(end, pad)))
    ordered = [parts[1], parts[0], parts[2]]
    row, begin, end = (np.concatenate(values) for values in zip(*ordered, strict=True))
    return Runs((rows + 2 * pad, cols + 2 * pad), row, begin, end)


def _in_short_run(rows: Integers, count: int, max_run: int) -> Booleans:
    """Whether each of some rows belongs to a run of at most ``max_run`` neighbouring ones."""
    line = np.zeros(count, dtype=bool)
    line[rows] = True
    labels, _ = ndimage.label(line)
    short: Booleans = (np.bincount(labels) <= max_run)[labels[rows]]
    return short


def half_widths(mask: Booleans, row: Integers, col: Integers, *, reach: int) -> Floats:
    """Distance from mask pixels to the edge of the mask, as half the road's width there.

    Looks outwards from all points at once, pixel by pixel in the order of their distance, until each point
    has met the background: exact, and far cheaper than a distance transform of the raster when points are
    few.

    Args:
        mask: (rows, cols) bool.
        row: (points,) int64, rows of the pixels to look at; beyond the mask its outermost pixels go on.
        col: (points,) int64, their columns.
        reach: pixels; larger distances come out as this.

    Returns:
        (points,) float64, in pixels: 3.5 in the middle of a band seven pixels wide.

    Example:
        >>> mask = np.zeros((11, 30), bool); mask[2:9] = True
        >>> half_widths(mask, np.array([5]), np.array([15]), reach=10).tolist()
        [3.5]
    """
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    distance = np.hypot(down, across)
    found = np.full(len(row), float(reach))
    framed = np.pad(mask, reach, mode="edge")
    active, place = np.arange(len(row)), (row + reach) * framed.shape[1] + col + reach
    for look in np.argsort(distance, kind="stable")[: np.count_nonzero(distance <= reach)]:
        inside = framed.reshape(-1).take(place + (down[look] * framed.shape[1] + across[look]))
        found[active[~inside]] = max(distance[look] - 0.5, 0.5)
        active, place = active[inside], place[inside]
        if not len(active):
            break
    return found
