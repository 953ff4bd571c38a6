"""A real scheduler and two workers: one is killed, one tile kills whoever tries it; the bytes are the same."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager

import pytest
import rasterio
from rasterio.io import MemoryFile

from roadlift.errors import InputError, ModelError, UsageError
from roadlift.pipeline import ExtractOptions, predict
from roadlift.scene import render

pytest.importorskip("distributed", reason="needs the extra `cluster`")

from benchmarks.cluster import cluster
from distributed import Client
from distributed.scheduler import KilledWorker, WorkerState

from roadlift.cluster import DaskCluster, station
from roadlift.cluster.dask import _Run

TILES = ExtractOptions(tile_size=64)
ALL, POISON = 25, 12


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return render(3, shape=(320, 320)).save(tmp_path_factory.mktemp("scene"), "city")[0]


@pytest.fixture(scope="module")
def expected(image, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "p.tif"
    predict(image, path, TILES)
    return path.read_bytes()


def _workers(folder):
    """Process numbers of the workers that have written to a journal."""
    return {int(re.search(r"-(\d+)-\d+\.tiles", path.name)[1]) for path in folder.glob("worker-*.tiles")}


def _listening():
    """Addresses that processes of this machine listen on, beyond the loopback."""
    found = subprocess.run(["ss", "-ltnp"], capture_output=True, text=True, check=False).stdout
    mine = [line for line in found.splitlines() if f"pid={os.getpid()}," in line]
    return [line for line in mine if not re.search(r"(127\.0\.0\.1|\[::1\]):\d+\s", line)]


def test_a_worker_that_is_killed_changes_nothing(image, expected, tmp_path):
    output, killed = tmp_path / "p.tif", []

    def kill_one_at_a_third(done, total):
        if not killed and done >= 0.3 * total:
            assert not _listening()
            killed.append(min(_workers(tmp_path / "p.tif.roadlift")))
            os.kill(killed[0], signal.SIGKILL)

    figures = predict(image, output, TILES, compute=DaskCluster("local:2"), progress=kill_one_at_a_third)
    assert killed
    assert figures["tiles"] == ALL
    assert output.read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["p.tif"]


def test_a_scheduler_that_runs_already(image, expected, tmp_path):
    with cluster(tmp_path, workers=1) as address:
        assert address.startswith("tcp://127.0.0.1:")
        predict(image, tmp_path / "p.tif", TILES, compute=DaskCluster(address))
    assert (tmp_path / "p.tif").read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["p.tif"]


@pytest.fixture
def cluster_inside(monkeypatch):
    """Workers that are threads of this process, to whom tile 12 is poison."""
    honest = station.predict_tiles

    def poisonous(*args, tiles, **options):
        if POISON in tiles:
            raise RuntimeError("poison")
        return honest(*args, tiles=tiles, **options)

    @contextmanager
    def client(_self, _work):
        with Client(
            processes=False, n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0"
        ) as inside:
            yield inside, 1

    monkeypatch.setattr(station, "predict_tiles", poisonous)
    monkeypatch.setattr(DaskCluster, "_client", client)


def test_a_poisonous_tile_is_named_and_set_aside(image, expected, tmp_path, cluster_inside, caplog):
    output, place = tmp_path / "p.tif", "rows 128-191, columns 128-191"
    with pytest.raises(ModelError, match="poison"):
        predict(image, output, TILES, compute=DaskCluster("local:2"))
    assert not output.exists()
    figures = predict(image, output, TILES, compute=DaskCluster("local:2", "skip"))
    assert figures["left_out"] == [{"row": 128, "col": 128, "height": 64, "width": 64}]
    assert f"tile {POISON} ({place} of the working grid) is left out: RuntimeError: poison" in caplog.text
    with rasterio.open(output) as file, MemoryFile(expected) as memory, memory.open() as whole:
        found, true = file.read(1), whole.read(1)
    assert (found[128:192, 128:192] == 255).all()
    found[128:192, 128:192] = true[128:192, 128:192]
    assert (found == true).all()


def test_what_kills_every_worker_is_an_error_with_its_place(image, tmp_path, cluster_inside, monkeypatch):
    killed = KilledWorker("key", WorkerState.__new__(WorkerState), 1)
    monkeypatch.setattr(_Run, "blocks", lambda _, blocks, **__: [(block, killed) for block in blocks])
    with pytest.raises(InputError, match=r"rows 0-63, columns 0-63 .* it ends every worker that tries"):
        predict(image, tmp_path / "p.tif", TILES, compute=DaskCluster("local:2"))
    with pytest.raises(InputError, match=r"25 of 25 tiles .* At most 5%"):
        predict(image, tmp_path / "p.tif", TILES, compute=DaskCluster("local:2", "skip"))


def test_no_cluster(image, tmp_path, monkeypatch):
    monkeypatch.setattr("roadlift.cluster.dask._PATIENCE_S", 1)
    with pytest.raises(UsageError, match=r"tcp://127\.0\.0\.1:9 cannot be reached"):
        predict(image, tmp_path / "p.tif", TILES, compute=DaskCluster("tcp://127.0.0.1:9"))
    assert not any(tmp_path.iterdir())
    for address in ("local:0", "local", "http://host:8786", "tcp://host"):
        with pytest.raises(UsageError, match="local:4"):
            DaskCluster(address)
    with pytest.raises(UsageError, match="fail, skip"):
        DaskCluster("local:2", "ignore")
