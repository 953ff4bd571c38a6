"""Odd names, clocks, languages and folders: the result is the same, and what is read stays as it is."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from roadlift.cli import cli
from roadlift.errors import UsageError
from roadlift.pipeline import extract, predict
from roadlift.scene import render


@pytest.fixture
def scene(tmp_path):
    image, _, _ = render(5, shape=(256, 256)).save(tmp_path / "scene", "city")
    return image


def _run(*arguments, **where):
    code = "from roadlift.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **where,
    )
    assert done.returncode == 0, done.stderr


def test_names_clock_and_language_change_nothing(scene, tmp_path):
    odd = tmp_path / "Straße 100 % d'été\nnew"
    odd.mkdir()
    image = odd / "İstanbul ı #1.tif"
    image.write_bytes(scene.read_bytes())
    odd.chmod(0o555)
    elsewhere = {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}
    _run("extract", image, tmp_path / "çıktı.geojson", "--quiet", env=os.environ | elsewhere)
    odd.chmod(0o755)
    assert [path.name for path in odd.iterdir()] == [image.name]  # nothing beside the image
    plain = CliRunner().invoke(cli, ["extract", str(scene), str(tmp_path / "plain.geojson"), "--quiet"])
    assert plain.exit_code == 0
    found, plain = (json.loads((tmp_path / name).read_bytes()) for name in ("çıktı.geojson", "plain.geojson"))
    assert len(plain["features"]) > 3
    assert found["features"] == plain["features"]


@pytest.mark.parametrize("name", ["city.tif", "link.tif", "../scene/city.tif"])
def test_what_is_read_is_not_written(scene, name):
    before = scene.read_bytes()
    (scene.parent / "link.tif").symlink_to(scene)
    target = scene.parent / name
    with pytest.raises(UsageError, match="is read, so it cannot be written too"):
        predict(scene, target, overwrite=True)
    with pytest.raises(UsageError, match="is read"):
        extract(scene.parent, save_probability=target, overwrite=True)
    assert scene.read_bytes() == before


def test_a_link_at_the_place_of_the_output_is_replaced_not_followed(scene, tmp_path):
    precious = tmp_path / "precious.tif"
    precious.write_text("precious")
    link = tmp_path / "roads.tif"
    link.symlink_to(precious)
    arguments = [
        "vectorize",
        str(scene.parent / "city_mask.tif"),
        str(tmp_path / "roads.gpkg"),
        "--overwrite",
    ]
    (tmp_path / "roads.gpkg").symlink_to(precious)
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    predict(scene, link, overwrite=True)
    assert precious.read_text() == "precious"
    assert not link.is_symlink()
    assert not (tmp_path / "roads.gpkg").is_symlink()
