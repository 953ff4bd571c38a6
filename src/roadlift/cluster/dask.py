"""Tiles in blocks on Dask workers; results lie in the journal that all of them see, and only counts travel.

A block may be run twice, when a worker is lost: the second worker takes up what the first has finished. A tile that kills
its workers, or cannot be computed, is found by running the tiles of its block one by one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from roadlift.cluster.station import Counts, compute_block
from roadlift.errors import InputError, RoadliftError, UsageError
from roadlift.model import available_threads
from roadlift.pipeline import Progress, Work
from roadlift.segment import NO_DATA, PredictStats

ON_ERROR: Final = ("fail", "skip")
MAX_BLOCK: Final = 16
MAX_LEFT_OUT: Final = 0.05
_BLOCKS_FOR_EACH_WORKER: Final = 4
_WORKER_SLACK: Final = 1.5
_PATIENCE_S: Final = 60
_LOG = logging.getLogger("roadlift")


@dataclass(frozen=True)
class DaskCluster:
    """Computes tiles on a Dask cluster; give it to extract or predict as ``compute``.

    Attributes:
        address: ``local:4`` starts so many worker processes on this machine, for the time of the work and reachable from
            it only; ``tcp://host:8786`` is a scheduler that runs. Its workers must have roadlift, and see the image and
            the folder of the output under the same absolute paths.
        on_error: What a tile is that cannot be computed: ``fail``, an error; ``skip``, no data, up to 5 % of the tiles.

    Raises:
        UsageError: The address is none, or Dask is not installed.

    Example:
        >>> from roadlift import extract                                         # doctest: +SKIP
        >>> roads = extract("city.tif", output="city.gpkg", compute=DaskCluster("local:4"))  # doctest: +SKIP
    """

    address: str
    on_error: str = "fail"

    def __post_init__(self) -> None:
        if self.on_error not in ON_ERROR:
            raise UsageError(f"on_error is {self.on_error!r}; allowed: {', '.join(ON_ERROR)}.")
        if not re.fullmatch(r"local:[1-9]\d{0,3}|(tcp|tls|ucx)://\S+:\d+", self.address):
            raise UsageError(
                f"--cluster {self.address!r} is no cluster; give local:4, or the address of a scheduler like "
                "tcp://host:8786."
            )

    def __call__(self, work: Work, tiles: Sequence[int], progress: Progress | None = None) -> PredictStats:
        """Compute tiles of some work.

        Raises:
            InputError: A tile cannot be computed, or too many; the message names its window.
            UsageError: The cluster cannot be reached.
        """
        with self._client(work) as (client, threads):
            run = _Run(client, work, threads, len(tiles), progress)
            size = -(-len(tiles) // (_BLOCKS_FOR_EACH_WORKER * run.workers))
            blocks = _cut(tiles, min(MAX_BLOCK, size))
            try:
                suspects = list(run.blocks(blocks, fail_at_once=self.on_error == "fail"))
                single = [(index,) for block, _ in suspects for index in block]
                # Dask blames all that waited on a worker that died: who fails alone is to blame.
                accused = list(run.blocks(single, fail_at_once=False))
                lost = [found for block, _ in accused for found in run.blocks([block], fail_at_once=False)]
            finally:
                work.store.refresh()
        self._leave_out(work, lost)
        return run.stats(work)

    def _leave_out(self, work: Work, lost: Sequence[tuple[Sequence[int], BaseException]]) -> None:
        """Raise for the tiles that nobody could compute, or make them no data."""
        failed = [(block[0], error) for block, error in lost if block[0] not in work.store.finished]
        if not failed:
            return
        index, error = failed[0]
        where = _place(work, index)
        if self.on_error == "fail":
            raise InputError(
                f"tile {index} of {work.image} ({where}) cannot be computed: {_reason(error)}. The other tiles are kept; "
                "--on-error skip makes it no data."
            ) from error
        left_out = len(failed) + len(work.store.skipped)
        if left_out > MAX_LEFT_OUT * len(work.grid):
            raise InputError(
                f"{left_out} of {len(work.grid)} tiles of {work.image} cannot be computed, the first of them {where}: "
                f"{_reason(error)}. At most {MAX_LEFT_OUT:.0%} may be left out."
            ) from error
        with work.store.writer("left-out") as writer:
            for number, reason in failed:
                _LOG.warning("tile %d (%s) is left out: %s", number, _place(work, number), _reason(reason))
                tile = work.grid[number]
                writer.write(tile, np.full(work.store.kept(tile).shape, NO_DATA, np.uint8), skipped=True)

    @contextmanager
    def _client(self, work: Work) -> Iterator[tuple[Any, int | None]]:
        """Connect to the cluster, or start one; with the tiles that a worker computes at the same time."""
        try:
            import dask
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise UsageError("--cluster needs Dask; run: pip install 'roadlift[cluster]'") from error
        if not self.address.startswith("local:"):
            with self._connected(Client) as client:
                yield client, None
            return
        workers = int(self.address.split(":")[1])
        memory = max(work.plan.max_memory // workers, int(work.plan.expected_memory * _WORKER_SLACK))
        with (
            dask.config.set({"distributed.scheduler.allowed-failures": 1}),
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=memory,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client, max(1, available_threads() // workers)

    @contextmanager
    def _connected(self, connect: Callable[..., Any]) -> Iterator[Any]:
        """Connect to a scheduler that runs and has at least one worker."""
        with ExitStack() as stack:
            try:
                client = stack.enter_context(connect(self.address, timeout=_PATIENCE_S))
                client.wait_for_workers(1, timeout=_PATIENCE_S)
            except (OSError, TimeoutError) as error:
                raise UsageError(
                    f"the scheduler {self.address} cannot be reached, or has no workers: {error}. Start it, or correct "
                    "--cluster."
                ) from error
            yield client


class _Run:
    """One distribution of blocks: what is sent out, and what came back."""

    def __init__(
        self, client: Any, work: Work, threads: int | None, total: int, progress: Progress | None
    ) -> None:
        self._client, self._threads = client, threads
        self._folder = str(work.journal.folder.resolve())
        self._job = str(work.journal.facts["job"])
        self._total, self._progress = total, progress
        self._done = 0
        self._counts = Counts()
        self.workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))

    def blocks(
        self, blocks: Iterable[Sequence[int]], *, fail_at_once: bool
    ) -> Iterator[tuple[Sequence[int], BaseException]]:
        """Run blocks; yields those that failed, with the reason.

        Args:
            blocks: Indices of tiles.
            fail_at_once: Whether an error of ours ends all; the death of a worker never does.
        """
        from distributed import as_completed

        futures = {
            self._client.submit(
                compute_block, self._folder, self._job, tuple(block), self._threads, pure=False
            ): block
            for block in blocks
        }
        for future in as_completed(futures):
            block, error = futures.pop(future), future.exception()
            if error is None:
                self._count(future.result(), len(block))
            elif fail_at_once and isinstance(error, RoadliftError):
                self._client.cancel(list(futures))
                raise error
            else:
                yield block, error

    def _count(self, counts: Counts, tiles: int) -> None:
        self._counts = self._counts + counts
        self._done += tiles
        if self._progress is not None:
            self._progress(self._done, self._total)

    def stats(self, work: Work) -> PredictStats:
        """Return what was counted on all workers; there are no times of stages that ran on many machines."""
        empty = PredictStats(
            self._total, 0, 0, work.grid.shape[0] * work.grid.shape[1], 0, 0.0, 0.0, 0.0, 0.0
        )
        counts = self._counts
        return replace(
            empty, skipped=counts.skipped, repeated=counts.repeated, network_pixels=counts.network_pixels
        )


def _cut(tiles: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    yield from (tiles[start : start + size] for start in range(0, len(tiles), size))


def _place(work: Work, index: int) -> str:
    core = work.grid[index].core
    last_row, last_col = core.row + core.height - 1, core.col + core.width - 1
    return f"rows {core.row}-{last_row}, columns {core.col}-{last_col} of the working grid"


def _reason(error: BaseException) -> str:
    from distributed.scheduler import KilledWorker

    return "it ends every worker that tries" if isinstance(error, KilledWorker) else str(error)
