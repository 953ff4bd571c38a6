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

ITEMS = [{"number": number, "first": os.getpid()} for number in range(5)]
SUMS = [3 * number * (number + 1) for number in range(5)]


def pixels(number: int) -> np.ndarray:
    return np.full((3, number + 1), number, np.uint8)


def slowly(number: int) -> np.ndarray:
    time.sleep(0.1)
    return pixels(number)


def told(item: dict, values: np.ndarray) -> dict:
    time.sleep(0.05)
    return {"sum": values.sum(), "process": np.array(os.getpid())}


def dies_beside(item: dict, values: np.ndarray) -> dict:
    if os.getpid() != item["first"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"sum": values.sum()}


def fails(item: dict, values: np.ndarray) -> dict:
    raise InputError(f"part {item['number']} is damaged")


def _sums(found: list[dict]) -> list[int]:
    return [int(one["sum"]) for one in found]


def _at_work(found: list[dict]) -> set[int]:
    return {int(one["process"]) for one in found}


@pytest.fixture
def no_process_left():
    yield
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if children.exists():
        names = [Path(f"/proc/{child}/cmdline").read_text() for child in children.read_text().split()]
        assert not [name for name in names if module.__name__ in name]


def test_results_come_in_order_from_both(no_process_left):
    found = map_rasters(told, ITEMS, slowly, processes=2)
    assert _sums(found) == SUMS
    assert _at_work(found) - {os.getpid()}, "nothing was done beside this process"


def test_the_part_of_a_killed_process_is_done_here_and_said(no_process_left, caplog):
    with caplog.at_level(logging.WARNING, "roadlift"):
        found = map_rasters(dies_beside, ITEMS, slowly, processes=2)
    assert _sums(found) == SUMS
    assert "its part is drawn here" in caplog.text


def test_what_goes_wrong_is_raised_here(no_process_left):
    with pytest.raises(InputError, match=r"part \d is damaged"):
        map_rasters(fails, ITEMS, pixels, processes=2)


def test_without_an_interpreter_all_is_done_here(monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", "/usr/bin/qgis")
    assert _at_work(map_rasters(told, ITEMS, pixels, processes=2)) == {os.getpid()}
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert _at_work(map_rasters(told, ITEMS, pixels, processes=2)) == {os.getpid()}
    assert "no further process can be started" in caplog.text


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_its_caller(end):
    """A script without a main guard, as people write them, killed or interrupted while both are at work."""
    script = (
        "import sys, time, operator, numpy as np\n"
        "from roadlift.network.processes import map_rasters\n"
        "print('started', flush=True)\n"
        "map_rasters(operator.getitem, [{}, {}], lambda n: time.sleep(0.3) or np.zeros((9, 9), np.uint8), processes=2)\n"
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
