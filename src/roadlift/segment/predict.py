"""Image to road probability: tiles stream through reader, network and writer, all three at work at once.

Cores partition the raster. Each is read with a halo around it and only the core is kept, so a wide enough
halo makes the result independent of the tiling. At the raster's borders the image is mirrored without
repeating the edge pixel (``np.pad`` mode "reflect"); what lies farther out than a halo never reaches a core.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from roadlift.errors import InputError, UsageError
from roadlift.imagery import Grid, Stretch, Tile, Window
from roadlift.segment._stages import run_stages
from roadlift.segment.blend import BLENDS, SeamBlender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roadlift.imagery import Pixels
    from roadlift.model import Model, ModelCard

NO_DATA: Final = 255
STRETCHES: Final = ("percentile", "none")

Result = TypeVar("Result")
UInt8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]


class Source(Protocol):
    """What is read from: :class:`roadlift.imagery.ImagerySource`, or anything with the same face."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixel values."""
        ...

    def read(self, window: Window) -> Pixels:
        """Values (3, rows, cols) and valid mask (rows, cols) of a window inside the raster."""
        ...

    def sample(self, max_pixels: int = ...) -> Pixels:
        """Read the whole raster, decimated."""
        ...


class Sink(Protocol):
    """What is written to: anything with ``write``."""

    def write(self, window: Window, array: UInt8) -> None:
        """Take uint8 (rows, cols), 0..254 or 255 for no data; windows cover the raster exactly once."""
        ...


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """How an image is cut, scaled and put together.

    Attributes:
        tile_size: Core of a tile in pixels, rounded up to a multiple of the model's stride; smaller when the
            raster is.
        halo: Margin read around each core in pixels, rounded up likewise; None is the model card's.
        exact: Take the card's exact halo: the result no longer depends on the tiling.
        blend: ``none`` (halo and crop), ``linear`` or ``hann`` (neighbouring tiles fade into each other).
        overlap: Pixels that neighbouring tiles share when blending; None is a quarter of the tile.
        batch_size: Tiles handed to the network at once; it never changes the result.
        stretch: ``percentile`` or ``none``; None is the model card's.

    Raises:
        UsageError: When a value is not allowed, or two contradict each other.

    Example:
        >>> PredictOptions(blend="cosine")
        Traceback (most recent call last):
        roadlift.errors.UsageError: blend is 'cosine'; allowed: none, linear, hann
    """

    tile_size: int = 1024
    halo: int | None = None
    exact: bool = False
    blend: str = "none"
    overlap: int | None = None
    batch_size: int = 1
    stretch: str | None = None

    def __post_init__(self) -> None:
        _check_range("tile_size", self.tile_size, 1, 16384, "px")
        _check_range("halo", self.halo, 0, 8192, "px")
        _check_range("overlap", self.overlap, 0, 16384, "px")
        _check_range("batch_size", self.batch_size, 1, 256, "tiles")
        _check_choice("blend", self.blend, BLENDS)
        if self.stretch is not None:
            _check_choice("stretch", self.stretch, STRETCHES)
        if self.exact and (self.halo is not None or self.blend != "none"):
            raise UsageError(
                "exact takes the halo from the model card and does not blend; leave out halo and blend"
            )
        if self.blend == "none" and self.overlap is not None:
            raise UsageError(
                "overlap belongs to blend linear or hann; with blend none the margin is called halo"
            )
        if self.blend != "none" and self.halo is not None:
            raise UsageError(f"halo belongs to blend none; with blend {self.blend} give overlap")
        if self.overlap is not None and self.overlap > self.tile_size:
            raise UsageError(
                f"overlap is {self.overlap} px; at most the tile size, {self.tile_size} px, is allowed"
            )


@dataclass(frozen=True)
class PredictStats:
    """What a prediction did.

    Attributes:
        tiles: Tiles of the grid.
        skipped: Tiles without a valid pixel, for which the network did not run.
        pixels: Pixels of the raster.
        network_pixels: Pixels that went through the network, margins included.
        read_seconds: Time spent reading, scaling and mirroring.
        network_seconds: Time spent waiting for the network.
        write_seconds: Time spent blending, cropping and writing.
        wall_seconds: Time from start to end; the stages overlap, so it is less than their sum.
    """

    tiles: int
    skipped: int
    pixels: int
    network_pixels: int
    read_seconds: float
    network_seconds: float
    write_seconds: float
    wall_seconds: float


def predict(
    source: Source,
    model: Model,
    sink: Sink,
    options: PredictOptions | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> PredictStats:
    """Predict the road probability of every pixel of a raster, in memory that does not grow with the raster.

    Args:
        source: The raster, at the model's ground resolution.
        model: The network.
        sink: Gets uint8 windows that cover the raster once, from one thread, in grid order; 0..254 is the
            probability times 254, 255 is no data.
        options: See :class:`PredictOptions`; None means its defaults.
        progress: Called as ``progress(done_tiles, all_tiles)`` from the calling thread.

    Returns:
        Counts and times.

    Raises:
        InputError: When the raster cannot be read.
        ModelError: When the network fails.
        OutputError: When the sink cannot write.

    Example:
        >>> with ImagerySource("city.tif") as source:                        # doctest: +SKIP
        ...     with ProbabilityWriter("p.tif", source.shape, source.georef) as writer:
        ...         stats = predict(source, load_model(), writer)
    """
    options = options or PredictOptions()
    started = time.perf_counter()
    grid = tile_grid(source.shape, model.card, options)
    stretch = fit_stretch(source, model.card, options)
    run = _Run(source, model, sink, options, grid, stretch, progress)
    run_stages(run.read(), run.compute, run.write, capacity=2)
    return PredictStats(
        tiles=len(grid),
        skipped=run.skipped,
        pixels=source.shape[0] * source.shape[1],
        network_pixels=run.network_pixels,
        read_seconds=run.read_seconds,
        network_seconds=run.network_seconds,
        write_seconds=run.write_seconds,
        wall_seconds=time.perf_counter() - started,
    )


def tile_grid(shape: tuple[int, int], card: ModelCard, options: PredictOptions) -> Grid:
    """Lay the grid of tiles over a raster: what is read, run and written, one after the other.

    When blending, the halo is half the overlap: whole tiles of the neighbours then share the overlap.

    Args:
        shape: Rows and columns of the raster.
        card: The model's card; all sizes are rounded up to its stride.
        options: Tile size, halo, blend.

    Raises:
        UsageError: When the overlap is larger than the tile.
    """
    core = min(_round_up(options.tile_size, card.stride), _round_up(max(shape), card.stride))
    if options.blend == "none":
        halo = card.exact_halo if options.exact else card.halo if options.halo is None else options.halo
    else:
        overlap = core // 4 if options.overlap is None else options.overlap
        halo = min((overlap + 1) // 2, core // 2 // card.stride * card.stride)
    return Grid(shape, core=core, halo=_round_up(halo, card.stride), multiple=card.stride)


def fit_stretch(source: Source, card: ModelCard, options: PredictOptions) -> Stretch:
    """Fit the radiometric scaling for a whole raster, as the card or the options ask for it.

    Args:
        source: The raster.
        card: The model's card: percentiles and fill value.
        options: ``stretch``.
    """
    if (options.stretch or card.stretch) == "none":
        return Stretch.none(source.dtype, fill=card.fill)
    return Stretch.fit(
        source.sample(),
        low_percent=card.stretch_low_percent,
        high_percent=card.stretch_high_percent,
        fill=card.fill,
    )


def read_tile(source: Source, tile: Tile, stretch: Stretch) -> tuple[UInt8, Bool]:
    """Read a tile with its halo; beyond the raster's borders the image is mirrored and nothing is valid.

    Args:
        source: The raster.
        tile: A tile of a grid over the raster.
        stretch: The raster's scaling.

    Returns:
        Image uint8 (rows, cols, 3) and valid mask bool (rows, cols), both of the size of ``tile.read``.
    """
    inside = tile.read.clip(source.shape)
    pixels = source.read(inside)
    if pixels.valid.shape != inside.shape:
        raise InputError(f"the source gave {pixels.valid.shape} pixels for a window of {inside.shape}")
    above, left = inside.row - tile.read.row, inside.col - tile.read.col
    below, right = tile.read.height - inside.height - above, tile.read.width - inside.width - left
    valid = np.pad(pixels.valid, ((above, below), (left, right)))
    image = stretch.apply(pixels)
    if above or below or left or right:
        image = np.pad(image, ((above, below), (left, right), (0, 0)), mode="reflect")
    return image, valid


@dataclass(frozen=True)
class _Job:
    """One tile on its way: the image until the network has run, the probability afterwards."""

    tile: Tile
    valid: Bool | None
    image: UInt8 | None = None
    probability: UInt8 | None = None


class _Run:
    """State of one prediction: the three stages and what they count. Each field has one writing thread."""

    def __init__(
        self,
        source: Source,
        model: Model,
        sink: Sink,
        options: PredictOptions,
        grid: Grid,
        stretch: Stretch,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._source = source
        self._model = model
        self._sink = sink
        self._batch_size = options.batch_size
        self._grid = grid
        self._stretch = stretch
        self._progress = progress
        self._blender = None if options.blend == "none" else SeamBlender(grid, options.blend)
        self._waiting: deque[_Job] = deque()
        self._idle_seconds = 0.0
        self._done = 0
        self.skipped = 0
        self.network_pixels = 0
        self.read_seconds = 0.0
        self.network_seconds = 0.0
        self.write_seconds = 0.0

    def read(self) -> Iterator[_Job]:
        """First stage: tiles in grid order; without an image where no pixel counts."""
        for tile in self._grid:
            started = time.perf_counter()
            image, valid = read_tile(self._source, tile, self._stretch)
            counting = valid if self._blender else valid[_inside(tile.core, tile.read)]
            job = _Job(tile, valid, image) if counting.any() else _Job(tile, None)
            self.read_seconds += time.perf_counter() - started
            yield job

    def compute(self, jobs: Iterator[_Job], pass_on: Callable[[_Job], None]) -> None:
        """Middle stage: pass the jobs on with their probability, in the same order."""
        started = time.perf_counter()
        with closing(self._model.predict_many(self._batches(jobs, pass_on))) as batches:
            for batch in batches:
                for probability in batch:
                    job = self._waiting.popleft()
                    self.network_pixels += probability.size
                    self._finish(_Job(job.tile, job.valid, None, probability), pass_on)
                    self._finish_skipped(pass_on)
        self.network_seconds = time.perf_counter() - started - self._idle_seconds

    def _batches(self, jobs: Iterator[_Job], pass_on: Callable[[_Job], None]) -> Iterator[UInt8]:
        """Images for the network; every job that was taken waits for its turn to be passed on."""
        images: list[UInt8] = []
        while (job := self._timed(lambda: next(jobs, None))) is not None:
            self._waiting.append(_Job(job.tile, job.valid))
            if job.image is None:
                self.skipped += 1
                self._finish_skipped(pass_on)
                continue
            images.append(job.image)
            if len(images) == self._batch_size:
                yield _stack(images)
                images = []
        if images:
            yield _stack(images)

    def _finish_skipped(self, pass_on: Callable[[_Job], None]) -> None:
        while self._waiting and self._waiting[0].valid is None:
            self._finish(self._waiting.popleft(), pass_on)

    def _finish(self, job: _Job, pass_on: Callable[[_Job], None]) -> None:
        self._timed(lambda: pass_on(job))
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, len(self._grid))

    def _timed(self, wait: Callable[[], Result]) -> Result:
        """Wait for a neighbouring stage; that time is not the network's."""
        started = time.perf_counter()
        try:
            return wait()
        finally:
            self._idle_seconds += time.perf_counter() - started

    def write(self, job: _Job) -> None:
        """Last stage: blend or crop, mark what is invalid, write."""
        started = time.perf_counter()
        if self._blender is None:
            self._write_core(job)
        else:
            self._write_blended(job, self._blender)
        self.write_seconds += time.perf_counter() - started

    def _write_core(self, job: _Job) -> None:
        self._write_window(job, job.tile.core, job.tile.read, job.probability)

    def _write_blended(self, job: _Job, blender: SeamBlender) -> None:
        probability = job.probability
        if probability is None:
            probability = np.zeros(job.tile.read.shape, np.uint8)
        row, col, final = blender.add(job.tile, probability)
        part = Window(row, col, *final.shape)
        self._write_window(job, part, part, final)

    def _write_window(self, job: _Job, window: Window, frame: Window, values: UInt8 | None) -> None:
        """Write the part of ``window`` that lies in the raster; ``values`` cover ``frame``."""
        target = window.clip(self._source.shape)
        if target.height == 0 or target.width == 0:
            return
        if values is None or job.valid is None:
            array = np.full(target.shape, NO_DATA, np.uint8)
        else:
            valid = job.valid[_inside(target, job.tile.read)]
            array = np.where(valid, values[_inside(target, frame)], np.uint8(NO_DATA))
        self._sink.write(target, array)


def _stack(images: list[UInt8]) -> UInt8:
    return images[0][None] if len(images) == 1 else np.stack(images)


def _inside(window: Window, frame: Window) -> tuple[slice, slice]:
    """Index of ``window`` in an array that covers ``frame``; parts that stick out are cut off."""
    row, col = window.row - frame.row, window.col - frame.col
    return slice(max(row, 0), row + window.height), slice(max(col, 0), col + window.width)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _check_range(name: str, value: int | None, lowest: int, highest: int, unit: str) -> None:
    if value is not None and not lowest <= value <= highest:
        raise UsageError(f"{name} is {value}; allowed: {lowest} to {highest} {unit}")


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")
