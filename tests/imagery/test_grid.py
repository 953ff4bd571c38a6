import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadlift.errors import UsageError
from roadlift.imagery import Grid, Window

sides = st.integers(1, 300)


cores = st.sampled_from([32, 64, 96])


@given(sides, sides, st.tuples(cores, cores), st.sampled_from([0, 32]))
def test_cores_cover_the_raster_once_and_reads_have_one_shape(rows, cols, core, halo):
    grid = Grid((rows, cols), core=core, halo=halo)
    covered = np.zeros((rows, cols), int)
    for index, tile in enumerate(grid):
        assert tile.index == index
        covered[tile.core.slices] += 1
        assert tile.read.shape == grid.read_shape
        assert (tile.core.row % core[0], tile.core.col % core[1]) == (0, 0)
        assert (tile.read.row, tile.read.col) == (tile.core.row - halo, tile.core.col - halo)
    assert (covered == 1).all()
    assert len(grid) == grid.tiles_down * grid.tiles_across == index + 1


@given(sides, sides, cores, st.sampled_from([0, 32]))
def test_tiles_are_few_and_share_the_raster_evenly(rows, cols, largest, halo):
    grid = Grid.lay((rows, cols), largest, halo=halo)
    assert max(grid.core) <= largest
    for extent, side, count in zip(
        (rows, cols), grid.core, (grid.tiles_down, grid.tiles_across), strict=True
    ):
        assert count <= -(-extent // largest)
        assert count * side - extent < count * grid.multiple


def test_windows():
    window = Window(2, 3, 4, 5)
    assert window.pad(1) == Window(1, 2, 6, 7)
    assert window.shift(1, -3) == Window(3, 0, 4, 5)
    assert window.clip((4, 4)) == Window(2, 3, 2, 1)
    assert window.intersect(Window(10, 10, 2, 2)).height == 0
    assert np.zeros((10, 10))[window.slices].shape == window.shape == (4, 5)


@pytest.mark.parametrize(
    "wrong",
    [{"core": (0, 64)}, {"core": (64, 40)}, {"halo": -32}, {"halo": 20}, {"shape": (0, 5)}],
    ids=str,
)
def test_impossible_grids_are_refused(wrong):
    with pytest.raises(UsageError):
        Grid(**({"shape": (100, 100), "core": (64, 64), "halo": 32} | wrong))


def test_a_tile_that_is_not_there():
    with pytest.raises(IndexError):
        Grid((10, 10), core=(32, 32), halo=0)[1]
