"""Parts of a raster in several processes: the same results, and nothing is lost or left when one is killed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from roadlift.errors import InputError
from roadlift.network import processes as module
from roadlift.network.processes import map_rasters

ITEMS = list(range(5))


def pixels(item: int) -> np.ndarray:
    return np.full((3, item + 1), item, np.uint8)


def told(item: int, values: np.ndarray) -> tuple[int, int, int]:
    time.sleep(0.05)
    return item, int(values.sum()), os.getpid()


def dies_beside(first: int, item: int, values: np.ndarray) -> int:
    if os.getpid() != first:
        os.kill(os.getpid(), signal.SIGKILL)
    return int(values.sum())


def fails(item: int, values: np.ndarray) -> int:
    raise InputError(f"part {item} is damaged")


class _Bound:
    """`dies_beside` with the number of this process, as a value that can be pickled."""

    def __init__(self, first: int):
        self.first = first

    def __call__(self, item: int, values: np.ndarray) -> int:
        return dies_beside(self.first, item, values)


@pytest.fixture
def no_process_left():
    yield
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if children.exists():
        names = [Path(f"/proc/{child}/cmdline").read_text() for child in children.read_text().split()]
        assert not [name for name in names if module.__name__ in name]


def test_results_come_in_order_from_both(no_process_left):
    found = map_rasters(told, ITEMS, pixels, processes=2)
    assert [one[:2] for one in found] == [(item, 3 * item * (item + 1)) for item in ITEMS]
    assert {one[2] for one in found} - {os.getpid()}, "nothing was done beside this process"


def test_the_part_of_a_killed_process_is_done_here_and_said(no_process_left, caplog):
    with caplog.at_level(logging.WARNING, "roadlift"):
        found = map_rasters(_Bound(os.getpid()), ITEMS, slowly, processes=2)
    assert found == [3 * item * (item + 1) for item in ITEMS]
    assert "its part is drawn here" in caplog.text


def slowly(item: int) -> np.ndarray:
    time.sleep(0.1)
    return pixels(item)


def test_what_goes_wrong_beside_is_raised_here(no_process_left):
    with pytest.raises(InputError, match=r"part \d is damaged"):
        map_rasters(fails, ITEMS, pixels, processes=2)


def test_without_an_interpreter_all_is_done_here(monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", "/usr/bin/qgis")
    assert {one[2] for one in map_rasters(told, ITEMS, pixels, processes=2)} == {os.getpid()}
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert {one[2] for one in map_rasters(told, ITEMS, pixels, processes=2)} == {os.getpid()}
    assert "no further process can be started" in caplog.text


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_its_caller(end):
    """A script without a main guard, as people write them, killed or interrupted while both are at work."""
    script = (
        "import sys, time, operator, numpy as np\n"
        "from roadlift.network.processes import map_rasters\n"
        "print('started', flush=True)\n"
        "map_rasters(operator.contains, [0, 1], lambda item: time.sleep(0.3) or np.zeros((9, 9), np.uint8), processes=2)\n"
        "time.sleep(60)"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert caller.stdout is not None
    assert caller.stdout.readline() == b"started\n"
    time.sleep(0.2)
    os.killpg(caller.pid, end) if end == signal.SIGINT else os.kill(caller.pid, end)
    caller.wait(20)
    until = time.monotonic() + 20
    while _of_session(caller.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _of_session(caller.pid)
    caller.stdout.close()


def _of_session(number: int) -> list[str]:
    found = subprocess.run(
        ["ps", "-o", "pid=,stat=", "-s", str(number)], capture_output=True, text=True, check=False
    )
    return [line for line in found.stdout.splitlines() if " Z" not in line]
