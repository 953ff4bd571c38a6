"""A cluster whose workers die, held against one process: a real scheduler, real workers, real deaths.

    python -m benchmarks.cluster [poison]

Scheduler and workers are processes of their own, reached as ``tcp://127.0.0.1:PORT``. One tile is poison: whichever worker
tries it ends at once. The table says for each way to run what came out, and how many workers it cost.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dask
import numpy as np
import rasterio
from distributed import Client

from roadlift.cluster import DaskCluster
from roadlift.errors import RoadliftError
from roadlift.imagery import journal_folder
from roadlift.pipeline import ExtractOptions, predict
from roadlift.scene import render

TILES = ExtractOptions(tile_size=64)
POISON = 12
PATIENCE_S = 300
PRELOAD = """
import os
from pathlib import Path
from roadlift.cluster import station

honest = getattr(station.predict_tiles, "honest", station.predict_tiles)  # preloads may be loaded twice

def poisonous(*args, tiles, **options):
    with Path({deaths!r}).open("a") as file:
        file.write("tried\\n" if {poison} in tiles else "")
    if {poison} in tiles:
        os._exit(1)
    return honest(*args, tiles=tiles, **options)

poisonous.honest = honest
station.predict_tiles = poisonous
"""


@dataclass(frozen=True)
class Outcome:
    """What a run on the cluster came to."""

    name: str
    result: str
    same_pixels: float
    deaths: int
    seconds: float


@contextmanager
def cluster(folder: Path, *, workers: int = 2, preload: str | None = None) -> Iterator[str]:
    """Start a scheduler and workers as processes; gives the address."""
    with ExitStack() as stack:
        at = ["--host", "127.0.0.1", "--no-dashboard"]
        said = folder / "scheduler.json"
        stack.callback(said.unlink, missing_ok=True)
        _start(stack, "scheduler", *at, "--port", "0", "--no-show", "--scheduler-file", str(said))
        address = _address(said)
        extra = []
        if preload is not None:
            (folder / "preload.py").write_text(preload)
            extra = ["--preload", str(folder / "preload.py")]
        _start(stack, "worker", address, *at, "--nworkers", str(workers), "--nthreads", "1", *extra)
        with Client(address, timeout=PATIENCE_S) as client:
            client.wait_for_workers(workers, timeout=PATIENCE_S)
        yield address


def _start(stack: ExitStack, *arguments: str) -> None:
    command = [sys.executable, "-m", "dask", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _address(said: Path) -> str:
    """Wait for the scheduler to say where it listens."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if said.exists() and (text := said.read_text()):
            return str(json.loads(text)["address"])
        time.sleep(0.2)
    raise TimeoutError("the scheduler did not start")


def kill_one(folder: Path) -> Callable[[int, int], None]:
    """Return a progress that kills one worker, of those that have written tiles, once three tenths are done."""
    killed: list[int] = []

    def progress(done: int, total: int) -> None:
        if not killed and done >= 0.3 * total:
            numbers = [re.search(r"-(\d+)-\d+\.tiles", path.name) for path in folder.glob("worker-*.tiles")]
            killed.append(min(int(found[1]) for found in numbers if found))
            os.kill(killed[0], signal.SIGKILL)

    return progress


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = render(3, shape=(320, 320)).save(folder, "city")[0]
        predict(image, folder / "one.tif", TILES)
        found = []
        if "poison" not in sys.argv:
            with cluster(folder) as address:
                found.append(_run("plain", image, folder, DaskCluster(address)))
                found.append(_run("a worker killed", image, folder, DaskCluster(address), kill=True))
        deaths = folder / "deaths"
        with cluster(folder, preload=PRELOAD.format(deaths=str(deaths), poison=POISON)) as address:
            found.append(_run("poison, fail", image, folder, DaskCluster(address)))
            found.append(_run("poison, skip", image, folder, DaskCluster(address, "skip")))
        with dask.config.set({"distributed.worker.preload": [str(folder / "preload.py")]}):
            found.append(_run("poison, local:2", image, folder, DaskCluster("local:2")))
    for one in found:
        print(
            f"{one.name:<18}{one.deaths:>4} deaths {one.same_pixels:>8.2%} the same {one.seconds:6.0f} s  {one.result}"
        )


def _run(title: str, image: Path, folder: Path, compute: DaskCluster, *, kill: bool = False) -> Outcome:
    output, deaths = folder / f"{title}.tif", folder / "deaths"
    progress = kill_one(journal_folder(output)) if kill else None
    deaths.unlink(missing_ok=True)
    started = time.perf_counter()
    try:
        figures = predict(image, output, TILES, compute=compute, progress=progress)
    except RoadliftError as error:
        kept = len(list(journal_folder(output).glob("*.tiles")))
        result, same = f"{type(error).__name__}: {error} [{kept} files of tiles kept]", 0.0
    else:
        result = f"left out: {figures.get('left_out', [])}"
        with rasterio.open(output) as one, rasterio.open(folder / "one.tif") as other:
            same = float(np.mean(one.read(1) == other.read(1)))
    ended = deaths.read_text().count("tried") if deaths.exists() else int(kill)
    return Outcome(title, result, same, ended, time.perf_counter() - started)


if __name__ == "__main__":
    main()
