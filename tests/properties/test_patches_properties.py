"""Properties of patchify and unpatchify over shapes, steps and dtypes."""

from __future__ import annotations

from dataclasses import dataclass

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings
from numpy.lib.stride_tricks import sliding_window_view

from roadlift.segment.patches import patchify, unpatchify

DTYPES = (np.uint8, np.uint16, np.int64, np.uint64, np.float32, np.bool_)


@dataclass(frozen=True)
class Case:
    image: np.ndarray
    patch: tuple[int, ...]
    step: tuple[int, ...]


@st.composite
def cases(draw: st.DrawFn, dtypes: tuple[type, ...] = DTYPES) -> Case:
    axes = draw(st.sampled_from((2, 3)))
    shape = tuple(draw(st.integers(1, 3 if axis == 2 else 17)) for axis in range(axes))
    patch = tuple(draw(st.integers(1, length if axis == 2 else 9)) for axis, length in enumerate(shape))
    step = tuple(draw(st.integers(1, size)) for size in patch)
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    elements = st.floats(width=32) if dtype.kind == "f" else None
    return Case(draw(hnp.arrays(dtype, shape, elements=elements)), patch, step)


def same(left: np.ndarray, right: np.ndarray) -> bool:
    return (
        left.dtype == right.dtype
        and left.shape == right.shape
        and np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
    )


@given(cases())
@settings(max_examples=200, deadline=None)
def test_round_trip_is_exact(case: Case) -> None:
    assert same(unpatchify(patchify(case.image, case.patch, case.step), case.image.shape), case.image)


@given(cases(), st.sampled_from(("uniform", "linear", "hann")))
@settings(max_examples=200, deadline=None)
def test_round_trip_of_a_copy_is_exact_when_the_step_is_given(case: Case, weights: str) -> None:
    patches = patchify(case.image, case.patch, case.step).copy()
    assert same(unpatchify(patches, case.image.shape, step=case.step, weights=weights), case.image)


@given(cases())
@settings(max_examples=100, deadline=None)
def test_every_pixel_lies_in_a_patch_and_every_patch_holds_only_image_values(case: Case) -> None:
    index = np.arange(case.image.size).reshape(case.image.shape)
    patches = patchify(index, case.patch, case.step)
    assert np.array_equal(np.unique(patches), index.ravel())


@given(cases((np.uint8,)))
@settings(max_examples=100, deadline=None)
def test_where_the_step_divides_it_is_the_plain_sliding_window(case: Case) -> None:
    rest = [length - p for length, p in zip(case.image.shape, case.patch, strict=True)]
    if min(rest) < 0 or any(r % s for r, s in zip(rest, case.step, strict=True)):
        return
    patches = patchify(case.image, case.patch, case.step)
    windows = sliding_window_view(case.image, case.patch)[tuple(slice(None, None, s) for s in case.step)]
    assert np.array_equal(patches, windows)
    assert np.shares_memory(patches, case.image)


@given(cases((np.uint8, np.int64, np.float32)), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_mean_lies_between_the_patches(case: Case, seed: int) -> None:
    if case.image.dtype.kind == "f" and not np.isfinite(case.image).all():
        return
    patches = patchify(case.image, case.patch, case.step).copy()
    np.random.default_rng(seed).shuffle(patches.reshape(-1))
    joined = unpatchify(patches, case.image.shape, step=case.step)
    assert joined.dtype == case.image.dtype
    assert patches.min() <= joined.min()
    assert joined.max() <= patches.max()
