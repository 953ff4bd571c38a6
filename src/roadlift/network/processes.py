"""The same work on parts of a raster, in this process and in others beside it.

The others are interpreters of their own, started anew: nothing is forked, for the runtime of the network has threads, and
the caller's script is not run again. They are fed through pipes, with JSON and plain arrays, and end with them, so that none
outlives its caller, however that ends. One that dies or fails costs nothing but time: its part is done here.
"""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from contextvars import copy_context
from pathlib import Path
from threading import Event, Lock
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from roadlift.network.strips import MOST_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Item = dict[str, Any]
    Arrays = dict[str, NDArray[Any]]
    Work = Callable[[Item, Bytes], Arrays]

LOG = logging.getLogger("roadlift")
_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; from {module} import {name}; "
    "from roadlift.network.processes import serve; serve({name})"
)
_LENGTH = struct.Struct("<Q")


def map_rasters(
    work: Work, items: Sequence[Item], read: Callable[[int], Bytes], *, processes: int
) -> list[Arrays]:
    """Return what ``work`` makes of each item and its pixels, in order.

    Args:
        work: a function of a module, from an item that JSON can hold and uint8 (rows, cols) to arrays by name.
        items: the parts.
        read: gives the pixels of the part of that number; called in this process, by one thread at a time.
        processes: parts that are worked on at the same time, one of them here.

    Example:
        >>> def area(item, pixels):
        ...     return {item["name"]: np.array(pixels.size)}
        >>> map_rasters(area, [{"name": "a"}], lambda number: np.zeros((2, 3), np.uint8), processes=1)
        [{'a': array(6)}]
    """
    results: dict[int, Arrays] = {}
    waiting, lock, stop = iter(range(len(items))), Lock(), Event()

    def work_off(hand: Work) -> None:
        while not stop.is_set():
            with lock:
                number = next(waiting, None)
                values = None if number is None else read(number)
            if number is None or values is None:
                return
            results[number] = hand(items[number], values)

    def work_off_beside(process: _Process) -> None:
        try:
            work_off(process.do)
        except (EOFError, OSError, ValueError) as error:
            if not stop.is_set():
                LOG.warning(
                    "a process that draws roads has ended (%s); its part is drawn here", error or "killed"
                )

    others = min(processes, len(items)) - 1 if _can_start() else 0
    with ExitStack() as stack, ThreadPoolExecutor(max(others, 1), thread_name_prefix="roadlift-part") as pool:
        started = [stack.enter_context(process) for process in _started(work, others)]
        try:
            beside = [pool.submit(work_off_beside, process) for process in started]
            alone = copy_context()
            if started:
                alone.run(MOST_WORKERS.set, 1)
            alone.run(work_off, work)
            for future in beside:
                future.result()
        except BaseException:
            stop.set()
            for process in started:
                process.kill()
            raise
    return [
        results[number] if number in results else work(item, read(number))
        for number, item in enumerate(items)
    ]


def _started(work: Work, count: int) -> Iterator[_Process]:
    try:
        for _ in range(count):
            yield _Process(work)
    except OSError as error:
        LOG.warning("no further process can be started to draw roads: %s", error.strerror or error)


def _can_start() -> bool:
    """Whether ``sys.executable`` is an interpreter: inside of another program it may be that program."""
    return "python" in Path(sys.executable or "").name.lower() and not getattr(sys, "frozen", False)


class _Process:
    """An interpreter that does what it is sent; use it as a context manager."""

    def __init__(self, work: Work) -> None:
        program = _PROGRAM.format(path=sys.path, module=work.__module__, name=work.__name__)
        self._process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._pipes[0].close()
        self._process.wait()
        self._pipes[1].close()

    @property
    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        into, out = self._process.stdin, self._process.stdout
        if into is None or out is None:
            raise OSError("no pipes")
        return into, out

    def kill(self) -> None:
        """End it now."""
        self._process.kill()

    def do(self, item: Item, values: Bytes) -> Arrays:
        """Have ``work(item, values)`` done there."""
        into, out = self._pipes
        _send(into, json.dumps({"item": item, "shape": values.shape}).encode())
        _send(into, np.ascontiguousarray(values).data)
        with np.load(io.BytesIO(_receive(out)), allow_pickle=False) as found:
            return dict(found)


def serve(work: Work) -> None:
    """Do what standard input brings until it ends; the results go to standard output, and prints to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to answer
    MOST_WORKERS.set(1)
    into = sys.stdin.buffer
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(BrokenPipeError, EOFError):
        while True:
            head = json.loads(_receive(into))
            values = np.frombuffer(_receive(into), np.uint8).reshape(head["shape"])
            answer = io.BytesIO()
            arrays: dict[str, Any] = work(head["item"], values)
            np.savez(answer, **arrays)
            _send(out, answer.getbuffer())


def _send(file: IO[bytes], data: bytes | memoryview) -> None:
    file.write(_LENGTH.pack(memoryview(data).nbytes))
    file.write(data)
    file.flush()


def _receive(file: IO[bytes]) -> bytes:
    head = file.read(_LENGTH.size)
    length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else -1
    data = file.read(length) if length >= 0 else b""
    if len(data) != length:
        raise EOFError
    return data
