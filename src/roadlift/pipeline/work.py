"""One image on its way: its plan, its journal, the tiles that are finished and those that are missing."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadlift.errors import OutputError, RoadliftError, UsageError
from roadlift.imagery import (
    Grid,
    ImagerySource,
    Journal,
    LostNotes,
    Mosaic,
    Stretch,
    TileStore,
    TileWriter,
    absolute,
    check_same,
    fingerprint,
    noted_lost,
    open_journal,
    read_record,
    set_cache,
)
from roadlift.memory import return_free_memory, share_one_arena
from roadlift.model import Model, expects_int8, find_card, load_model
from roadlift.pipeline.options import ExtractOptions
from roadlift.segment import (
    BlendedTiles,
    Plan,
    PredictOptions,
    PredictStats,
    Take,
    fit_stretch,
    plan_source,
    predict_tiles,
    tile_grid,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from roadlift.imagery import Tile
    from roadlift.network import Raster

Progress = Callable[[int, int], None]
LOG = logging.getLogger("roadlift")
_NEEDED_LATER = "roadlift.network.steps"
"""What draws the roads when the tiles are finished; imported while the network is compiled."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image with what decides how its tiles come out.

    Attributes:
        image: As given.
        source: The image, open.
        model: The network, ready.
        options: As given.
        prediction: How tiles are laid and put together.
        plan: How the work keeps within its memory.
        grid: The tiles.
        stretch: The image's scaling.
    """

    image: str | Path
    source: ImagerySource | Mosaic
    model: Model
    options: ExtractOptions
    prediction: PredictOptions
    plan: Plan
    grid: Grid
    stretch: Stretch


@dataclass(frozen=True, eq=False)
class Work(Prepared):
    """An image with everything that computing any tile of it needs.

    Attributes:
        journal: What is kept on disk until the output is whole.
        store: The finished tiles.
    """

    journal: Journal
    store: TileStore

    @property
    def raster(self) -> Raster:
        """The probability of the finished tiles as one raster."""
        blend = self.prediction.blend
        return self.store if blend == "none" else BlendedTiles(self.store, blend)


Compute = Callable[[Work, Sequence[int], Progress | None], PredictStats]
"""What computes tiles of some work and leaves them in its store."""


def compute_here(
    work: Work, tiles: Sequence[int], progress: Progress | None = None, *, name: str = "run"
) -> PredictStats:
    """Compute tiles in this process and add them to the store.

    Args:
        work: The image.
        tiles: Indices of its grid.
        progress: Called as ``progress(done, all)``.
        name: Of this writer among those of the same work.

    Raises:
        InputError: The image is damaged.
        ModelError: The network fails.
        OutputError: The disk is full.
    """
    with work.store.writer(name) as writer:
        return predict_tiles(
            work.source,
            work.model,
            keeping(work, writer),
            work.prediction,
            grid=work.grid,
            stretch=work.stretch,
            tiles=tiles,
            progress=progress,
        )


def keeping(work: Work, writer: TileWriter) -> Take:
    """Return what takes the finished tiles of some work; what cannot be read of the image is noted before them."""
    if work.options.on_read_error == "fail":
        return writer.write
    notes = LostNotes(work.journal.folder)

    def take(tile: Tile, values: NDArray[np.uint8]) -> None:
        notes.note(work.source.lost)
        writer.write(tile, values)

    return take


def compute_missing(work: Work, compute: Compute, progress: Progress | None) -> dict[str, Any]:
    """Compute the tiles that are not there yet; returns the figures of the receipt."""
    missing, total = work.store.missing(), len(work.grid)
    known = total - len(missing)
    if known:
        LOG.info("%s: %d of %d tiles were finished earlier; going on from there", work.image, known, total)

    def told(done: int, _: int) -> None:
        if progress is not None:
            progress(known + done, total)

    figures: dict[str, Any] = {"tiles": total, "finished_earlier": known}
    if missing:
        stats = compute(work, missing, told)
        work.source.take_up(noted_lost(work.journal.folder))  # what other processes have found
        figures |= {"without_data": stats.skipped, "repeated": stats.repeated}
    if work.store.skipped:
        figures["left_out"] = [asdict(work.grid[index].core) for index in work.store.skipped]
    return figures


@contextmanager
def open_work(
    image: str | Path,
    options: ExtractOptions,
    folder: Path | None,
    *,
    restart: bool = False,
    shard: str | None = None,
) -> Iterator[Work]:
    """Open an image, plan the work and begin its journal, or go on with it.

    The journal stays when the work is interrupted or the disk is full, and wherever tiles are finished; the caller removes
    it when the output is whole.

    Args:
        image: As for extract.
        options: As for extract.
        folder: Of the journal; None takes a temporary one, which goes at the end.
        restart: Throw away what is there.
        shard: Name of the share that this process works on.

    Raises:
        UsageError: The journal was begun for other work, or another process has it.
        InputError, LimitError, ModelError, OutputError: As extract.
    """
    if folder is None:
        with (
            tempfile.TemporaryDirectory(prefix="roadlift-") as temporary,
            open_work(image, options, Path(temporary) / "work") as work,
        ):
            yield work
        return
    options.network(find_card(options.model))  # what is wrong with it is said before the work
    begun = None if restart else read_record(folder)
    with _prepared(image, options, begun) as (ready, identity):
        facts = {
            "job": os.urandom(8).hex(),
            "image": absolute(image),
            "options": asdict(options) | {"model": absolute(options.model)},
            "tile_size": ready.plan.tile_size,
            "stretch": asdict(ready.stretch),
        }
        with open_journal(folder, identity, facts, restart=restart, shard=shard) as journal:
            store = TileStore(folder, ready.grid, whole_reads=ready.prediction.blend != "none")
            try:
                ready.source.take_up(noted_lost(folder))
                yield Work(**vars(ready), journal=journal, store=store)
            except BaseException as error:
                _leave(journal, store, error, shared=shard is not None)
                raise


@contextmanager
def _prepared(
    image: str | Path,
    options: ExtractOptions,
    begun: dict[str, Any] | None,
    *,
    threads: int | None = None,
) -> Iterator[tuple[Prepared, dict[str, Any]]]:
    """Open the image, plan, load the model; with what decides the result."""
    share_one_arena()
    card = find_card(options.model)
    with options.open(image, card) as source:
        tile_size = options.tile_size or _begun_tile(begun)
        plan = plan_source(
            source,
            card,
            options.prediction(tile_size),
            max_memory=options.max_memory,
            fixed_tile=tile_size is not None,
            int8=expects_int8(options.model, device=options.device),
        )
        LOG.info("%s: %s", image, plan.render())
        set_cache(plan.cache)
        prediction = options.prediction(plan.tile_size)
        grid = tile_grid(source.shape, card, prediction)
        with ThreadPoolExecutor(1, thread_name_prefix="roadlift-model") as pool:
            started = pool.submit(_start_model, options, min(threads or plan.threads, plan.threads), grid)
            stretch = _begun_stretch(begun) or fit_stretch(source, card, prediction)
            image_identity = fingerprint(source)
            import_module(_NEEDED_LATER)
            model = started.result()
        return_free_memory()
        identity = {
            "image": image_identity,
            "model": _model_identity(model),
            "options": options.deciding(),
            "tiles": {"core": list(grid.core), "halo": grid.halo},
        }
        yield Prepared(image, source, model, options, prediction, plan, grid, stretch), identity


def _start_model(options: ExtractOptions, threads: int, grid: Grid) -> Model:
    model = load_model(options.model, runtime=options.runtime, device=options.device, threads=threads)
    model.runtime.prepare(grid.read_shape)
    return model


def _leave(journal: Journal, store: TileStore, error: BaseException, *, shared: bool) -> None:
    """Keep what was worth the work, and say so; what this call has begun in vain goes."""
    in_vain = isinstance(error, UsageError) or (isinstance(error, RoadliftError) and not store.finished)
    if in_vain and not journal.resumed and not shared:
        journal.remove()
    elif store.finished:
        LOG.warning(
            "%d of %d tiles are kept in %s; the same command goes on from there",
            len(store.finished),
            len(store.grid),
            journal.folder,
        )


@contextmanager
def join_work(folder: Path, *, threads: int | None = None) -> Iterator[Work]:
    """Open work that another process has begun and holds, to compute some of its tiles.

    Args:
        folder: Of its journal.
        threads: Tiles computed at the same time; None is as planned here.

    Raises:
        UsageError: Image or model are not what the work was begun with.
        InputError, LimitError, ModelError, OutputError: As extract.
    """
    record = read_record(folder)
    if not record or "facts" not in record:
        raise OutputError(f"{folder} cannot be read; all machines must see it under this path.")
    options = ExtractOptions.from_json(record["facts"]["options"])
    with _prepared(record["facts"]["image"], options, record, threads=threads) as (ready, identity):
        check_same(folder, record, identity)
        store = TileStore(folder, ready.grid, whole_reads=ready.prediction.blend != "none")
        ready.source.take_up(noted_lost(folder))
        yield Work(**vars(ready), journal=Journal(folder, record["facts"], resumed=True), store=store)


def _model_identity(model: Model) -> dict[str, Any]:
    return {
        "name": model.card.name,
        "version": model.card.version,
        "sha256": model.card.sha256,
        "runtime": model.runtime.name,
        "precision": model.runtime.precision,
    }


def _begun_tile(record: dict[str, Any] | None) -> int | None:
    return record["facts"]["tile_size"] if record and "facts" in record else None


def _begun_stretch(record: dict[str, Any] | None) -> Stretch | None:
    if not record or "facts" not in record:
        return None
    found = record["facts"]["stretch"]
    return Stretch(tuple(found["low"]), tuple(found["high"]), found["fill"])
