"""The journal: goes on with the same work only, one process at a time, and says what differs."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from roadlift.errors import OutputError, UsageError
from roadlift.imagery import ImagerySource, fingerprint, journal_folder, open_journal, read_record

IDENTITY = {
    "image": {"bytes": 7},
    "model": {"sha256": "ab"},
    "options": {"threshold": None, "bands": (3, 2, 1)},
}


def _changed(part, key, value):
    return {**IDENTITY, part: {**IDENTITY[part], key: value}}


def test_the_same_work_goes_on_with_its_first_facts(tmp_path):
    folder = journal_folder(tmp_path / "a.gpkg")
    with open_journal(folder, IDENTITY, {"tile": 1}) as journal:
        assert not journal.resumed
    with open_journal(folder, IDENTITY, {"tile": 2}) as journal:
        assert (journal.resumed, journal.facts) == (True, {"tile": 1})
    assert read_record(folder)["identity"] == json.loads(json.dumps(IDENTITY))
    with open_journal(folder, IDENTITY, {"tile": 2}, restart=True) as journal:
        assert (journal.resumed, journal.facts) == (False, {"tile": 2})
        journal.remove()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("part", "key", "value", "said"),
    [
        ("image", "bytes", 8, "image bytes was 7 and is 8"),
        ("model", "sha256", "cd", "model sha256 was 'ab' and is 'cd'"),
        ("options", "threshold", 0.5, "options threshold was None and is 0.5"),
        ("options", "bands", (1, 2, 3), r"options bands was \[3, 2, 1\] and is \[1, 2, 3\]"),
        ("options", "new", 1, "options new was None and is 1"),
    ],
)
def test_other_work_is_refused_with_the_difference(tmp_path, part, key, value, said):
    open_journal(tmp_path / "j", IDENTITY, {}).close()
    with pytest.raises(UsageError, match=said) as caught:
        open_journal(tmp_path / "j", _changed(part, key, value), {})
    assert "--restart" in str(caught.value)
    open_journal(tmp_path / "j", _changed(part, key, value), {}, restart=True).close()
    open_journal(tmp_path / "j", _changed(part, key, value), {}).close()


@pytest.mark.parametrize("content", ["{}", "half a reco", '{"format": 99, "identity": {}, "facts": {}}'])
def test_a_record_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "journal.json").write_text(content)
    with pytest.raises(UsageError, match="--restart"):
        open_journal(tmp_path, IDENTITY, {})
    open_journal(tmp_path, IDENTITY, {}, restart=True).close()


def test_one_process_at_a_time_but_for_shards(tmp_path):
    with open_journal(tmp_path, IDENTITY, {}), pytest.raises(UsageError, match="another process"):
        open_journal(tmp_path, IDENTITY, {})
    with open_journal(tmp_path, IDENTITY, {}, shard="shard-1-of-2"):
        open_journal(tmp_path, IDENTITY, {}, shard="shard-2-of-2").close()
        for options in ({"shard": "shard-1-of-2"}, {}, {"restart": True}):
            with pytest.raises(UsageError, match="another process"):
                open_journal(tmp_path, IDENTITY, {}, **options)
    open_journal(tmp_path, IDENTITY, {}).close()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        open_journal(tmp_path / "file" / "j", IDENTITY, {})


def test_a_full_disk_leaves_no_folder(tmp_path):
    program = (
        "import resource, signal, sys\n"
        "from roadlift.errors import OutputError\n"
        "from roadlift.imagery import open_journal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "try:\n    open_journal(sys.argv[1], {'a': 'b' * 99}, {})\n"
        "except OutputError as error:\n    print(error)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "j")], capture_output=True, text=True, check=True
    )
    assert "File too large" in found.stdout
    assert not (tmp_path / "j").exists()


def test_a_fingerprint_sees_size_time_and_pixels(raster):
    image = np.random.default_rng(0).integers(0, 200, (3, 90, 80)).astype(np.uint8)

    def look():
        with ImagerySource(path) as source:
            return fingerprint(source)

    path = raster(image)
    first = look()
    assert look() == first
    os.utime(path, ns=(1, 1))
    assert {key for key, value in look().items() if value != first[key]} == {"modified", "listing"}
    image[:, 5, 5] += 1
    raster(image)
    os.utime(path, ns=(first["modified"],) * 2)
    assert {key for key, value in look().items() if value != first[key]} == {"pixels"}
