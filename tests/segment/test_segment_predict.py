"""Tiled prediction: no seams, leaks or gaps; blending keeps a constant field; errors end everything."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from roadlift.errors import InputError, ModelError, OutputError, UsageError
from roadlift.imagery import Grid, ImagerySource, Pixels, ProbabilityWriter, Window, read_probability
from roadlift.segment import NO_DATA, PredictOptions, predict
from roadlift.segment.blend import SeamBlender, patch_window, taper
from roadlift.segment.predict import fit_stretch, tile_grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roadlift.model import Model

PLAIN = {"stretch": "none"}


def whole(network: Model, source: Any, halo: int = 16) -> np.ndarray:
    """The network on the whole raster at once, mirrored at the borders."""
    image = np.moveaxis(source.values, 0, 2).copy()
    image[~source.valid] = network.card.fill
    rows, cols = source.shape
    pads = ((halo, -rows % 8 + halo), (halo, -cols % 8 + halo), (0, 0))
    found = network.predict(np.pad(image, pads, mode="reflect")[None])[0]
    return np.where(source.valid, found[halo : halo + rows, halo : halo + cols], NO_DATA)


@pytest.mark.parametrize("shape", [(100, 70), (64, 64), (33, 130), (7, 5), (1, 1)])
@pytest.mark.parametrize("tile_size", [16, 30, 64, 1024])
def test_tiles_equal_the_whole_image(
    network: Model, make_source: Any, make_sink: Any, shape: tuple[int, int], tile_size: int
) -> None:
    source, sink = make_source(*shape), make_sink(shape)
    stats = predict(source, network, sink, PredictOptions(tile_size=tile_size, **PLAIN))
    assert np.array_equal(sink.array, whole(network, source))
    assert (sink.times == 1).all()
    largest = -(-tile_size // 8) * 8
    down, across = (-(-extent // largest) for extent in shape)
    rows, cols = (-(-extent // (8 * count)) * 8 for extent, count in zip(shape, (down, across), strict=True))
    assert stats.tiles == down * across
    assert stats.network_pixels == stats.tiles * (rows + 16) * (cols + 16)
    assert (stats.skipped, stats.pixels) == (0, shape[0] * shape[1])


def test_a_halo_that_is_too_small_shows(network: Model, make_source: Any, make_sink: Any) -> None:
    source, sink = make_source(64, 64), make_sink((64, 64))
    predict(source, network, sink, PredictOptions(tile_size=16, halo=0, **PLAIN))
    assert not np.array_equal(sink.array, whole(network, source))


def test_exact_takes_the_exact_halo(
    load_network: Callable[..., Model], make_source: Any, make_sink: Any
) -> None:
    network = load_network(7, 4)  # reaches 12 pixels: more than the halo of 8, less than the exact one of 16
    source = make_source(70, 50)
    default, exact = make_sink((70, 50)), make_sink((70, 50))
    predict(source, network, default, PredictOptions(tile_size=16, **PLAIN))
    predict(source, network, exact, PredictOptions(tile_size=16, exact=True, **PLAIN))
    assert np.array_equal(exact.array, whole(network, source))
    assert not np.array_equal(default.array, exact.array)


@pytest.mark.parametrize("blend", ["none", "linear", "hann"])
def test_batches_and_threads_change_nothing(
    load_network: Callable[..., Model], make_source: Any, make_sink: Any, blend: str
) -> None:
    source = make_source(90, 75)
    results = []
    for threads in (1, 2):
        network = load_network(5, 2, threads=threads)
        for batch_size in (1, 3, 8):
            sink = make_sink((90, 75))
            predict(
                source,
                network,
                sink,
                PredictOptions(tile_size=32, batch_size=batch_size, blend=blend, **PLAIN),
            )
            results.append(sink.array.tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("blend", ["none", "linear", "hann"])
@pytest.mark.parametrize("shape", [(100, 70), (16, 16), (5, 40), (33, 17), (65, 64), (1, 1)])
@pytest.mark.parametrize(
    ("tile_size", "overlap"), [(16, None), (32, None), (32, 16), (32, 32), (24, 5), (256, None), (16, 0)]
)
def test_a_constant_field_stays_constant(
    network: Model,
    make_source: Any,
    make_sink: Any,
    blend: str,
    shape: tuple[int, int],
    tile_size: int,
    overlap: int | None,
) -> None:
    source, sink = make_source(*shape, constant=150), make_sink(shape)
    options = PredictOptions(
        tile_size=tile_size, blend=blend, overlap=None if blend == "none" else overlap, **PLAIN
    )
    flat = dataclasses.replace(network, runtime=_Constant(network.runtime))
    predict(source, flat, sink, options)
    assert (sink.array == 201).all()
    assert (sink.times == 1).all()


class _Constant:
    """The answer 201 for every pixel: a network of one bias, without border effects."""

    def __init__(self, runtime: Any) -> None:
        self.name = runtime.name

    def run(self, tiles: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for tile in tiles:
            yield np.full(tile.shape[:2], 201, np.uint8)


def test_a_constant_image_stays_constant_through_a_real_network(
    network: Model, make_source: Any, make_sink: Any
) -> None:
    source, sink = make_source(50, 41, constant=150), make_sink((50, 41))
    predict(source, network, sink, PredictOptions(tile_size=16, **PLAIN))
    assert np.unique(sink.array).size == 1


@pytest.mark.parametrize("blend", ["linear", "hann"])
def test_blending_is_the_weighted_mean_of_whole_tiles(make_sink: Any, blend: str) -> None:
    """Against a direct sum over the whole raster, on random tiles."""
    grid = Grid((50, 41), core=(16, 16), halo=8, multiple=8)
    generator = np.random.default_rng(1)
    blender, sink = SeamBlender(grid, blend), make_sink(grid.shape)
    total, weight = np.zeros((100, 100)), np.zeros((100, 100))
    window = np.outer(taper(32, 16, blend), taper(32, 16, blend)).astype(float)
    for tile in grid:
        probability = generator.integers(0, 255, tile.read.shape).astype(np.uint8)
        rows, cols = tile.read.shift(8, 8).slices
        total[rows, cols] += window * probability
        weight[rows, cols] += window
        row, col, final = blender.add(tile, probability)
        part = Window(row, col, *final.shape)
        inside = part.clip(grid.shape)
        sink.write(inside, final[inside.shift(-row, -col).slices])
    expected = np.floor(total[8:58, 8:49] / weight[8:58, 8:49] + 0.5)
    assert (sink.times == 1).all()
    assert np.array_equal(sink.array, expected)


@pytest.mark.parametrize("blend", ["linear", "hann"])
@pytest.mark.parametrize("overlap", range(18))
def test_neighbouring_tapers_add_up(blend: str, overlap: int) -> None:
    weights = taper(40, overlap, blend)
    assert np.array_equal(weights[:overlap] + weights[40 - overlap :], np.full(overlap, 256))
    assert weights.min() > 0
    assert (np.diff(weights[:20].astype(int)) >= 0).all()


def test_tapers_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match="0 to 4 px"):
        taper(8, 5, "linear")
    with pytest.raises(UsageError, match="linear, hann"):
        taper(8, 2, "none")


def test_patch_windows() -> None:
    assert patch_window((2, 3), (1, 1), "hann").tolist() == [[1, 1, 1], [1, 1, 1]]
    assert patch_window((3, 2), (2, 1), "hann")[:, 0] == pytest.approx([0.25, 1, 0.25])


@pytest.mark.parametrize("blend", ["none", "linear", "hann"])
def test_invalid_pixels_are_no_data_and_never_leak(
    network: Model, make_source: Any, make_sink: Any, blend: str
) -> None:
    options = PredictOptions(tile_size=32, blend=blend, **PLAIN)
    results = []
    for garbage in (0, 255):
        source, sink = make_source(80, 90), make_sink((80, 90))
        source.valid[20:50, 30:70] = False
        source.valid[:, 88:] = False
        source.values[:, ~source.valid] = garbage
        predict(source, network, sink, options)
        assert np.array_equal(sink.array == NO_DATA, ~source.valid)
        results.append(sink.array)
    assert np.array_equal(*results)
    if blend == "none":
        assert np.array_equal(results[0], whole(network, source))


@pytest.mark.parametrize("blend", ["none", "linear"])
def test_tiles_without_a_valid_pixel_skip_the_network(
    network: Model, make_source: Any, make_sink: Any, blend: str
) -> None:
    source, sink = make_source(128, 96), make_sink((128, 96))
    source.valid[:] = False
    source.valid[70:75, 40:42] = True
    stats = predict(source, network, sink, PredictOptions(tile_size=32, blend=blend, **PLAIN))
    assert np.array_equal(sink.array == NO_DATA, ~source.valid)
    assert (sink.times == 1).all()
    assert stats.tiles == 12
    assert stats.skipped >= (11 if blend == "none" else 8)


def test_nothing_valid_at_all(network: Model, make_source: Any, make_sink: Any) -> None:
    source, sink = make_source(40, 40), make_sink((40, 40))
    source.valid[:] = False
    calls: list[tuple[int, int]] = []
    stats = predict(
        source, network, sink, PredictOptions(tile_size=16), progress=lambda *done: calls.append(done)
    )
    assert (sink.array == NO_DATA).all()
    assert (stats.skipped, stats.network_pixels) == (9, 0)
    assert calls == [(done, 9) for done in range(1, 10)]


def test_skipped_tiles_are_passed_on_at_once(network: Model, make_source: Any, make_sink: Any) -> None:
    """A raster of empty tiles streams: the writer does not wait for the first network result."""
    source, sink = make_source(8 * 64, 8), make_sink((8 * 64, 8))
    source.valid[:] = False
    source.valid[-8:] = True
    furthest = 0

    class Watching:
        def write(self, window: Window, array: np.ndarray) -> None:
            nonlocal furthest
            furthest = max(furthest, len(source.reads) - len(sink.windows))
            sink.write(window, array)

    predict(source, network, Watching(), PredictOptions(tile_size=8, **PLAIN))
    assert furthest <= 12
    assert (sink.times == 1).all()


def test_order_threads_progress_and_times(network: Model, make_source: Any, make_sink: Any) -> None:
    source, sink = make_source(64, 48), make_sink((64, 48))
    calls: list[tuple[int, int]] = []
    stats = predict(
        source,
        network,
        sink,
        PredictOptions(tile_size=16, **PLAIN),
        progress=lambda *done: calls.append(done),
    )
    assert sink.windows == [tile.core for tile in Grid((64, 48), core=(16, 16), halo=8, multiple=8)]
    assert calls == [(done, 12) for done in range(1, 13)]
    assert (source.threads, sink.threads) == ({"roadlift-read"}, {"roadlift-write"})
    assert min(stats.read_seconds, stats.network_seconds, stats.write_seconds) > 0
    assert stats.wall_seconds > 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("roadlift-")]


@pytest.mark.parametrize("blend", ["none", "hann"])
def test_errors_of_every_stage_come_out_once(
    network: Model, make_source: Any, make_sink: Any, blend: str
) -> None:
    class BrokenSource(type(make_source(1, 1))):  # type: ignore[misc]
        def read(self, window: Window) -> Pixels:
            if window.row > 30:
                raise InputError("damaged block")
            return super().read(window)

    class BrokenSink:
        def write(self, window: Window, array: np.ndarray) -> None:
            raise OutputError("disk full")

    class BrokenRuntime(_Constant):
        def run(self, tiles: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
            yield next(super().run(tiles))
            raise ModelError("no memory")

    def interrupt(_done: int, _all: int) -> None:
        raise KeyboardInterrupt

    source, sink = make_source(100, 100), make_sink((100, 100))
    options = PredictOptions(tile_size=16, blend=blend, **PLAIN)
    with pytest.raises(InputError, match="damaged block"):
        predict(BrokenSource(source.values, source.valid), network, sink, options)
    with pytest.raises(OutputError, match="disk full"):
        predict(source, network, BrokenSink(), options)
    with pytest.raises(ModelError, match="no memory"):
        predict(source, dataclasses.replace(network, runtime=BrokenRuntime(network.runtime)), sink, options)
    with pytest.raises(KeyboardInterrupt):
        predict(source, network, sink, options, progress=interrupt)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("roadlift-")]


def test_a_source_that_gives_too_little(network: Model, make_source: Any, make_sink: Any) -> None:
    source = make_source(32, 32)
    source.read = lambda window: Pixels(source.values[:, :4, :4], source.valid[:4, :4])
    with pytest.raises(InputError, match=r"gave \(4, 4\) pixels"):
        predict(source, network, make_sink((32, 32)), PredictOptions(**PLAIN))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile_size": 0}, "1 to 16384 px"),
        ({"halo": -1}, "0 to 8192 px"),
        ({"batch_size": 0}, "1 to 256 tiles"),
        ({"blend": "gauss"}, "none, linear, hann"),
        ({"stretch": "minmax"}, "percentile, none"),
        ({"exact": True, "halo": 8}, "exact takes the halo"),
        ({"exact": True, "blend": "hann"}, "exact takes the halo"),
        ({"overlap": 8}, "overlap belongs to blend linear or hann"),
        ({"blend": "hann", "halo": 8}, "halo belongs to blend none"),
        ({"blend": "hann", "overlap": 2000}, "at most the tile size, 1536 px"),
    ],
)
def test_options_that_are_not_allowed(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PredictOptions(**options)


def test_sizes_are_rounded_to_the_stride_and_to_the_raster(network: Model) -> None:
    card = network.card
    grid = tile_grid((1000, 2000), card, PredictOptions())
    assert (grid.core, grid.halo, grid.multiple) == ((1000, 1000), 8, 8)
    assert tile_grid((400, 398), card, PredictOptions()).core == (400, 400)
    assert tile_grid((2016, 3000), card, PredictOptions(tile_size=1001, halo=9)).core == (1008, 1000)
    assert tile_grid((1000, 2000), card, PredictOptions(halo=9)).halo == 16
    assert tile_grid((1000, 2000), card, PredictOptions(exact=True)).halo == 16
    assert tile_grid((1000, 2000), card, PredictOptions(blend="hann")).halo == 128
    assert tile_grid((1000, 2000), card, PredictOptions(blend="hann", overlap=100)).halo == 56
    assert tile_grid((8, 8), card, PredictOptions(blend="hann")).halo == 0


def test_the_stretch_is_fitted_once_on_valid_pixels(network: Model, make_source: Any, make_sink: Any) -> None:
    source = make_source(64, 64)
    source.values = (source.values // 4 + 100).astype(np.uint8)
    source.valid[:10] = False
    source.values[:, :10] = 255
    stretch = fit_stretch(source, network.card, PredictOptions())
    assert all(100 <= low < 103 for low in stretch.low)
    assert all(160 < high <= 163 for high in stretch.high)
    raw, stretched = make_sink((64, 64)), make_sink((64, 64))
    predict(source, network, raw, PredictOptions(stretch="none"))
    predict(source, network, stretched, PredictOptions())
    assert not np.array_equal(raw.array, stretched.array)


def test_a_real_raster_through_files(network: Model, tmp_path: Path) -> None:
    """Two tile sizes give the same bytes, on the raster's own grid."""
    folder = Path(__file__).parents[2].parent / "shared/data/georeferenced"
    if not folder.is_dir():
        pytest.skip("needs the labelled imagery in ../shared/data")
    results = []
    for tile_size in (256, 1024):
        path = tmp_path / f"{tile_size}.tif"
        with ImagerySource(next(folder.glob("tiny_*_512.tif"))) as source:
            with ProbabilityWriter(path, source.shape, source.georef) as writer:
                predict(source, network, writer, PredictOptions(tile_size=tile_size))
            values, georef = read_probability(path)
            assert values.shape == source.shape
            assert georef.transform.almost_equals(source.georef.transform)
            results.append(values)
    assert np.array_equal(*results)
    assert results[0].min() < results[0].max() <= 254
