"""How wide a margin a network needs so that tiles give what the whole image would give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from roadlift.errors import InputError

Predict = Callable[[np.ndarray], np.ndarray]
"""uint8 (rows, cols, 3) to probability uint8 (rows, cols), 0..254; sides are multiples of the stride."""

MAX_FLIPPED_SHARE = 5e-4
"""How many of the mask's pixels may differ by default."""


@dataclass(frozen=True)
class HaloError:
    """What a halo of ``halo`` pixels changes against the whole image.

    Attributes:
        halo: Margin in pixels.
        flipped_share: Pixels that cross the threshold, as a share of the pixels above it.
        largest_step: Largest difference of the probability, in steps of 1/254.
    """

    halo: int
    flipped_share: float
    largest_step: int


def measure_halos(
    predict: Predict,
    images: Sequence[np.ndarray],
    halos: Sequence[int],
    *,
    stride: int,
    threshold: float,
    core: int = 512,
) -> list[HaloError]:
    """Compare a tile in the middle of each image, with each halo, to the prediction of the whole image.

    Args:
        predict: The network.
        images: uint8 (rows, cols, 3); all sides at least ``core + 2 * max(halos)``.
        halos: Margins to try, multiples of ``stride``.
        stride: What the sides of the network's input must be multiples of.
        threshold: Where the probability becomes road, 0..1.
        core: Side of the tiles that are compared, a multiple of ``stride``.

    Returns:
        For each halo the errors of all images together.

    Raises:
        InputError: An image is too small.
    """
    pairs: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {halo: [] for halo in halos}
    for image in images:
        rows, cols = (extent // stride * stride for extent in image.shape[:2])
        if min(rows, cols) < core + 2 * max(halos):
            raise InputError(
                f"The image has {rows} x {cols} pixels; at least {core + 2 * max(halos)} a side are needed."
            )
        top, left = ((extent - core) // 2 // stride * stride for extent in (rows, cols))
        whole = predict(image[:rows, :cols])[top : top + core, left : left + core]
        for halo in halos:
            tile = image[top - halo : top + core + halo, left - halo : left + core + halo]
            pairs[halo].append((predict(tile)[halo : halo + core, halo : halo + core], whole))
    return [_error(halo, each, threshold) for halo, each in pairs.items()]


def _error(halo: int, pairs: Sequence[tuple[np.ndarray, np.ndarray]], threshold: float) -> HaloError:
    ours, whole = (np.stack(each) for each in zip(*pairs, strict=True))
    road = whole >= threshold * 254
    flipped = (ours >= threshold * 254) != road
    step = np.abs(ours.astype(int) - whole.astype(int)).max()
    return HaloError(halo, float(flipped.sum() / max(road.sum(), 1)), int(step))


def choose_halo(errors: Sequence[HaloError], *, max_flipped_share: float = MAX_FLIPPED_SHARE) -> int:
    """Return the smallest halo that flips few enough pixels.

    Raises:
        InputError: No halo that was measured is wide enough.

    Example:
        >>> choose_halo([HaloError(64, 1e-3, 90), HaloError(128, 1e-4, 9), HaloError(256, 0.0, 0)])
        128
    """
    for error in errors:
        if error.flipped_share <= max_flipped_share:
            return error.halo
    raise InputError(f"No halo up to {errors[-1].halo} px is wide enough; measure wider ones.")
