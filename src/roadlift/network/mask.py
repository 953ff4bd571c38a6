"""Probability to a clean mask, and the mask to a skeleton that reaches the image border where roads do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.options import NetworkOptions

    Booleans = NDArray[np.bool_]
    Bytes = NDArray[np.uint8]

PROBABILITY_ONE = 254
NO_DATA = 255
EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def road_mask(probability: Bytes, *, ground_resolution_m: float, options: NetworkOptions) -> Booleans:
    """Threshold with hysteresis, then drop small objects and fill small holes.

    Hysteresis (Canny 1986): an area of at least ``threshold_low`` is road where some pixel of it reaches
    ``threshold``. Objects are 8-connected, holes 4-connected.

    Args:
        probability: (rows, cols) uint8, 0..254 = p * 254, 255 = no data.
        ground_resolution_m: metres per pixel.
        options: thresholds (0..1) and areas (square metres).

    Returns:
        (rows, cols) bool.

    Example:
        >>> from roadlift.network import NetworkOptions
        >>> row = np.array([[0, 90, 200, 90, 0, 90]], np.uint8)
        >>> options = NetworkOptions(min_object_m2=0)
        >>> road_mask(row, ground_resolution_m=1.0, options=options).astype(int).tolist()
        [[0, 1, 1, 1, 0, 0]]
    """
    seen = probability != NO_DATA
    low = (probability >= options.threshold_low * PROBABILITY_ONE) & seen
    high = (probability >= options.threshold * PROBABILITY_ONE) & seen
    pixel_m2 = ground_resolution_m**2
    mask = _select_objects(low, high, options.min_object_m2 / pixel_m2)
    return _fill_holes(mask, options.max_hole_m2 / pixel_m2)


def _select_objects(low: Booleans, high: Booleans, min_pixels: float) -> Booleans:
    labels, count = ndimage.label(low, structure=EIGHT_NEIGHBOURS)
    size = np.bincount(labels.ravel(), minlength=count + 1)
    keep = size >= min_pixels
    keep &= np.bincount(labels[high], minlength=count + 1) > 0
    keep[0] = False
    selected: Booleans = keep[labels]
    return selected


def _fill_holes(mask: Booleans, max_pixels: float) -> Booleans:
    """Fill background areas of at most ``max_pixels`` that do not touch the image border."""
    labels, count = ndimage.label(~mask)
    fill = np.bincount(labels.ravel(), minlength=count + 1) <= max_pixels
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        fill[edge] = False
    fill[0] = False
    filled: Booleans = mask | fill[labels]
    return filled


def skeletonise(mask: Booleans, *, pad: int, max_run: int) -> Booleans:
    """Skeleton of a mask whose roads continue beyond the image border.

    Thinning shortens a road by about half its width at a free end. Where a road leaves the image the mask is
    therefore continued by ``pad`` pixels (its border pixels repeated) before thinning (Zhang and Suen 1984)
    and cropped after. A road that touches the border over more than ``max_run`` pixels runs along it, and is
    not continued.

    Args:
        mask: (rows, cols) bool.
        pad: pixels to continue by; half the width of the widest road will do.
        max_run: longest run of border pixels that counts as a road leaving the image.

    Returns:
        (rows, cols) bool.

    Example:
        >>> mask = np.zeros((9, 20), bool); mask[3:6] = True
        >>> np.nonzero(skeletonise(mask, pad=5, max_run=10)[:, 0])[0].tolist()
        [4]
    """
    if not mask.any():
        return np.zeros_like(mask)
    continued = continue_border(mask, pad=pad, max_run=max_run)
    skeleton: Booleans = skeletonize(continued)  # type: ignore[no-untyped-call]
    return skeleton[pad : pad + mask.shape[0], pad : pad + mask.shape[1]]


def continue_border(mask: Booleans, *, pad: int, max_run: int) -> Booleans:
    """Add ``pad`` pixels on each side, into which the roads that leave the image continue."""
    rows, cols = mask.shape
    continued = np.zeros((rows + 2 * pad, cols + 2 * pad), dtype=bool)
    continued[pad : pad + rows, pad : pad + cols] = mask
    inside = slice(pad, pad + cols)
    continued[:pad, inside] = _short_runs(mask[0], max_run)
    continued[pad + rows :, inside] = _short_runs(mask[-1], max_run)
    inside = slice(pad, pad + rows)
    continued[inside, :pad] = _short_runs(mask[:, 0], max_run)[:, None]
    continued[inside, pad + cols :] = _short_runs(mask[:, -1], max_run)[:, None]
    return continued


def _short_runs(line: Booleans, max_run: int) -> Booleans:
    labels, _ = ndimage.label(line)
    short = np.bincount(labels) <= max_run
    short[0] = False
    chosen: Booleans = short[labels]
    return chosen
