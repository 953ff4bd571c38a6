"""Image to road probability: tiles stream through reader, network and writer, all three at work at once.

Cores partition the raster. Each is read with a halo around it and only the core is kept, so a wide enough
halo makes the result independent of the tiling. At the raster's borders the image is mirrored without
repeating the edge pixel (``np.pad`` mode "reflect"); what lies farther out than a halo never reaches a core.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from roadlift.errors import InputError
from roadlift.imagery import Stretch, Tile, Window, sample_of_image
from roadlift.segment._stages import run_stages
from roadlift.segment.blend import SeamBlender
from roadlift.segment.options import PredictOptions, tile_grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from roadlift.imagery import Grid, Pixels
    from roadlift.model import Model, ModelCard

NO_DATA: Final = 255

Result = TypeVar("Result")
MAX_FLAT_COLOURS: Final = 8
"""Colours whose answer is remembered: a tile of one colour all over is computed once for each."""

UInt8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]
Take = Callable[[Tile, UInt8], None]
"""What finished tiles are handed to."""


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


@dataclass(frozen=True)
class PredictStats:
    """What a prediction did.

    Attributes:
        tiles: Tiles that were asked for.
        skipped: Tiles without a valid pixel, for which the network did not run.
        repeated: Tiles of one colour all over, for which the answer was known from an earlier one.
        pixels: Pixels of the raster.
        network_pixels: Pixels that went through the network, margins included.
        read_seconds: Time spent reading, scaling and mirroring.
        network_seconds: Time spent waiting for the network.
        write_seconds: Time spent blending, cropping and writing.
        wall_seconds: Time from start to end; the stages overlap, so it is less than their sum.
    """

    tiles: int
    skipped: int
    repeated: int
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
    grid = tile_grid(source.shape, model.card, options)
    return predict_tiles(
        source,
        model,
        _cropping(sink) if options.blend == "none" else _blending(sink, grid, options.blend),
        options,
        grid=grid,
        stretch=fit_stretch(source, model.card, options),
        progress=progress,
    )


def predict_tiles(
    source: Source,
    model: Model,
    take: Take,
    options: PredictOptions,
    *,
    grid: Grid,
    stretch: Stretch,
    tiles: Iterable[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PredictStats:
    """Predict some tiles of a grid; the answer for a tile does not depend on which others are asked for.

    Args:
        source: The raster, at the model's ground resolution.
        model: The network.
        take: Called from one thread as ``take(tile, values)`` in the order of ``tiles``. The values are uint8, 0..254 or 255
            for no data, over the tile's core, or its whole read window when blending, clipped to the raster.
        options: How the tiles were laid and are handed to the network.
        grid: The tiles, see :func:`tile_grid`.
        stretch: The raster's scaling, see :func:`fit_stretch`.
        tiles: Indices of the tiles; None means all.
        progress: Called as ``progress(done_tiles, all_tiles)`` from the calling thread.

    Raises:
        InputError, ModelError, OutputError: As :func:`predict`.
    """
    started = time.perf_counter()
    wanted = range(len(grid)) if tiles is None else list(tiles)
    order = _Order(source, stretch, grid, wanted, options)
    run = _Run(order, model, take, progress)
    run_stages(run.read(), run.compute, run.write, capacity=2)
    counts = run.counts
    return PredictStats(
        tiles=len(wanted),
        skipped=counts.skipped,
        repeated=counts.repeated,
        pixels=source.shape[0] * source.shape[1],
        network_pixels=counts.network_pixels,
        read_seconds=counts.read_seconds,
        network_seconds=counts.network_seconds,
        write_seconds=counts.write_seconds,
        wall_seconds=time.perf_counter() - started,
    )


def _cropping(sink: Sink) -> Take:
    """Pass cores on as they come."""

    def take(tile: Tile, values: UInt8) -> None:
        sink.write(tile.core, values)

    return take


def _blending(sink: Sink, grid: Grid, blend: str) -> Take:
    """Blend tiles that come in grid order and pass on what no later one can change."""
    blender = SeamBlender(grid, blend)

    def take(tile: Tile, values: UInt8) -> None:
        whole = np.zeros(tile.read.shape, np.uint8)
        whole[_inside(tile.read.clip(grid.shape), tile.read)] = values
        row, col, final = blender.add(tile, whole)
        part = Window(row, col, *final.shape)
        inside = part.clip(grid.shape)
        if inside.height and inside.width:
            sink.write(inside, final[_inside(inside, part)])

    return take


def fit_stretch(source: Source, card: ModelCard, options: PredictOptions) -> Stretch:
    """Fit the radiometric scaling for a whole raster, as the card or the options ask for it; filling does not count.

    Args:
        source: The raster.
        card: The model's card: percentiles and fill value.
        options: ``stretch``.
    """
    if (options.stretch or card.stretch) == "none":
        return Stretch.none(source.dtype, fill=card.fill)
    return Stretch.fit(
        sample_of_image(source),
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
class _Order:
    """What one prediction reads: which tiles of what."""

    source: Source
    stretch: Stretch
    grid: Grid
    wanted: Sequence[int]
    options: PredictOptions

    @property
    def blended(self) -> bool:
        return self.options.blend != "none"

    def kept(self, tile: Tile) -> Window:
        """Return the part of the raster that is kept of a tile."""
        return (tile.read if self.blended else tile.core).clip(self.grid.shape)

    def job(self, tile: Tile) -> _Job:
        """Read a tile; without an image where no pixel of what is kept counts."""
        image, valid = read_tile(self.source, tile, self.stretch)
        counting = valid[_inside(self.kept(tile), tile.read)]
        return _Job(tile, counting, image, _flat_colour(image)) if counting.any() else _Job(tile)


@dataclass(frozen=True)
class _Job:
    """One tile on its way: the image until the network has run, the probability afterwards.

    ``valid`` covers what is kept of the tile, and is None where nothing is; ``colour`` is that of a tile of one colour.
    """

    tile: Tile
    valid: Bool | None = None
    image: UInt8 | None = None
    colour: bytes | None = None
    repeats: bool = False
    probability: UInt8 | None = None


@dataclass
class _Counts:
    """What the stages of one prediction count; each field has one writing thread."""

    skipped: int = 0
    repeated: int = 0
    network_pixels: int = 0
    read_seconds: float = 0.0
    network_seconds: float = 0.0
    write_seconds: float = 0.0


class _Run:
    """State of one prediction: the three stages."""

    def __init__(
        self, order: _Order, model: Model, take: Take, progress: Callable[[int, int], None] | None
    ) -> None:
        self._order = order
        self._model = model
        self._take = take
        self._progress = progress
        self._waiting: deque[_Job] = deque()
        self._flat: dict[bytes, UInt8 | None] = {}
        self._idle_seconds = 0.0
        self._done = 0
        self.counts = _Counts()

    def read(self) -> Iterator[_Job]:
        """First stage: tiles in the order that was asked for."""
        for index in self._order.wanted:
            started = time.perf_counter()
            tile = self._order.grid[index]
            job = self._order.job(tile)
            self.counts.read_seconds += time.perf_counter() - started
            yield job

    def compute(self, jobs: Iterator[_Job], pass_on: Callable[[_Job], None]) -> None:
        """Middle stage: pass the jobs on with their probability, in the same order."""
        started = time.perf_counter()
        with closing(self._model.predict_many(self._batches(jobs, pass_on))) as batches:
            for batch in batches:
                for probability in batch:
                    job = self._waiting.popleft()
                    self.counts.network_pixels += probability.size
                    if job.colour in self._flat:
                        self._flat[job.colour] = probability
                    self._finish(job, probability, pass_on)
                    self._finish_known(pass_on)
        self.counts.network_seconds = time.perf_counter() - started - self._idle_seconds

    def _batches(self, jobs: Iterator[_Job], pass_on: Callable[[_Job], None]) -> Iterator[UInt8]:
        """Images for the network; every job that was taken waits for its turn to be passed on."""
        images: list[UInt8] = []
        while (job := self._timed(lambda: next(jobs, None))) is not None:
            repeats = job.colour in self._flat
            self._waiting.append(replace(job, image=None, repeats=repeats))
            if job.image is None or repeats:
                self._finish_known(pass_on)
                continue
            if job.colour is not None and len(self._flat) < MAX_FLAT_COLOURS:
                self._flat[job.colour] = None
            images.append(job.image)
            if len(images) == self._order.options.batch_size:
                yield _stack(images)
                images = []
        if images:
            yield _stack(images)

    def _finish_known(self, pass_on: Callable[[_Job], None]) -> None:
        """Pass on what needs no network: tiles without a valid pixel, and repeats of an answer that is there."""
        while self._waiting and (self._waiting[0].valid is None or self._waiting[0].repeats):
            job = self._waiting.popleft()
            self.counts.skipped += job.valid is None
            self.counts.repeated += job.repeats
            self._finish(job, self._flat[job.colour] if job.repeats and job.colour else None, pass_on)

    def _finish(self, job: _Job, probability: UInt8 | None, pass_on: Callable[[_Job], None]) -> None:
        self._timed(lambda: pass_on(replace(job, probability=probability)))
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, len(self._order.wanted))

    def _timed(self, wait: Callable[[], Result]) -> Result:
        """Wait for a neighbouring stage; that time is not the network's."""
        started = time.perf_counter()
        try:
            return wait()
        finally:
            self._idle_seconds += time.perf_counter() - started

    def write(self, job: _Job) -> None:
        """Last stage: crop, mark what is invalid, hand over."""
        started = time.perf_counter()
        kept = self._order.kept(job.tile)
        if job.probability is None or job.valid is None:
            values = np.full(kept.shape, NO_DATA, np.uint8)
        else:
            values = np.where(job.valid, job.probability[_inside(kept, job.tile.read)], np.uint8(NO_DATA))
        self._take(job.tile, values)
        self.counts.write_seconds += time.perf_counter() - started


def _flat_colour(image: UInt8) -> bytes | None:
    """Return the colour of an image of one colour all over, else None."""
    if (image[0] != image[0, 0]).any():
        return None
    values = image.reshape(-1)
    return image[0, 0].tobytes() if (values[3:] == values[:-3]).all() else None


def _stack(images: list[UInt8]) -> UInt8:
    return images[0][None] if len(images) == 1 else np.stack(images)


def _inside(window: Window, frame: Window) -> tuple[slice, slice]:
    """Index of ``window``, which lies inside ``frame``, in an array that covers ``frame``."""
    return window.shift(-frame.row, -frame.col).slices
