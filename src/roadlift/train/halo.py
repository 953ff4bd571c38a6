"""How wide a margin a network needs so that tiles give what the whole image would give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from roadlift.errors import InputError

Predict = Callable[[np.ndarray], np.ndarray]
"""uint8 (rows, cols, 3) to probability uint8 (rows, cols), 0..254; sides are multiples of the stride."""


@dataclass(frozen=True)
class HaloError:
    """What a halo of ``halo`` pixels changes against the whole image.

    Attributes:
        halo: Margin in pixels.
        flipped_share: Share of all pixels that cross the threshold.
        largest_step: Largest difference of the probability, in steps of 1/254.
    """

    halo: int
    flipped_share: float
    largest_step: int


def measure_halo(
    predict: Predict,
    image: np.ndarray,
    halos: Sequence[int],
    *,
    stride: int,
    threshold: float,
    core: int = 512,
) -> list[HaloError]:
    """Compare one tile in the middle of an image, with each halo, to the prediction of the whole image.

    Args:
        predict: The network.
        image: uint8 (rows, cols, 3); both sides at least ``core + 2 * max(halos)``.
        halos: Margins to try, multiples of ``stride``.
        stride: What the sides of the network's input must be multiples of.
        threshold: Where the probability becomes road, 0..1.
        core: Side of the tile that is compared, a multiple of ``stride``.

    Raises:
        InputError: The image is too small.
    """
    rows, cols = (extent // stride * stride for extent in image.shape[:2])
    if min(rows, cols) < core + 2 * max(halos):
        raise InputError(
            f"The image has {rows} x {cols} pixels; at least {core + 2 * max(halos)} a side are needed."
        )
    top, left = ((extent - core) // 2 // stride * stride for extent in (rows, cols))
    whole = predict(image[:rows, :cols])[top : top + core, left : left + core]
    return [_compare(predict, image, whole, halo, (top, left), threshold) for halo in halos]


def _compare(
    predict: Predict,
    image: np.ndarray,
    whole: np.ndarray,
    halo: int,
    corner: tuple[int, int],
    threshold: float,
) -> HaloError:
    (top, left), core = corner, whole.shape[0]
    tile = image[top - halo : top + core + halo, left - halo : left + core + halo]
    ours = predict(tile)[halo : halo + core, halo : halo + core]
    flipped = (ours >= threshold * 254) != (whole >= threshold * 254)
    step = np.abs(ours.astype(int) - whole.astype(int)).max()
    return HaloError(halo, float(flipped.mean()), int(step))


def choose_halos(errors: Sequence[HaloError], *, max_flipped_share: float = 5e-4) -> tuple[int, int]:
    """Return the smallest halo that flips few enough pixels, and the smallest that changes at most one step.

    Raises:
        InputError: No halo that was measured is wide enough.

    Example:
        >>> choose_halos([HaloError(64, 1e-3, 90), HaloError(128, 1e-4, 9), HaloError(256, 0.0, 1)])
        (128, 256)
    """
    default = next((error.halo for error in errors if error.flipped_share <= max_flipped_share), None)
    exact = next(
        (error.halo for error in errors if error.largest_step <= 1 and error.flipped_share == 0), None
    )
    if default is None or exact is None:
        raise InputError(f"No halo up to {errors[-1].halo} px is wide enough; measure wider ones.")
    return default, exact
