"""Killed at any moment, on a full disk, with other options: what is finished is kept, and the result is the same."""

import json
import shutil
import signal
import subprocess
import sys
from functools import cache, partial
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import roadlift
from roadlift.cli import cli
from roadlift.errors import InputError, OutputError, UsageError
from roadlift.imagery import NO_DATA, journal_folder
from roadlift.pipeline import (
    ExtractOptions,
    Shard,
    compute_here,
    compute_shard,
    extract,
    merge_shards,
    predict,
    work,
)
from roadlift.scene import render

TILES = ExtractOptions(tile_size=64)
ALL = 25
RUN = """
import os, resource, signal, sys
from roadlift.errors import RoadliftError
from roadlift.pipeline import ExtractOptions, extract, predict

image, output, kill_at, limit = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

def progress(done, total):
    if done == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)

try:
    predict(image, output, ExtractOptions(tile_size=64), progress=progress)
except RoadliftError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.fixture(scope="module", autouse=True)
def load_once():
    """Load the model once for all calls of this process; that is not what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "load_model", cache(work.load_model))
        yield


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return render(3, shape=(320, 320)).save(tmp_path_factory.mktemp("scene"), "city")[0]


@pytest.fixture(scope="module")
def expected(image, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "p.tif"
    predict(image, path, TILES)
    return path.read_bytes()


def _run(image, output, *, kill_at=0, limit=0):
    return subprocess.run(
        [sys.executable, "-c", RUN, image, output, str(kill_at), str(limit)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_kill_9_and_the_same_call_goes_on(image, expected, tmp_path, caplog):
    output, moments = tmp_path / "p.tif", np.random.default_rng(5).integers(3, 20, 2)
    for moment in np.sort(moments):
        assert _run(image, output, kill_at=int(moment)).returncode == -signal.SIGKILL
        assert not output.exists()
        assert [path.name for path in tmp_path.iterdir()] == ["p.tif.roadlift"]
    caplog.set_level("INFO", "roadlift")
    figures = predict(image, output, TILES)
    assert (
        figures["finished_earlier"] >= moments.max() - 3
    )  # what was told but not yet written: a few tiles in flight
    assert f"{figures['finished_earlier']} of {ALL} tiles were finished earlier" in caplog.text
    assert output.read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["p.tif"]


def test_a_full_disk_leaves_only_what_can_be_resumed(image, expected, tmp_path):
    output = tmp_path / "p.tif"
    failed = _run(image, output, limit=7000)
    assert failed.returncode == OutputError.exit_code, failed.stderr
    assert "File too large" in failed.stdout
    assert "tiles are safe" in failed.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["p.tif.roadlift"]
    assert predict(image, output, TILES)["finished_earlier"] > 0
    assert output.read_bytes() == expected


class _Interrupt:
    """Ends the work once some tiles are finished."""

    def __init__(self, after):
        self.after = after

    def __call__(self, work, tiles, progress):
        compute_here(work, tiles[: self.after])
        raise KeyboardInterrupt


def test_the_network_and_all_rasters_are_the_same_after_an_interruption(image, tmp_path):
    def run(name, **options):
        return extract(
            image,
            TILES,
            output=tmp_path / f"{name}.gpkg",
            save_probability=tmp_path / f"{name}_p.tif",
            save_mask=tmp_path / f"{name}_m.tif",
            **options,
        )

    whole = run("a")
    with pytest.raises(KeyboardInterrupt):
        run("b", compute=_Interrupt(10))
    assert sorted(path.name for path in tmp_path.glob("b*")) == ["b.gpkg.roadlift"]
    resumed = run("b")
    assert resumed.provenance["runs"][0]["finished_earlier"] == 10
    assert any("resumed: 10 of 25 tiles" in note for note in resumed.provenance["notes"])
    assert whole.edges.equals(resumed.edges)
    assert whole.nodes.equals(resumed.nodes)
    for kind in ("p", "m"):
        assert (tmp_path / f"a_{kind}.tif").read_bytes() == (tmp_path / f"b_{kind}.tif").read_bytes()
    assert not list(tmp_path.glob("*.roadlift"))


def test_products_that_were_written_before_the_end_are_written_again(image, tmp_path, monkeypatch):
    output, product = tmp_path / "a.gpkg", tmp_path / "p.tif"

    def full(*_, **__):
        raise OutputError("full")

    with monkeypatch.context() as patch:
        patch.setattr(roadlift.RoadMap, "save", full)
        with pytest.raises(OutputError):
            extract(image, TILES, output=output, save_probability=product)
    assert product.exists()
    assert not output.exists()
    extract(image, TILES, output=output, save_probability=product)
    assert output.exists()
    with pytest.raises(OutputError, match="exists"):
        extract(image, TILES, output=tmp_path / "b.gpkg", save_probability=product)


def test_other_options_are_refused_until_restart(image, expected, tmp_path):
    output = tmp_path / "p.tif"
    with pytest.raises(KeyboardInterrupt):
        predict(image, output, TILES, compute=_Interrupt(4))
    for other, said in (
        (ExtractOptions(tile_size=96), "options tile_size was 64 and is 96"),
        (ExtractOptions(tile_size=64, exact=True), "options exact was False and is True"),
        (ExtractOptions(tile_size=64, runtime="onnxruntime"), "model runtime was 'openvino'"),
    ):
        with pytest.raises(UsageError, match=said):
            predict(image, output, other)
    how = ExtractOptions(tile_size=64, batch_size=3, max_memory="3GB")
    assert predict(image, output, how)["finished_earlier"] == 4
    assert output.read_bytes() == expected
    with pytest.raises(KeyboardInterrupt):
        predict(image, output, TILES, compute=_Interrupt(4), overwrite=True)
    assert predict(image, output, TILES, restart=True, overwrite=True)["finished_earlier"] == 0


@pytest.mark.parametrize("blend", ["linear", "hann"])
def test_blended_tiles_resume_to_the_same_bytes(image, tmp_path, blend):
    options = ExtractOptions(tile_size=64, blend=blend)
    predict(image, tmp_path / "a.tif", options)
    with pytest.raises(KeyboardInterrupt):
        predict(image, tmp_path / "b.tif", options, compute=_Interrupt(12))
    predict(image, tmp_path / "b.tif", options)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    model = roadlift.load_model()
    with rasterio.open(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.read(1), _streamed(image, model, options))


def _streamed(image, model, options):
    from roadlift.pipeline import predict_image

    return predict_image(image, model, options)


def test_nothing_is_left_of_work_that_cannot_begin(raster, tmp_path):
    image = raster(np.full((3, 40, 40), NO_DATA, np.uint8))
    content = image.read_bytes()
    image.write_bytes(content[:-4000])
    with pytest.raises(roadlift.InputError):
        predict(image, tmp_path / "p.tif")
    assert not journal_folder(tmp_path / "p.tif").exists()


def test_shards_merge_to_the_same_bytes(image, expected, tmp_path):
    output = tmp_path / "p.tif"
    with pytest.raises(UsageError, match="--shard 1/N first"):
        merge_shards(output)
    for number in (3, 1):
        compute_shard(image, output, TILES, Shard(number, 3))
    with pytest.raises(UsageError, match="8 of 25 tiles are missing: --shard 2/3 is not finished"):
        merge_shards(output)
    with pytest.raises(UsageError, match="another kind"):
        compute_shard(image, output, ExtractOptions(tile_size=96), Shard(2, 3))
    assert compute_shard(image, output, TILES, Shard(2, 3)) == {"tiles": 8, "finished_earlier": 0}
    assert compute_shard(image, output, TILES, Shard(2, 3))["finished_earlier"] == 8
    assert merge_shards(output)["finished_earlier"] == ALL
    assert output.read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["p.tif"]


def test_shards_of_a_network_on_the_command_line(image, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    for shard in ("1/2", "2/2"):
        found = run(cli, ["extract", str(image), "a.gpkg", "--tile-size", "96", "--shard", shard, "-q"])
        assert found.exit_code == 0, found.output
    found = run(cli, ["merge", "a.gpkg", "--save-mask", "m.tif"])
    assert found.exit_code == 0, found.output
    assert "km of road" in found.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gpkg", "m.tif"]
    whole = extract(image, ExtractOptions(tile_size=96))
    assert roadlift.RoadMap.from_file("a.gpkg").edges.geometry.equals(whole.edges.geometry)


@given(st.integers(1, 500), st.integers(1, 40))
def test_shards_share_all_tiles(total, count):
    tiles = [list(Shard(number, count).tiles(total)) for number in range(1, count + 1)]
    assert [index for share in tiles for index in share] == list(range(total))
    assert max(map(len, tiles)) - min(map(len, tiles)) <= 1


@pytest.mark.parametrize("text", ["3", "0/4", "5/4", "a/b", "1/0", "-1/3"])
def test_no_shards(text):
    with pytest.raises(UsageError, match="shard"):
        Shard.parse(text)


def test_ways_to_share_do_not_mix(image, tmp_path):
    for options in (
        ["--shard", "1/2", "--cluster", "local:2"],
        ["--on-error", "skip"],
        ["--cluster", "local"],
    ):
        found = CliRunner().invoke(cli, ["extract", str(image), str(tmp_path / "a.gpkg"), *options])
        assert isinstance(found.exception, UsageError)


@pytest.fixture
def damaged(tmp_path):
    """An image of which two cells cannot be read: 2 x 128 x 128 of 1024 x 512 pixels."""
    path = tmp_path / "damaged.tif"
    profile = {
        "driver": "GTiff",
        "count": 3,
        "dtype": "uint8",
        "height": 1024,
        "width": 512,
        "crs": "EPSG:32619",
    }
    profile |= {
        "transform": rasterio.Affine(1, 0, 300_000, 0, -1, 4_700_000),
        "tiled": True,
        "compress": "deflate",
    }
    with rasterio.open(path, "w", **profile | {"blockxsize": 128, "blockysize": 128}) as file:
        file.write(np.moveaxis(np.tile(render(3, shape=(512, 512)).image, (2, 1, 1)), 2, 0))
    with rasterio.open(path) as file:
        names = ("BLOCK_OFFSET_1_4", "BLOCK_OFFSET_3_6")
        offsets = [int(file.get_tag_item(name, "TIFF", bidx=1)) for name in names]
    content = bytearray(path.read_bytes())
    for offset in offsets:
        content[offset + 10 : offset + 200] = b"x" * 190
    path.write_bytes(content)
    return path


def test_what_is_lost_is_counted_over_all_runs(damaged, tmp_path, monkeypatch):
    options = ExtractOptions(tile_size=128, on_read_error="nodata")
    with pytest.raises(KeyboardInterrupt):
        predict(damaged, tmp_path / "p.tif", options, compute=_Interrupt(after=16))
    (notes,) = (tmp_path / "p.tif.roadlift").glob("*.lost")
    assert [json.loads(line)["row"] for line in notes.read_text().splitlines()] == [512]
    monkeypatch.setattr("roadlift.imagery.source.MAX_UNREADABLE", 0.04)  # one cell is 3.1 %, both are 6.3 %
    with pytest.raises(InputError, match=r"6% of the pixels or more are lost"):
        predict(damaged, tmp_path / "p.tif", options)
    monkeypatch.setattr("roadlift.imagery.source.MAX_UNREADABLE", 0.07)
    predict(damaged, tmp_path / "p.tif", options)
    with rasterio.open(tmp_path / "p.tif") as file:
        assert (file.read(1) == NO_DATA).sum() == 2 * 128 * 128


def test_too_little_room_is_said_before_the_work(image, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3000))
    begin = partial(predict, image, tmp_path / "p.tif", TILES, compute=_Interrupt(after=0))
    for call in (begin, partial(compute_shard, image, tmp_path / "p.tif", TILES, Shard(1, 2))):
        with pytest.raises(OutputError, match=r"about [\d,]+ bytes are needed and 3,000 are free") as told:
            call()
        assert told.value.exit_code == 6
        assert not any(tmp_path.glob("*.tif"))
        assert not any(tmp_path.glob("*/*.tiles"))
