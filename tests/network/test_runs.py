from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from roadlift.network.runs import Runs

BITS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(BITS)
def test_runs_are_the_mask(bits: np.ndarray) -> None:
    runs = Runs.of(bits)
    assert np.array_equal(runs.to_mask(0, len(bits)), bits)
    assert np.array_equal(runs.complement().to_mask(0, len(bits)), ~bits)
    assert runs.lengths.sum() == bits.sum()


@given(BITS, st.data())
def test_any_rows_can_be_drawn(bits: np.ndarray, data: st.DataObject) -> None:
    top = data.draw(st.integers(0, len(bits) - 1))
    bottom = data.draw(st.integers(top + 1, len(bits)))
    assert np.array_equal(Runs.of(bits).to_mask(top, bottom), bits[top:bottom])


@given(BITS, st.integers(1, 5))
def test_stacked_strips_are_the_whole(bits: np.ndarray, height: int) -> None:
    strips = [Runs.of(bits[top : top + height]) for top in range(0, len(bits), height)]
    stacked, whole = Runs.stacked(strips, bits.shape[1]), Runs.of(bits)
    assert stacked.shape == whole.shape
    for name in ("row", "start", "stop"):
        np.testing.assert_array_equal(getattr(stacked, name), getattr(whole, name))


@settings(max_examples=200)
@given(BITS, st.booleans())
def test_areas_are_those_of_labelling(bits: np.ndarray, diagonal: bool) -> None:
    areas = Runs.of(bits).areas(diagonal=diagonal)
    labels, count = ndimage.label(bits, structure=np.ones((3, 3)) if diagonal else None)
    assert areas.count == count
    assert sorted(areas.pixels.tolist()) == sorted(
        np.bincount(labels.ravel(), minlength=count + 1)[1:].tolist()
    )
    outer = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    assert areas.at_border.sum() == np.count_nonzero(outer)


@given(BITS, BITS)
def test_union_of_what_has_nothing_in_common(first: np.ndarray, second: np.ndarray) -> None:
    rows, cols = np.minimum(first.shape, second.shape)
    first, second = first[:rows, :cols], second[:rows, :cols] & ~first[:rows, :cols]
    both, whole = Runs.of(first).union(Runs.of(second)), Runs.of(first | second)
    for name in ("row", "start", "stop"):
        np.testing.assert_array_equal(getattr(both, name), getattr(whole, name))


@pytest.mark.parametrize("turn", [0, 1])
def test_the_axis_of_a_bar_is_the_bar(turn: int) -> None:
    mask = np.zeros((20, 60), bool)
    mask[8:11, 10:50] = True
    areas = Runs.of(np.rot90(mask, turn)).areas(diagonal=True)
    axis = areas.axes(np.ones(1, bool))
    assert axis.lengths[0] == pytest.approx(40, abs=0.05)
    assert (
        np.abs(np.rot90(axis.coordinates, 0).mean(axis=0) - ([9, 29.5], [30.5 - 0.5 - 0.5, 9])[turn]).max()
        < 0.6
    )


def test_axes_of_chosen_areas_only() -> None:
    areas = Runs.of(np.array([[1, 0, 1, 1, 0, 1]], bool)).areas(diagonal=True)
    chosen = areas.pixels == 1
    assert areas.axes(chosen).coordinates.mean(axis=0).round(6).tolist() == [0, 2.5]
    assert areas.axes(np.zeros(3, bool)).lengths.tolist() == []
