"""What runs on a worker: it joins the work once, then computes block after block."""

from __future__ import annotations

import atexit
import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Lock

from roadlift.errors import ModelError, OutputError, RoadliftError
from roadlift.pipeline import Work, join_work, keeping
from roadlift.segment import Take, predict_tiles


@dataclass(frozen=True)
class Counts:
    """What a worker counts; see :class:`roadlift.segment.PredictStats`."""

    skipped: int = 0
    repeated: int = 0
    network_pixels: int = 0

    def __add__(self, other: Counts) -> Counts:
        names = [field.name for field in fields(self)]
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, eq=False)
class _Station:
    """The work that this process has joined, and what takes its finished tiles."""

    job: str
    work: Work
    take: Take
    stack: ExitStack


_LOCK = Lock()
_STATION: list[_Station] = []


def compute_block(folder: str, job: str, tiles: tuple[int, ...], threads: int | None) -> Counts:
    """Compute those tiles of a block that nobody has finished.

    Args:
        folder: Of the journal.
        job: What tells this journal from one that lay there before.
        tiles: Indices of the work's grid.
        threads: Tiles computed at the same time; None is as planned on this machine.

    Raises:
        InputError, ModelError, OutputError, UsageError: As :func:`roadlift.pipeline.join_work` and prediction.
    """
    try:
        return _compute(folder, job, tiles, threads)
    except RoadliftError:
        raise
    except Exception as error:  # noqa: BLE001 - Dask waits for ever for an error that it cannot send; a text it can
        reason = f"{type(error).__name__}: {error}"
    raise ModelError(reason)  # outside, so that nothing of the error travels with it


def _compute(folder: str, job: str, tiles: tuple[int, ...], threads: int | None) -> Counts:
    with _LOCK:  # a worker with several threads computes one block at a time: a block fills the processor
        station = _join(folder, job, threads)
        work = station.work
        if not _first_to_try(work, tiles[0]):
            work.store.refresh()
        missing = [index for index in tiles if index not in work.store.finished]
        stats = predict_tiles(
            work.source,
            work.model,
            station.take,
            work.prediction,
            grid=work.grid,
            stretch=work.stretch,
            tiles=missing,
        )
        return Counts(stats.skipped, stats.repeated, stats.network_pixels)


def _join(folder: str, job: str, threads: int | None) -> _Station:
    """Return this process's station, joining the work where it has not yet."""
    if _STATION and _STATION[0].job == job:
        return _STATION[0]
    _leave()
    with ExitStack() as stack:
        work = stack.enter_context(join_work(Path(folder), threads=threads))
        writer = stack.enter_context(work.store.writer(f"worker-{socket.gethostname()}-{os.getpid()}"))
        _STATION.append(_Station(job, work, keeping(work, writer), stack.pop_all()))
    return _STATION[0]


@atexit.register
def _leave() -> None:
    """Close what was joined."""
    while _STATION:
        _STATION.pop().stack.close()


def _first_to_try(work: Work, first: int) -> bool:
    """Whether nobody has begun with this block, so that nothing of it can be finished."""
    try:
        with (work.journal.folder / f"block-{first}.begun").open("x"):
            return True
    except FileExistsError:
        return False
    except OSError as error:
        raise OutputError(
            f"{work.journal.folder} cannot be written to: {error.strerror or error}."
        ) from error
