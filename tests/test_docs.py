"""Every command and every example of README and docs is run."""

import re
import shlex
import sys
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

import roadlift
from roadlift.cli import cli
from roadlift.scene import render
from roadlift.server.options import ServerOptions

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
BRIEFLY = [
    "--steps",
    "2",
    "--warmup-steps",
    "1",
    "--evaluate-every",
    "2",
    "--batch-size",
    "1",
    "--crop",
    "64",
]
"""Said last, so that a documented training run is a real one, only short."""
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with the files that the pages speak of."""
    image, mask, _ = render(5, shape=(320, 320)).save(tmp_path, "city")
    with rasterio.open(image) as file:
        pixels = file.read()
    with rasterio.open(mask) as file:
        classes, profile = 7 * file.read() + 1, {**file.profile, "nodata": None}
    with rasterio.open(tmp_path / "city_classes.tif", "w", **profile) as file:
        file.write(classes)
    roadlift.vectorize(mask).save(tmp_path / "roads.gpkg")
    for seed, split in ((1, "train"), (2, "dev")):
        scene = render(seed, shape=(160, 160))
        _write(tmp_path / "mydata" / split / "images" / "a.png", np.moveaxis(scene.image, 2, 0))
        _write(tmp_path / "mydata" / split / "masks" / "a.png", scene.label()[None] * 255)
    _write(tmp_path / "photo.png", pixels)
    (tmp_path / "tiles").mkdir()
    for col in (0, 160):
        part = rasterio.windows.Window(col, 0, 160, 320)
        with rasterio.open(image) as file:
            place = {"width": 160, "transform": file.window_transform(part), "blockxsize": 160}
            with rasterio.open(tmp_path / f"tiles/{col}.tif", "w", **(file.profile | place)) as tile:
                tile.write(file.read(window=part))
    (tmp_path / "tiles.txt").write_text("tiles/0.tif\ntiles/160.tif\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    count, rows, cols = array.shape
    with rasterio.open(path, "w", driver="PNG", count=count, height=rows, width=cols, dtype="uint8") as file:
        file.write(array)


def _make_targets():
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _run(command):
    words = shlex.split(command, comments=True)
    variables = dict(word.split("=", 1) for word in takewhile(re.compile(r"[A-Z_]+=").match, words))
    words = words[len(variables) :]
    if not words:
        return
    if words[0] == "make":
        assert words[1] in _make_targets()
    elif words[:2] == ["pip", "install"]:
        assert re.fullmatch(r"\.(\[[a-z,]+\])?", words[2])
        extras = re.findall(r"[a-z]+", words[2])
        assert all(f"{extra} = [" in (ROOT / "pyproject.toml").read_text() for extra in extras)
    elif words[:3] == ["python", "-m", words[2]]:
        assert (ROOT / Path(*words[2].split("."))).with_suffix(".py").exists() or (ROOT / words[2]).is_dir()
    else:
        assert words[0] == "roadlift"
        if words[1] == "serve":
            _check_serve(words[2:], variables)
            return
        if words[1] == "train" and "--resume" not in words:
            words += BRIEFLY
        result = CliRunner().invoke(cli, words[1:])
        assert result.exit_code == 0, f"{command}\n{result.output}\n{result.exception!r}"


def _check_serve(options, variables):
    """A server does not end: its options are checked as it would."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        ServerOptions(**cli.commands["serve"].make_context("serve", options).params)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_example_of_a_page_runs(page, workplace):
    blocks = BLOCK.findall(page.read_text())
    names = {"__name__": "example"}
    for language, text in blocks:
        if language == "sh":
            for command in text.splitlines():
                _run(command)
        else:
            exec(compile(text, str(page), "exec"), names)
    assert sys.path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target
