"""Child processes that do the work, with limits, and none left behind.

A child is started before it is needed and has imported everything when its task comes. It gets the task as one line of
JSON and answers in lines of JSON. A child that has touched what a user uploaded ends with its task; one that works on what
we made ourselves may do further ones. It also ends when its limits are reached, when it is told to, and when the server
is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from roadlift.server.problems import Problem

MOST_TASKS, MOST_READY = 50, 2
_LINE_BYTES = 2**20
_NOT_FOR_CHILDREN = ("ROADLIFT_TOKEN",)
Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Limits:
    """What a child process may use.

    Attributes:
        memory_bytes: Address space.
        file_bytes: Size of one file that it writes.
        seconds: Time on the clock; of the processors' it may use this for each.
    """

    memory_bytes: int
    file_bytes: int
    seconds: float


class Child:
    """One process that waits for a task, or works on it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.tasks = 0

    @classmethod
    async def start(cls, root: Path, limits: Limits) -> Child:
        """Start a child that imports what it will need, in a session (and so process group) of its own."""
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHILDREN}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "roadlift.server.worker",
            str(limits.memory_bytes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=root,
            env=environment,
            start_new_session=True,
            limit=_LINE_BYTES,
        )
        return cls(process)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.returncode is None

    async def run(
        self, task: str, folder: Path, arguments: Mapping[str, Any], limits: Limits, report: Report
    ) -> Any:
        """Have a task done; see :meth:`Children.run`. Afterwards the child waits for the next, or has ended."""
        order = {"task": task, "folder": str(folder), "arguments": dict(arguments), "limits": asdict(limits)}
        self.tasks += 1
        try:
            async with asyncio.timeout(limits.seconds):
                answer = await self._converse(order, report)
        except TimeoutError:
            await self.end()
            raise Problem(
                503,
                "time_limit",
                f"It took longer than the {limits.seconds:.0f} s that are allowed and was stopped.",
            ) from None
        except BaseException:
            await self.end()
            raise
        if "error" in answer:
            raise Problem(**answer["error"])
        return answer["result"]

    async def _converse(self, order: dict[str, Any], report: Report) -> dict[str, Any]:
        """Send the order and listen until there is a result or an error."""
        into, out = self._process.stdin, self._process.stdout
        if into is None or out is None:
            raise Problem(500, "internal", "The worker has no pipes.")
        with suppress(ConnectionError):
            into.write(json.dumps(order).encode() + b"\n")
            await into.drain()
        async for line in out:
            message: dict[str, Any] = json.loads(line)
            if "result" in message or "error" in message:
                return message
            report(message)
        raise _died(await self._process.wait())

    async def end(self) -> None:
        """Kill the child and everything that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


def _unheard(_: dict[str, Any]) -> None:
    """Take a message that nobody waits for."""


def _died(code: int) -> Problem:
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
    """Keeps a child ready, so that a task does not wait for imports.

    Args:
        root: The data folder.
        limits: Of tasks that are not told otherwise.

    Attributes:
        eager: Whether the next child is started while one works.
    """

    def __init__(self, root: Path, limits: Limits) -> None:
        self.eager = True
        self._root = root
        self._limits = limits
        self._ready: list[asyncio.Task[Child]] = []
        self._busy: set[Child] = set()
        self._closed = False

    def prepare(self) -> None:
        """Start a child if none is ready."""
        if not self._ready and not self._closed:
            self._ready.append(asyncio.create_task(Child.start(self._root, self._limits)))

    async def run(
        self,
        task: str,
        folder: Path,
        arguments: Mapping[str, Any],
        *,
        trusted: bool = False,
        seconds: float | None = None,
        report: Report | None = None,
    ) -> Any:
        """Do a task in a child.

        Args:
            task: Name out of ``tasks.TASKS``.
            folder: Where it works; it writes nowhere else.
            arguments: Plain values.
            trusted: Whether it touches nothing but what we made; the child may then do further tasks.
            seconds: Time it may take; None is what the limits say.
            report: Called with each message before the result.

        Returns:
            The task's result, plain values.

        Raises:
            Problem: The task failed, in its own words, or reached a limit.
        """
        limits = self._limits if seconds is None else replace(self._limits, seconds=seconds)
        child = await self._take()
        self._busy.add(child)
        if self.eager and not trusted:
            self.prepare()  # while this one works
        try:
            return await child.run(task, folder, arguments, limits, report or _unheard)
        finally:
            await self._put_back(child, trusted=trusted)

    async def _take(self) -> Child:
        while True:
            self.prepare()
            if not self._ready:
                raise Problem(503, "shutting_down", "The server is shutting down.")
            child = await self._ready.pop()
            if child.alive:
                return child

    async def _put_back(self, child: Child, *, trusted: bool) -> None:
        """Keep a child that may do more; otherwise end it."""
        self._busy.discard(child)
        if (
            trusted
            and child.alive
            and child.tasks < MOST_TASKS
            and len(self._ready) < MOST_READY
            and not self._closed
        ):
            self._ready.append(asyncio.create_task(_ready(child)))
        else:
            await child.end()

    async def close(self) -> None:
        """End every child."""
        self._closed = True
        for starting in self._ready:
            with suppress(OSError):
                await (await starting).end()
        for child in tuple(self._busy):
            await child.end()


async def _ready(child: Child) -> Child:
    return child
