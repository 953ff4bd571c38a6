"""The benchmarks run and print their tables; what they measure is no matter of tests."""

import asyncio
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from roadlift.scene import render

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)


def test_the_plain_way_is_timed_beside_ours(tmp_path):
    from benchmarks.plain_way import run

    image, _, _ = render(1, shape=(256, 256)).save(tmp_path, "scene")
    table = run(image, rounds=1)
    assert len(re.findall(r"\d+\.\d\d MPx/s", table)) == 2
    assert re.search(r"ratio +\d+\.\d", table)


def test_the_plain_way_gives_a_probability_for_every_pixel(tmp_path):
    from benchmarks.plain_way import plain_way

    image, _, _ = render(1, shape=(300, 280)).save(tmp_path, "scene")
    probability = plain_way()(image)
    assert probability.shape == (300, 280)
    assert 0 <= probability.min() <= probability.max() <= 1


def test_runtimes_are_compared(monkeypatch, capsys):
    import runpy

    arguments = ["runtimes", "--tile", "64", "--tiles", "2", "--rounds", "1", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(str(ROOT / "benchmarks" / "runtimes.py"), run_name="__main__")
    assert capsys.readouterr().out.count("openvino") == 3


def test_the_footprint_is_measured(capsys):
    from benchmarks.footprint import seconds, size_mb

    assert size_mb(ROOT / "src" / "roadlift" / "model" / "weights") > 3
    assert seconds(sys.executable, "-c", "pass", rounds=1) > 0


def test_streaming_is_measured(tmp_path):
    from benchmarks.streaming import make_data, measure

    make_data(tmp_path, images=2, side=400)
    found = measure(tmp_path, memory=400 * 400 * 4, batches=1)
    assert (found.samples, found.in_memory) == (2, 1)
    assert found.peak_mb >= found.start_mb > 0
    assert found.crops_per_second > 0


def test_scores_are_timed():
    from benchmarks.evaluation import run, street_grid

    table = run(size=200, nodes=25, rounds=1)
    assert len(re.findall(r" \d+\.\d\d$", table, re.MULTILINE)) == 4
    assert len(street_grid(25).points) > 20


def test_every_flaw_costs_some_score(tmp_path):
    from benchmarks.flaws import run

    table = run(size=320, picture=tmp_path / "flaws.png").splitlines()
    values = {line[:38].strip(): [float(value) for value in line[38:].split()] for line in table[1:]}
    assert values["none"][0] == 1
    assert all(min(row) < 0.98 for name, row in values.items() if name != "none")
    assert (tmp_path / "flaws.png").stat().st_size > 1000


@pytest.mark.filterwarnings("ignore")  # of skan and its compiler
def test_vectorising_is_measured_beside_others(tmp_path):
    from benchmarks.vectorize import SMALL, FileRaster, measure, mosaic, trace_skan, trace_sknw, whole_way

    assert trace_skan(SMALL)[:2] == trace_sknw(SMALL)[:2] == (5, 4)
    assert measure("roadlift", SMALL.astype(np.uint8))["edges"] == 4
    band = np.zeros((1500, 1500), np.uint8)
    band[20:90] = 255
    Image.fromarray(band).save(tmp_path / "band.png")
    assert mosaic(64, tmp_path).sum() == 44 * 64
    (SMALL.repeat(8, axis=0).repeat(8, axis=1).astype(np.uint8) * 254).tofile(tmp_path / "a.bin")
    nodes, edges, km = whole_way(FileRaster(tmp_path / "a.bin", (512, 512)))
    assert (nodes, edges) == (5, 4)
    assert km == pytest.approx(1.024, abs=0.001)


def test_each_step_of_the_network_is_weighed():
    from benchmarks.ablation import STEPS, Case, nothing, table

    from roadlift.evaluate import RoadGraph
    from roadlift.network import NetworkOptions

    mask = np.zeros((400, 400), bool)
    mask[197:204] = mask[:, 197:204] = True
    probability = mask.astype(np.uint8) * 254
    probability[:, 300:306] = 0
    rows = list(table([Case(probability, RoadGraph.from_mask(mask))], NetworkOptions()))
    assert len(rows) == 2 + 2 + len(STEPS)
    first, last = (float(row.split("|")[2]) for row in (rows[2], rows[-1]))
    assert last > 95
    assert last > first + 5
    assert nothing(NetworkOptions()).max_gap_m == 0


def test_options_are_varied():
    from benchmarks.ablation import Case
    from benchmarks.tuning import NAMES, rows

    from roadlift.evaluate import RoadGraph
    from roadlift.network import NetworkOptions

    mask = np.zeros((400, 400), bool)
    mask[197:204] = mask[:, 197:204] = True
    probability = mask.astype(np.uint8) * 254
    probability[:, 300:315] = 0
    head, *table = rows([Case(probability, RoadGraph.from_mask(mask))], NetworkOptions())
    assert head.startswith("defaults: APLS spacenet")
    assert len(table) == 2 + len(NAMES)
    (bridging,) = (row for row in table if row.startswith("| `max_gap_m`"))
    without, half, double = (float(cell.split(",")[0]) for cell in bridging.split("|")[3:6])
    assert without < -2
    assert double == 0
    assert half <= 0


def test_fine_tuning_is_compared(tmp_path):
    import cv2
    from benchmarks.fine_tune import compare

    for seed in range(6):
        scene = render(seed, shape=(96, 96))
        for kind, pixels in (("images", scene.image[..., ::-1]), ("masks", scene.label() * 255)):
            path = tmp_path / "dev" / kind / f"{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels)
    table = compare(tmp_path, steps=1, crop=64)
    assert table.startswith("1 images, 5 labelled tiles, 1 steps")
    assert len(re.findall(r"IoU \d\.\d{3}", table)) == 2


def test_operations_of_convolutions_are_counted():
    from benchmarks.stages import operations_per_pixel
    from onnx.helper import make_graph, make_model, make_node, make_tensor, make_tensor_value_info

    weights = [
        make_tensor("small", 1, (4, 3, 3, 3), [0.0] * 108),
        make_tensor("large", 1, (4, 1, 2, 2), [0.0] * 16),
    ]
    nodes = [
        make_node("Conv", ["image", "small"], ["half"], strides=[2, 2], pads=[1, 1, 1, 1]),
        make_node("ConvTranspose", ["half", "large"], ["road"], strides=[2, 2]),
    ]
    ends = [make_tensor_value_info(name, 1, ("n", of, "h", "w")) for name, of in (("image", 3), ("road", 1))]
    graph = make_model(make_graph(nodes, "two", ends[:1], ends[1:], weights))
    assert operations_per_pixel(graph) == 2 * (108 + 16) / 4


def test_stages_are_timed_alone_and_together(tmp_path, monkeypatch):
    from benchmarks.stages import command, mosaic, stages, table

    monkeypatch.setattr("benchmarks.stages.GEMM", 64)
    image, _, _ = render(1, shape=(160, 160)).save(tmp_path, "scene")
    larger = mosaic(image, 2, tmp_path / "larger.tif")
    megapixels, rows = stages(larger, tmp_path, rounds=1)
    rows.append(command(larger, tmp_path, rounds=1))
    assert megapixels == 320 * 320 / 1e6
    assert [row.name for row in rows] == [
        "read",
        "network",
        "tiles",
        "vectorise",
        "write",
        "roadlift extract",
    ]
    assert all(row.seconds > 0 for row in rows)
    assert "100%" in table(megapixels, rows)


def test_seams_are_measured_and_drawn(tmp_path):
    from benchmarks.seams import draw, measure, table, whole_image

    from roadlift import load_model
    from roadlift.imagery import ImagerySource

    model = load_model()
    with ImagerySource(render(7, shape=(600, 560)).save(tmp_path, "scene")[0]) as source:
        whole = whole_image(source, model)
        found = measure(source, model, ("patches 256, no overlap", "tiles 512"), whole)
        draw(source, model, tmp_path / "seams.png", whole)
    patches, tiles = found.values()
    assert patches.steps > tiles.steps
    assert patches.flipped > tiles.flipped
    assert re.search(r"tiles 512 +\d+ +\d+ +\d\.\d{4}%", table(found))
    assert (tmp_path / "seams.png").stat().st_size > 10_000


def test_a_network_is_drawn_whole_and_in_two_places(tmp_path):
    from benchmarks.pictures import draw

    from roadlift import extract

    image, _, _ = render(1, shape=(256, 256)).save(tmp_path, "scene")
    draw(image, extract(image), tmp_path / "network.jpg", places=((0, 0, 100), (50, 120, 100)))
    with Image.open(tmp_path / "network.jpg") as picture:
        assert picture.size == (1600, 990)
        assert len(picture.getcolors(picture.width * picture.height)) > 1000


def test_memory_is_held_against_its_plan(tmp_path):
    from benchmarks.memory import measure, table

    found = measure(tmp_path, "sparse", 3100, memory="1GB")
    assert found.run["tiles"] == 9
    assert found.run["repeated"] + found.run["without_data"] >= 1
    assert found.peak_mb < 1000
    assert "3100 x 3100" in table([found])


def test_memory_stays_flat_on_a_raster_of_any_size(tmp_path):
    from benchmarks.memory import measure

    found = measure(tmp_path, "raster", 10_000, memory="1GB")
    assert found.run["tiles"] == 100
    assert found.peak_mb <= 600
    assert 0.95 < found.growth < 1.05


def test_kills_and_long_runs_are_told():
    from benchmarks.kills import LongRun, Resumed, table

    said = table(Resumed(3, 64, (1, 0, 2), same_raster=True, same_network=True, target_seen_early=False))
    assert "3 kills of 64 tiles; told as finished and computed again, for each: 1, 0, 2" in said
    assert LongRun((100, 300, 400, 800), (9.0, 1.0, 1.5, 3.5), (5, 5, 5, 5)).slope_mb == pytest.approx(5)


def test_the_server_is_measured():
    from benchmarks.server import hammer, said, tiles_of

    async def ask(number):
        return 200 if number else 404

    times, answers, seconds = asyncio.run(hammer(2, 3, ask))
    assert answers == {200: 5, 404: 1}
    assert said("six", times, seconds).startswith("| six | 6 requests, ")
    image = {"id": "x", "bounds": [0.0, 0.0, 0.01, 0.01]}
    assert "/api/images/x/tiles/14/8192/8191.png" in tiles_of(image)


def test_only_what_a_browser_could_send_is_uploaded(tmp_path):
    """Nobody writes to a named pipe: who opens it to read waits for ever."""
    import kinds
    from benchmarks.server import hostile_files

    asked = ("a_pipe", "png_of_garbage", "a_mask_cut_short")
    some = SimpleNamespace(
        Place=kinds.Place, all_kinds=lambda: {name: kinds.all_kinds()[name] for name in asked}
    )
    found = hostile_files(some, tmp_path)
    assert list(found) == ["png_of_garbage"]
    assert found["png_of_garbage"].startswith(b"\x89PNG")
