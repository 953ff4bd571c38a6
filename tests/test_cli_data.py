"""The commands for labelled data, as they are typed."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from roadlift.cli import cli
from roadlift.imagery.picture import write_image
from roadlift.scene import render


@pytest.fixture(scope="module")
def county(tmp_path_factory):
    """A scene of 320 x 320 m with its roads as lines, and a folder of images of which one has no mask."""
    folder = tmp_path_factory.mktemp("county")
    scene = render(4, shape=(320, 320))
    scene.save(folder, "city")
    for name, labelled in (("a", True), ("b", False)):
        path = folder / "own" / "images" / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, scene.image[:200, :200] if labelled else scene.image[100:, 100:], scene.georef)
    (folder / "own" / "masks").mkdir()
    write_image(folder / "own" / "masks" / "a.tif", scene.label()[:200, :200], scene.georef)
    return folder


def _run(*words, code=0):
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exit_code == code, f"{result.output}{result.exception!r}"
    return result


def test_inspect_says_what_is_there_and_what_is_wrong(county, tmp_path):
    said = _run("data", "inspect", county / "own", "--sheet", tmp_path / "sheet.png", "--quiet").output
    assert "layout folders" in said
    assert "no label: " in said
    assert "b.tif" in said
    assert "1 problems" in said
    assert "220 px" in said
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"


def test_inspect_gives_json(county):
    told = json.loads(_run("data", "inspect", county / "own", "--json").output)
    assert [image["name"] for image in told["images"]] == ["a", "b"]
    assert told["problems"][0]["problem"] == "no label"


def test_prepare_makes_a_data_set_that_training_takes(county, tmp_path):
    out = tmp_path / "out"
    words = (
        "--roads",
        county / "city_roads.gpkg",
        "--tile-size",
        160,
        "--block",
        100,
        "--splits",
        "train=0.5,dev=0.5",
    )
    said = _run("data", "prepare", county / "city.tif", out, *words).output
    assert "2 tiles dev, 2 tiles train" in said
    from roadlift.train.data import read_samples

    samples = read_samples(out, "train")
    assert [sample.label.shape for sample in samples] == [(160, 160)] * 2
    assert any((sample.label == 1).any() for sample in samples)
    assert np.isin(np.unique(samples[0].label), (0, 1)).all()


def test_prepare_tells_what_it_left_out(county, tmp_path):
    words = ("data", "prepare", county / "own", tmp_path / "out", "--splits", "train=1", "--quiet")
    assert "left out: " in _run(*words).output
    told = json.loads(_run(*words[:3], tmp_path / "again", *words[4:], "--json").output)
    assert told["tiles"] == {"train": 1}
    assert told["left_out"][0]["reason"] == "has no label"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("data", "prepare", "IN", "OUT", "--splits", "train"), "train=0.8,dev=0.1,test=0.1"),
        (("data", "inspect", "IN", "--layout"), "--layout"),
    ],
)
def test_usage_is_explained(words, message):
    assert message in _run(*words, code=2).output


def test_errors_are_those_of_the_library(tmp_path):
    result = CliRunner().invoke(cli, ["data", "inspect", str(tmp_path)])
    assert result.exception.exit_code == 3
    assert "images/" in str(result.exception)
