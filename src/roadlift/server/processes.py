"""Child processes that do the work, with limits, and none left behind.

Every task has a process of its own, which ends with it. Starting one takes milliseconds: it is forked from one that has
imported what tasks need and does nothing else (the fork server of the standard library). A child tells how far it is in
lines of JSON. It also ends when its limits are reached, when it is told to, and when the server is gone.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, TypeVar

from roadlift.server.problems import Problem
from roadlift.server.tasks import PARTS
from roadlift.server.worker import Limits, work

_CONTEXT = multiprocessing.get_context("forkserver")
_LINE_BYTES = 2**20
_NOT_FOR_CHILDREN = ("ROADLIFT_TOKEN",)
Report = Callable[[dict[str, Any]], None]
_T = TypeVar("_T")


class Child:
    """One process that works on one task. ``start``, ``wait`` and ``end`` block, and are called by one thread."""

    def __init__(self, task: str, folder: Path, arguments: Mapping[str, Any], limits: Limits) -> None:
        self._answers, self._theirs = socket.socketpair()
        order = (task, str(folder), dict(arguments), limits, self._theirs)
        self._process = _CONTEXT.Process(target=work, args=order, daemon=True)

    def start(self) -> None:
        """Start it; the first waits until the fork server has imported everything."""
        with self._theirs:
            self._process.start()

    async def listen(self, report: Report) -> dict[str, Any] | None:
        """Pass on what it reports and return its result or error; None when it ended without."""
        reader, writer = await asyncio.open_connection(sock=self._answers, limit=_LINE_BYTES)
        try:
            async for line in reader:
                message: dict[str, Any] = json.loads(line)
                if "result" in message or "error" in message:
                    return message
                report(message)
        finally:
            writer.close()
        return None

    def wait(self) -> int | None:
        """Return its exit code when it has ended; a negative one is a signal's."""
        self._process.join()
        return self._process.exitcode

    def end(self) -> None:
        """Kill it, with everything that it started."""
        self._answers.close()
        self._theirs.close()
        if self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()  # it may not have got so far as to lead a group
            self._process.join()


def _unheard(_: dict[str, Any]) -> None:
    """Take a message that nobody waits for."""


def _died(code: int | None) -> Problem:
    if code == -signal.SIGXCPU:
        return Problem(503, "time_limit", "It used more processor time than is allowed and was stopped.")
    if code == -signal.SIGXFSZ:
        return Problem(413, "over_limit", "It wrote a larger file than is allowed and was stopped.")
    return Problem(
        422,
        "crashed",
        "The process that worked on it ended without a word: the file is broken or needs too much memory.",
    )


class Children:
    """Starts a child for every task.

    Args:
        limits: Of tasks that are not told otherwise.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._running: set[Child] = set()
        self._closed = False
        self._thread = ThreadPoolExecutor(1, "children")  # the library's calls are not for several at once

    def prepare(self) -> None:
        """Begin to import what tasks need, so that the first does not wait for it."""
        for name in _NOT_FOR_CHILDREN:
            os.environ.pop(name, None)
        _CONTEXT.set_forkserver_preload(["__main__", *PARTS])
        forkserver.ensure_running()

    async def run(
        self,
        task: str,
        folder: Path,
        arguments: Mapping[str, Any],
        *,
        seconds: float | None = None,
        report: Report = _unheard,
    ) -> Any:
        """Do a task in a child.

        Args:
            task: Name out of ``tasks.TASKS``.
            folder: Where it works; it writes nowhere else.
            arguments: Plain values.
            seconds: Time it may take; None is what the limits say.
            report: Called with each message before the result.

        Returns:
            The task's result, plain values.

        Raises:
            Problem: The task failed, in its own words, or reached a limit.
        """
        if self._closed:
            raise Problem(503, "shutting_down", "The server is shutting down.")
        limits = self._limits if seconds is None else replace(self._limits, seconds=seconds)
        child = Child(task, folder, arguments, limits)
        self._running.add(child)
        try:
            await self._call(child.start)
            async with asyncio.timeout(limits.seconds):
                answer = await child.listen(report)
            if answer is None:
                raise _died(await self._call(child.wait))
        except TimeoutError:
            raise _too_long(limits.seconds) from None
        finally:
            self._running.discard(child)
            await self._call(child.end)
        if "error" in answer:
            raise Problem(**answer["error"])
        return answer["result"]

    async def close(self) -> None:
        """End every child."""
        self._closed = True
        for child in tuple(self._running):
            await self._call(child.end)

    async def _call(self, function: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)


def _too_long(seconds: float) -> Problem:
    return Problem(
        503, "time_limit", f"It took longer than the {seconds:.0f} s that are allowed and was stopped."
    )
