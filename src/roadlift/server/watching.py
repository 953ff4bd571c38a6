"""What is known of a running job beyond what is stored, and who waits for news of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Live:
    """What is known of a running job beyond what is stored."""

    task: asyncio.Task[None] | None = None
    done: int = 0
    total: int = 0
    first: float | None = None
    drawn: int = 0

    def note(self, message: Mapping[str, Any]) -> None:
        """Take a message of the child process."""
        if "drawn" in message:
            self.drawn += 1
        if "done" in message:
            self.first = self.first or time.monotonic()
            self.done, self.total = message["done"], message["total"]

    @property
    def remaining_s(self) -> float | None:
        """Estimate by the tiles after the first one, which waits for the network to be made ready."""
        if self.first is None or self.done < 2:
            return None
        return round((time.monotonic() - self.first) / (self.done - 1) * (self.total - self.done), 1)


@dataclass
class Watchers:
    """Events of those who wait for news of a job."""

    events: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    closed: bool = False

    @contextmanager
    def watch(self, job: str) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever there is news."""
        event = asyncio.Event()
        self.events.setdefault(job, set()).add(event)
        try:
            yield event
        finally:
            self.events[job].discard(event)
            if not self.events[job]:
                del self.events[job]

    def close(self) -> None:
        """Send everybody home."""
        self.closed = True
        for event in set().union(*self.events.values()):
            event.set()

    def tell(self, job: str) -> None:
        """Say that there is news of a job."""
        for event in self.events.get(job, ()):
            event.set()
