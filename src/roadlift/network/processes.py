"""The same work on parts of a raster, in this process and in others beside it.

The others are interpreters of their own, started anew: nothing is forked, for the runtime of the network has threads, and
the caller's script is not run again. They are fed through pipes and end with them, so that none outlives its caller, however
that ends. One that dies costs nothing but time: its part is done here.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from contextvars import copy_context
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np

from roadlift.network.strips import MOST_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Item = TypeVar("Item")
    Result = TypeVar("Result")

LOG = logging.getLogger("roadlift")
_PROGRAM = "import sys; sys.path[:] = {path!r}; from roadlift.network.processes import serve; serve()"


def map_rasters(
    work: Callable[[Item, Bytes], Result],
    items: Sequence[Item],
    read: Callable[[Item], Bytes],
    *,
    processes: int,
) -> list[Result]:
    """Return ``work(item, read(item))`` for each item, in order.

    Args:
        work: what is to be done; with several processes it, the items and the results can be pickled.
        items: the parts.
        read: gives the pixels of one, uint8 (rows, cols); called in this process, by one thread at a time.
        processes: parts that are worked on at the same time, one of them here.

    Example:
        >>> def area(name, pixels):
        ...     return name, pixels.size
        >>> map_rasters(area, ["a", "b"], lambda name: np.zeros((2, 3), np.uint8), processes=1)
        [('a', 6), ('b', 6)]
    """
    results: dict[int, Result] = {}
    waiting, lock, stop = iter(range(len(items))), Lock(), Event()

    def work_off(hand: Callable[[Any, Item, Bytes], Result]) -> None:
        while not stop.is_set():
            with lock:
                number = next(waiting, None)
                values = None if number is None else read(items[number])
            if number is None or values is None:
                return
            results[number] = hand(work, items[number], values)

    def work_off_beside(process: _Process) -> None:
        try:
            work_off(process.do)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            if not stop.is_set():
                LOG.warning(
                    "a process that draws roads has ended (%s); its part is drawn here", error or "killed"
                )

    others = min(processes, len(items)) - 1 if _can_start() else 0
    with ExitStack() as stack, ThreadPoolExecutor(max(others, 1), thread_name_prefix="roadlift-part") as pool:
        started = [stack.enter_context(process) for process in _started(others)]
        try:
            beside = [pool.submit(work_off_beside, process) for process in started]
            alone = copy_context()
            if started:
                alone.run(MOST_WORKERS.set, 1)
            alone.run(work_off, _here)
            for future in beside:
                future.result()
        except BaseException:
            stop.set()
            for process in started:
                process.kill()
            raise
    return [
        results[number] if number in results else work(item, read(item)) for number, item in enumerate(items)
    ]


def _started(count: int) -> Iterator[_Process]:
    try:
        for _ in range(count):
            yield _Process()
    except OSError as error:
        LOG.warning("no further process can be started to draw roads: %s", error.strerror or error)


def _here(work: Callable[[Item, Bytes], Result], item: Item, values: Bytes) -> Result:
    return work(item, values)


def _can_start() -> bool:
    """Whether ``sys.executable`` is an interpreter: inside of another program it may be that program."""
    return "python" in Path(sys.executable or "").name.lower() and not getattr(sys, "frozen", False)


class _Process:
    """An interpreter that does what it is sent; use it as a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._pipes[0].close()
        self._process.wait()
        self._pipes[1].close()

    @property
    def _pipes(self) -> tuple[BinaryIO, BinaryIO]:
        into, out = self._process.stdin, self._process.stdout
        if into is None or out is None:
            raise OSError("no pipes")
        return into, out  # type: ignore[return-value]

    def kill(self) -> None:
        """End it now."""
        self._process.kill()

    def do(self, work: Callable[[Item, Bytes], Result], item: Item, values: Bytes) -> Result:
        """Have ``work(item, values)`` done; what it raises is raised here."""
        into, out = self._pipes
        pickle.dump((work, item, values.shape), into)
        into.write(np.ascontiguousarray(values).data)
        into.flush()
        result, error = pickle.load(out)  # noqa: S301  from our own process
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]


def serve() -> None:
    """Do what standard input brings until it ends; the results go to standard output, and prints to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to answer
    MOST_WORKERS.set(1)
    into = sys.stdin.buffer
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(BrokenPipeError, EOFError):
        while True:
            work, item, shape = pickle.load(into)  # noqa: S301  from the process that started this one
            pickle.dump(_done(work, item, _read_array(into, shape)), out)
            out.flush()


def _read_array(file: BinaryIO, shape: tuple[int, int]) -> Bytes:
    data = file.read(shape[0] * shape[1])
    if len(data) < shape[0] * shape[1]:
        raise EOFError
    return np.frombuffer(data, np.uint8).reshape(shape)


def _done(work: Callable[[Any, Bytes], Any], item: Any, values: Bytes) -> tuple[Any, Exception | None]:
    try:
        return work(item, values), None
    except Exception as error:  # noqa: BLE001  it is raised again in the caller
        return None, error
