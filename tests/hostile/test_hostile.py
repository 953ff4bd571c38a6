"""Strangers' files: each kind ends in its documented exit code, soon, small, by name, and leaves nothing behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kinds
import pytest

KINDS = kinds.all_kinds()
MAX_MEMORY_MB = 500
MAX_PROCESSOR_S = 5.0  # of the processor: a busy machine is no fault of ours
THROUGH_THE_SHELL = ("a_vrt_called_tif", "strip_of_2048_by_a_billion", "cut_at_50_percent")


def test_every_kind_ends_as_documented(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("runner.py"), results, tmp_path / "work"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(results.read_text())
    assert outcomes.keys() == KINDS.keys()
    wrong = {name: list(_faults(KINDS[name], outcome)) for name, outcome in outcomes.items()}
    assert {name: faults for name, faults in wrong.items() if faults} == {}


def _faults(kind: kinds.Kind, outcome: dict[str, Any]) -> Iterator[str]:
    """Say what is wrong with how a kind ended."""
    said = outcome["said"]
    if outcome["code"] != kind.code:
        yield f"exit code {outcome['code']}, not {kind.code}: {said[-500:]}"
    if "Traceback" in said:
        yield f"a traceback: {said[-500:]}"
    if not re.search(kind.says, said, re.DOTALL):
        yield f"the message does not name the fault ({kind.says}): {said[-500:]}"
    if len(said) > 2000 or kinds.SECRET in said:
        yield f"the message says too much: {said[:100]}"
    if outcome["left"]:
        yield f"files are left: {outcome['left']}"
    if outcome["knocks"]:
        yield f"{outcome['knocks']} connections"
    if outcome["memory_mb"] > MAX_MEMORY_MB:
        yield f"{outcome['memory_mb']:.0f} MB"
    if outcome["processor_s"] > MAX_PROCESSOR_S:
        yield f"{outcome['processor_s']:.1f} s"


def test_there_are_many_kinds() -> None:
    assert len(KINDS) >= 200


@pytest.mark.parametrize("name", THROUGH_THE_SHELL)
def test_a_kind_through_the_shell(tmp_path: Path, name: str) -> None:
    import hostile_models

    toy = hostile_models.save(hostile_models.network(), tmp_path / "toy.onnx")
    place = kinds.Place(tmp_path / name, "http://127.0.0.1:9", toy)
    place.folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", "from roadlift.cli import main; main()", *KINDS[name].build(place)],
        capture_output=True,
        text=True,
        check=False,
        cwd=place.folder,
    )
    assert done.returncode == KINDS[name].code
    *_, last = done.stderr.splitlines()
    assert last.startswith("Error: ")
    assert re.search(KINDS[name].says, last)
    assert "Traceback" not in done.stderr
    assert not (place.folder / "roads.gpkg").exists()
