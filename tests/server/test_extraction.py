"""The task behind a job, in this process: what it keeps when it is broken off."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from roadlift.pipeline import ExtractOptions
from roadlift.server import extraction

ASKED = {
    "name": "town.tif",
    "suffix": ".tif",
    "model": "roadlift-1m",
    "threshold": 0.3,
    "gsd": None,
    "revision": 1,
}


class BrokenOffError(Exception):
    """What ends the job here; a killed process says nothing."""


def test_goes_on_from_finished_tiles(scene, tmp_path, monkeypatch):
    shutil.copy(scene, tmp_path / "image.tif")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extraction, "ExtractOptions", partial(ExtractOptions, tile_size=128))

    def until_the_third(**message):
        if message.get("done") == 3:
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        extraction.extract(report=until_the_third, **ASKED)
    assert Path("work").is_dir()
    assert not Path("result-1").exists()
    told = []
    summary = extraction.extract(report=lambda **message: told.append(message), **ASKED)
    done = [message["done"] for message in told if "done" in message]
    drawn = sum("drawn" in message for message in told)
    assert done[0] >= 2
    assert done == list(range(done[0], 5))
    assert drawn == 4
    assert summary["length_km"] > 0
    assert not Path("work").exists()
    assert not Path("filling.tif").exists()
    assert sorted(path.name for path in Path("result-1").iterdir()) == [
        "found.gpkg",
        "issues.geojson",
        "roads.geojson",
        "roads.gpkg",
    ]
