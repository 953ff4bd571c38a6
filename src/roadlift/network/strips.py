"""The same work on every strip of a raster, on all processors."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Strip = TypeVar("Strip")
    Result = TypeVar("Result")

MOST_WORKERS: ContextVar[int] = ContextVar("MOST_WORKERS", default=4)
"""More would hold more strips than they gain time; one where every processor has work of its own."""


def map_strips(work: Callable[[Strip], Result], strips: Iterable[Strip]) -> Iterator[Result]:
    """Yield ``work(strip)`` for each strip, in order; NumPy lets strips run side by side.

    The strips are drawn one after another by the caller's thread, so an open file may be behind them, and no more
    than one for each processor is held.

    Example:
        >>> list(map_strips(lambda strip: strip * strip, [1, 2, 3]))
        [1, 4, 9]
    """
    workers = min(len(os.sched_getaffinity(0)), MOST_WORKERS.get()) if hasattr(os, "sched_getaffinity") else 1
    if workers == 1:
        yield from map(work, strips)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="roadlift-strip") as pool:
        for strip in strips:
            waiting.append(pool.submit(work, strip))
            if len(waiting) >= workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
