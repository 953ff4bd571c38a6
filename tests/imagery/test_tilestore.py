"""Tiles on disk: what was written is read, whatever window; what is torn or damaged is no tile."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadlift.errors import OutputError
from roadlift.imagery import Grid, TileStore, Window, tiles_in

GRID = Grid((150, 130), core=(64, 64), halo=32)


def _values(shape=GRID.shape, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    values[:64] = 255
    return values


def _fill(store, values, *, name="run", tiles=None):
    with store.writer(name) as writer:
        for tile in store.grid if tiles is None else (store.grid[index] for index in tiles):
            writer.write(tile, values[store.kept(tile).slices])
    return store


@pytest.mark.parametrize("whole_reads", [False, True])
def test_any_window_reads_what_was_written(tmp_path, whole_reads):
    values = _values()
    store = _fill(TileStore(tmp_path, GRID, whole_reads), values)
    again = TileStore(tmp_path, GRID, whole_reads)
    assert again.finished == set(range(9))
    rng = np.random.default_rng(1)
    for _ in range(40):
        row, col = int(rng.integers(150)), int(rng.integers(130))
        window = Window(row, col, int(rng.integers(1, 151 - row)), int(rng.integers(1, 131 - col)))
        np.testing.assert_array_equal(again.read(window), values[window.slices])
    tile = GRID[4]
    np.testing.assert_array_equal(store.read_tile(tile), values[store.kept(tile).slices])


def test_several_writers_share_a_folder(tmp_path):
    values, store = _values(), TileStore(tmp_path, GRID)
    _fill(TileStore(tmp_path, GRID), values, tiles=[0, 3, 5])
    assert store.missing() == list(range(9))
    store.refresh()
    assert store.missing() == [1, 2, 4, 6, 7, 8]
    _fill(TileStore(tmp_path, GRID), values, tiles=[1, 2])  # the same name: a file of its own
    _fill(store, values, name="other", tiles=[4, 6, 7, 8])
    store.refresh()
    assert not store.missing()
    assert len(list(tmp_path.glob("*.tiles"))) == 3
    np.testing.assert_array_equal(store.read(Window(0, 0, *GRID.shape)), values)


@settings(max_examples=60)
@given(st.data())
def test_a_torn_or_damaged_record_is_no_tile(tmp_path_factory, data):
    """Whatever is cut or flipped: the tiles before it are there as they were, and none is wrong."""
    folder, values = tmp_path_factory.mktemp("torn"), _values(seed=2)
    _fill(TileStore(folder, GRID), values)
    (path,) = folder.glob("*.tiles")
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    store = TileStore(folder, GRID)
    assert store.finished == set(range(len(store.finished)))
    assert len(store.finished) < 9
    for index in store.finished:
        np.testing.assert_array_equal(store.read_tile(GRID[index]), values[GRID[index].core.slices])
    _fill(store, values, tiles=store.missing())
    np.testing.assert_array_equal(TileStore(folder, GRID).read(Window(0, 0, *GRID.shape)), values)


def test_a_missing_tile_and_a_lost_file_are_named(tmp_path):
    store = _fill(TileStore(tmp_path, GRID), _values(), tiles=[0, 1])
    with pytest.raises(OutputError, match="tile 2 is not in"):
        store.read(Window(0, 0, *GRID.shape))
    for path in tmp_path.glob("*.tiles"):
        path.unlink()
    with pytest.raises(OutputError, match="--restart"):
        store.read(Window(0, 0, 10, 10))


def test_tiles_left_out_are_told_apart(tmp_path):
    store = TileStore(tmp_path, GRID)
    with store.writer("run") as writer:
        for tile in GRID:
            writer.write(tile, np.full(tile.core.shape, 255, np.uint8), skipped=tile.index == 5)
    assert TileStore(tmp_path, GRID).skipped == (5,)


def test_tiles_in_a_window():
    assert [tile.index for tile in tiles_in(GRID, Window(63, 64, 2, 1))] == [1, 4]
    assert [tile.index for tile in tiles_in(GRID, Window(0, 0, *GRID.shape))] == list(range(9))
