"""Three stages at once: order, bounds, and one clean end for errors of any of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from roadlift.segment._stages import Channel, Stopped, run_stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def no_stage_is_left() -> bool:
    return not any(thread.name.startswith("roadlift-") for thread in threading.enumerate())


def doubled(items: Iterator[int], pass_on: Callable[[int], None]) -> None:
    for item in items:
        pass_on(2 * item)


def test_order_is_kept() -> None:
    seen: list[int] = []
    run_stages(range(100), doubled, seen.append, capacity=2)
    assert seen == list(range(0, 200, 2))
    assert no_stage_is_left()


def test_nothing_to_do() -> None:
    run_stages([], doubled, lambda _: None, capacity=1)
    assert no_stage_is_left()


def test_the_reader_waits_for_the_writer() -> None:
    produced = 0
    furthest = 0
    seen = 0

    def numbers() -> Iterator[int]:
        nonlocal produced
        for number in range(50):
            produced += 1
            yield number

    def consume(_: int) -> None:
        nonlocal seen, furthest
        furthest = max(furthest, produced - seen)
        seen += 1

    run_stages(numbers(), doubled, consume, capacity=2)
    assert seen == 50
    assert furthest <= 2 + 2 + 3  # two full queues and one item in each stage's hands


def test_an_error_of_the_reader() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        run_stages(numbers(), doubled, lambda _: None, capacity=1)
    assert no_stage_is_left()


def test_an_error_of_the_network() -> None:
    def broken(items: Iterator[int], pass_on: Callable[[int], None]) -> None:
        pass_on(next(items))
        raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        run_stages(range(10**9), broken, lambda _: None, capacity=1)
    assert no_stage_is_left()


def test_an_error_of_the_writer() -> None:
    def full(_: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_stages(iter(range(10**9)), doubled, full, capacity=1)
    assert no_stage_is_left()


def test_interruption_while_the_last_results_are_written() -> None:
    def interrupted(items: Iterator[int], pass_on: Callable[[int], None]) -> None:
        doubled(items, pass_on)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stages(range(3), interrupted, lambda _: None, capacity=1)
    assert no_stage_is_left()


def test_a_stopped_channel_ends_both_sides() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(1)
    channel.stop()
    with pytest.raises(Stopped):
        channel.put(2)
    with pytest.raises(Stopped):
        next(iter(channel))
