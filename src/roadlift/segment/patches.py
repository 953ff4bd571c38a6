"""Cuts an image into a grid of equal patches and puts patches together again, exactly.

``patchify`` and ``unpatchify`` have the call and the arrays of the PyPI library ``patchify``, and go on where
that one stops: an image of any size is covered whole (its far edges are mirrored), and overlaps are averaged.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from roadlift.errors import InputError, UsageError
from roadlift.segment.blend import PATCH_WEIGHTS, patch_window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Array = NDArray[Any]


def patchify(image: Array, patch_size: int | Sequence[int], step: int | Sequence[int] = 1) -> Array:
    """Cut an image into a grid of patches.

    Where the steps divide the image, the result is a view: nothing is copied. Where they do not, the image is
    first continued at its far (bottom, right) edges by mirroring without repeating the edge pixel
    (``np.pad`` mode "reflect"), as far as the last patch needs, so every pixel lies in a patch. Along an
    axis that is not longer than the patch there is one patch. A view is writable where the patches do not
    overlap.

    Args:
        image: (rows, cols) or (rows, cols, channels), any dtype.
        patch_size: Size along each axis; one int stands for all axes. A patch never has more than the image's
            channels: an int means all of them when it is larger.
        step: Distance between patches along each axis; one int stands for all axes. Smaller than the patch:
            patches overlap.

    Returns:
        (n_rows, n_cols, patch_rows, patch_cols), or with channels (n_rows, n_cols, n_channels, patch_rows,
        patch_cols, patch_channels), of the image's dtype.

    Raises:
        InputError: When the image has not 2 or 3 axes or is empty.
        UsageError: When sizes or steps are not positive, do not fit the axes, or would leave gaps.

    Example:
        >>> patchify(np.zeros((512, 512, 3), np.uint8), (256, 256, 3), step=256).shape
        (2, 2, 1, 256, 256, 3)
        >>> patchify(np.arange(5), 2, 2)
        Traceback (most recent call last):
        roadlift.errors.InputError: the image has 1 axes ...
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3) or image.size == 0:
        raise InputError(
            f"the image has {image.ndim} axes and shape {image.shape}; 2 or 3 axes, none empty, are expected"
        )
    patch = _patch_size(image.shape, patch_size)
    steps = _steps(image.shape, patch, step)
    counts = _counts(image.shape, patch, steps)
    missing = [
        (n - 1) * s + p - length for n, s, p, length in zip(counts, steps, patch, image.shape, strict=True)
    ]
    if any(missing):
        image = np.pad(image, [(0, pad) for pad in missing], mode="reflect")
    writable = image.flags.writeable and steps == patch
    windows = sliding_window_view(image, patch, writeable=writable)
    return windows[tuple(slice(None, None, s) for s in steps)]


def unpatchify(
    patches: Array,
    image_shape: Sequence[int],
    *,
    step: int | Sequence[int] | None = None,
    weights: str = "uniform",
) -> Array:
    """Put the patches of :func:`patchify` together again; where they overlap, take the weighted mean.

    Pixels on which all patches agree come out bit for bit, whatever the dtype. The step is known from the
    sizes when patches lie side by side on an image that they divide, when an axis holds one patch, and
    always when ``patches`` is still the view that :func:`patchify` gave. Otherwise, as several steps give
    the same number of patches, it has to be said.

    Args:
        patches: Array with the axes of :func:`patchify`.
        image_shape: Shape of the image; what the patches hold beyond it is dropped.
        step: Distance between patches, as given to :func:`patchify`.
        weights: ``uniform``, or ``linear`` or ``hann``: the middle of a patch counts more than its rim.

    Returns:
        Array of ``image_shape`` and the patches' dtype; means of integers are rounded half to even.

    Raises:
        InputError: When the patches have not 4 or 6 axes, or overlap and are not numbers.
        UsageError: When shape or step do not fit the patches, the step must be given, or ``weights`` is
            unknown.

    Example:
        >>> image = np.arange(35, dtype=np.uint8).reshape(5, 7)
        >>> bool((unpatchify(patchify(image, 4, 2), image.shape) == image).all())
        True
    """
    patches = np.asarray(patches)
    shape = tuple(int(length) for length in image_shape)
    axes = patches.ndim // 2
    if patches.ndim not in (4, 6) or patches.size == 0:
        raise InputError(f"the patches have shape {patches.shape}; 4 or 6 axes, none empty, are expected")
    if len(shape) != axes or min(shape) < 1:
        raise UsageError(
            f"image_shape is {shape}; {axes} positive lengths are expected for patches {patches.shape}"
        )
    if weights not in PATCH_WEIGHTS:
        raise UsageError(f"weights is {weights!r}; allowed: {', '.join(PATCH_WEIGHTS)}")
    steps = _find_steps(patches, shape, step)
    crop = tuple(slice(0, length) for length in shape)
    if steps == patches.shape[axes:]:
        return _side_by_side(patches)[crop].copy()
    if patches.dtype.kind not in "biuf":
        raise InputError(
            f"patches of {patches.dtype} have no mean; numbers or bool are expected where patches overlap"
        )
    return _mean(patches, steps, weights)[crop]


def _patch_size(shape: tuple[int, ...], patch_size: int | Sequence[int]) -> tuple[int, ...]:
    patch = _per_axis("patch_size", patch_size, len(shape))
    if isinstance(patch_size, (int, np.integer)) and len(shape) == 3:
        patch = (*patch[:2], min(patch[2], shape[2]))
    if len(shape) == 3 and patch[2] > shape[2]:
        raise UsageError(
            f"patch_size has {patch[2]} channels, the image {shape[2]}; channels cannot be mirrored"
        )
    return patch


def _steps(shape: tuple[int, ...], patch: tuple[int, ...], step: int | Sequence[int]) -> tuple[int, ...]:
    """Step along each axis; along an axis of one patch the step does not matter and is the patch."""
    given = _per_axis("step", step, len(shape))
    steps = tuple(p if length <= p else s for s, p, length in zip(given, patch, shape, strict=True))
    if any(s > p for s, p in zip(steps, patch, strict=True)):
        raise UsageError(
            f"step {given} is larger than the patch {patch}: pixels between patches would be lost; "
            "use at most the patch"
        )
    return steps


def _per_axis(name: str, value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, Iterable) else (value,) * axes
    if len(values) != axes or any(not isinstance(v, (int, np.integer)) or v < 1 for v in values):
        raise UsageError(f"{name} is {value!r}; one positive int or {axes} of them are expected")
    return tuple(int(v) for v in values)


def _counts(shape: tuple[int, ...], patch: tuple[int, ...], steps: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(max(0, -(-(length - p) // s)) + 1 for length, p, s in zip(shape, patch, steps, strict=True))


def _find_steps(patches: Array, shape: tuple[int, ...], step: int | Sequence[int] | None) -> tuple[int, ...]:
    axes = len(shape)
    counts, patch = patches.shape[:axes], patches.shape[axes:]
    if step is not None:
        steps = _steps(shape, patch, step)
        if _counts(shape, patch, steps) != counts:
            fitting = _counts(shape, patch, steps)
            raise UsageError(
                f"{counts} patches of {patch} do not fit image_shape {shape}: step {step} gives {fitting}"
            )
        return steps
    ranges = [_possible_steps(*sizes) for sizes in zip(counts, patch, shape, strict=True)]
    if not all(ranges):
        raise UsageError(
            f"{counts} patches of {patch} fit no step on image_shape {shape}; "
            "give the shape of the image that was cut"
        )
    if all(len(possible) == 1 for possible in ranges):
        return tuple(possible[0] for possible in ranges)
    layout = _layout_steps(patches)
    if layout is not None and all(s in possible for s, possible in zip(layout, ranges, strict=True)):
        return layout
    text = " x ".join(f"{r[0]}..{r[-1]}" if len(r) > 1 else f"{r[0]}" for r in ranges)
    raise UsageError(
        f"{counts} patches of {patch} on {shape} fit several steps ({text}); give the one used, as step="
    )


def _possible_steps(count: int, patch: int, length: int) -> range:
    """All steps with which ``length`` pixels give ``count`` patches; see :func:`_counts`."""
    if count == 1 or length <= patch:
        return range(patch, patch + 1) if count == 1 and length <= patch else range(0)
    rest = length - patch
    largest = patch if count == 2 else min(patch, -(-rest // (count - 2)) - 1)
    return range(-(-rest // (count - 1)), largest + 1)


def _layout_steps(patches: Array) -> tuple[int, ...] | None:
    """Read the steps from the memory layout of a view made by :func:`patchify`; None for any other array.

    In such a view the stride from patch to patch is the step times the stride from pixel to pixel, at most a
    patch. In an array of its own the stride from patch to patch along the last axis is a whole patch of
    memory, which is more.
    """
    axes = patches.ndim // 2
    outer, inner = patches.strides[:axes], patches.strides[axes:]
    if 0 in inner:
        return None
    steps = tuple(o // i for o, i in zip(outer, inner, strict=True))
    exact = all(o % i == 0 for o, i in zip(outer, inner, strict=True))
    in_patch = all(1 <= s <= p for s, p in zip(steps, patches.shape[axes:], strict=True))
    return steps if exact and in_patch else None


def _side_by_side(patches: Array) -> Array:
    axes = patches.ndim // 2
    order = [axis for pair in zip(range(axes), range(axes, 2 * axes), strict=True) for axis in pair]
    lengths = [n * p for n, p in zip(patches.shape[:axes], patches.shape[axes:], strict=True)]
    return patches.transpose(order).reshape(lengths)


def _mean(patches: Array, steps: tuple[int, ...], weights: str) -> Array:
    """Weighted mean as the lowest value plus the mean excess over it: exact where all patches agree."""
    axes = len(steps)
    counts, patch = patches.shape[:axes], patches.shape[axes:]
    padded = tuple((n - 1) * s + p for n, s, p in zip(counts, steps, patch, strict=True))
    window = patch_window(patch, counts, weights)
    lowest, highest = _extremes(patches, steps, padded)
    excess, total = np.zeros(padded), np.zeros(padded)
    low_patches = _patches_of(lowest, patch, steps)
    with np.errstate(invalid="ignore"):  # infinity minus infinity: NaN there, unless all patches agree
        for group in _disjoint(counts, patch, steps):
            part = _patches_of(excess, patch, steps)[group]
            part += window * _difference(patches[group], low_patches[group])
            _patches_of(total, patch, steps)[group] += window
        return _add(lowest, highest, excess / total)


def _extremes(patches: Array, steps: tuple[int, ...], padded: tuple[int, ...]) -> tuple[Array, Array]:
    axes = len(steps)
    counts, patch = patches.shape[:axes], patches.shape[axes:]
    lowest, highest = np.empty(padded, patches.dtype), np.empty(padded, patches.dtype)
    for target in (lowest, highest):
        for group in _disjoint(counts, patch, steps):
            _patches_of(target, patch, steps)[group] = patches[group]
    for group in _disjoint(counts, patch, steps):
        part = _patches_of(lowest, patch, steps)[group]
        np.minimum(part, patches[group], out=part)
        part = _patches_of(highest, patch, steps)[group]
        np.maximum(part, patches[group], out=part)
    return lowest, highest


def _patches_of(image: Array, patch: tuple[int, ...], steps: tuple[int, ...]) -> Array:
    windows = sliding_window_view(image, patch, writeable=True)
    return windows[tuple(slice(None, None, s) for s in steps)]


def _disjoint(
    counts: tuple[int, ...], patch: tuple[int, ...], steps: tuple[int, ...]
) -> Iterator[tuple[slice, ...]]:
    """Index groups of patches that do not overlap one another; together they are all patches."""
    spacing = [-(-p // s) for p, s in zip(patch, steps, strict=True)]
    for firsts in product(*(range(min(k, n)) for k, n in zip(spacing, counts, strict=True))):
        yield tuple(slice(first, None, k) for first, k in zip(firsts, spacing, strict=True))


def _difference(values: Array, lowest: Array) -> NDArray[np.float64]:
    """``values - lowest`` (never negative) as float64; integers without overflow."""
    exact = np.dtype(f"u{values.dtype.itemsize}") if values.dtype.kind in "iu" else np.dtype(np.float64)
    difference: Array = values.astype(exact) - lowest.astype(exact)
    return difference.astype(np.float64)


def _add(lowest: Array, highest: Array, excess: NDArray[np.float64]) -> Array:
    """``lowest + excess`` in the dtype of ``lowest``, never above ``highest``."""
    dtype = lowest.dtype
    if dtype.kind == "b":
        return np.where(lowest == highest, lowest, np.rint(excess) > 0)
    if dtype.kind in "iu":
        unsigned = np.dtype(f"u{dtype.itemsize}")
        span = highest.astype(unsigned) - lowest.astype(unsigned)
        below = np.rint(excess) < span.astype(np.float64)
        rounded = np.where(below, np.rint(excess), 0).astype(unsigned)
        return (lowest.astype(unsigned) + np.where(below, rounded, span)).astype(dtype)
    mean = (lowest.astype(np.float64) + excess).astype(dtype)
    return np.where(lowest == highest, lowest, mean)
