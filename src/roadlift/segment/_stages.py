"""Three stages that overlap in time, with bounded queues between them and one clean end for any error."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stopped(Exception):  # noqa: N818 - a signal between the stages of one run, not an error of its own
    """Another stage has failed: this one has to end."""


class Channel(Generic[Item]):
    """A queue of at most ``capacity`` items that can be closed (no more items) or stopped (end at once)."""

    def __init__(self, capacity: int) -> None:
        self._items: deque[Item] = deque()
        self._capacity = capacity
        self._changed = threading.Condition()
        self._closed = False
        self._stopped = False

    def put(self, item: Item) -> None:
        """Add an item; wait while the queue is full.

        Raises:
            Stopped: When the channel is stopped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._items) < self._capacity)
            if self._stopped:
                raise Stopped
            self._items.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        """Say that no more items will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        """End all waiting on both sides and drop what is queued."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        """Items in order until the channel is closed and empty; Stopped when it is stopped."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._closed or bool(self._items))
                if self._stopped:
                    raise Stopped
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


def run_stages(
    produce: Iterable[Item],
    transform: Callable[[Iterator[Item], Callable[[Result], None]], None],
    consume: Callable[[Result], None],
    *,
    capacity: int,
) -> None:
    """Feed ``produce`` through ``transform`` to ``consume``, all three at work at once.

    Args:
        produce: Iterated in its own thread.
        transform: Called once, in the calling thread, with an iterator of the produced items and a function
            that passes one result on.
        consume: Called in its own thread for each result, in order.
        capacity: Most items that wait between two stages.

    Raises:
        BaseException: The first one that any stage raised; by then both threads have ended.
    """
    produced: Channel[Item] = Channel(capacity)
    results: Channel[Result] = Channel(capacity)
    failures: list[BaseException] = []

    def guarded(stage: Callable[[], None], finish: Callable[[], None]) -> None:
        try:
            stage()
            finish()
        except Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - handed to the caller, whatever it is
            failures.append(error)
            produced.stop()
            results.stop()

    def read() -> None:
        for item in produce:
            produced.put(item)

    def compute() -> None:
        transform(iter(produced), results.put)

    def write() -> None:
        for result in results:
            consume(result)

    reader = threading.Thread(target=guarded, args=(read, produced.close), name="roadlift-read")
    writer = threading.Thread(target=guarded, args=(write, produced.close), name="roadlift-write")
    reader.start()
    writer.start()
    guarded(compute, results.close)
    guarded(reader.join, produced.close)
    guarded(writer.join, produced.close)
    for thread in (reader, writer):
        thread.join()
    if failures:
        raise failures[0]
