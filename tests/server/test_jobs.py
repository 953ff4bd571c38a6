"""Jobs: bounds of the queue, limits of the processes; what is left when they fail or nobody wants them. F16, F20."""

from __future__ import annotations

import asyncio
import io
import json
import time
from dataclasses import replace

import pytest
from serving import client_of, extract, problem

from roadlift.errors import UsageError
from roadlift.server.options import MEGABYTE
from roadlift.server.problems import Problem
from roadlift.server.processes import Children
from roadlift.server.schema import Image, JobState
from roadlift.server.store import Store, StoredImage
from roadlift.server.watching import Live
from roadlift.server.worker import Limits, attempt, is_out_of_memory, without_paths


def test_queue_is_bounded(client, image):
    """Four may wait and one runs; the next is told to come again."""
    answers = [client.post("/api/jobs", json={"image": image["id"]}) for _ in range(12)]
    taken = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code != 202]
    assert 4 <= len(taken) <= 6
    for answer in refused:
        words = problem(answer, 429, "queue_full")
        assert "4 jobs" in words
        assert answer.headers["retry-after"]
    for job in reversed(taken):
        assert client.delete(f"/api/jobs/{job}").status_code == 204


def test_damaged_image_fails_in_words(client, scene):
    content = scene.read_bytes()
    answer = client.post("/api/images", files={"file": ("cut.tif", content[: len(content) // 2])})
    words = problem(answer, 422, "unusable_image")
    assert words.startswith("cut.tif is damaged")


def test_time_limit(client, image, monkeypatch):
    """The child is killed with all that it started, and the server goes on."""
    children = client.app.state.workshop.children
    monkeypatch.setattr(children, "_limits", replace(children._limits, seconds=0.3))
    job = extract(client, image)
    assert job["state"] == "failed"
    assert job["error"]["code"] == "time_limit"
    assert "0 s that are allowed" in job["error"]["message"]
    assert not children._running
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 204


def test_what_nobody_expected_fails_in_words(client, image, monkeypatch):
    async def broken(*_, **__):
        raise ValueError("/etc/passwd")

    monkeypatch.setattr(client.app.state.workshop.children, "run", broken)
    job = extract(client, image)
    assert job["error"] == {
        "code": "internal",
        "message": "Something unexpected went wrong; the server's log has the details.",
    }
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 204


def test_memory_limit(tmp_path):
    """A child without memory ends, and who waits for it is told."""

    async def run():
        children = Children(Limits(60 * MEGABYTE, 2**30, 60.0))
        try:
            await children.run("demo", tmp_path, {"max_pixels": 10**9})
        finally:
            await children.close()

    with pytest.raises(Problem, match="memory") as caught:
        asyncio.run(run())
    assert caught.value.code == "over_limit"


def test_out_of_memory_is_recognised():
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("std::bad_alloc"))
    assert not is_out_of_memory(ValueError("bad value"))


def test_images_without_a_job_are_listed_and_go_when_nobody_uses_them(tmp_path, image):
    """Four that were uploaded two hours ago and never extracted; one of them was opened since."""
    store, now = Store(tmp_path), time.time()
    numbers = [number * 22 for number in "abcd"]
    for place, number in enumerate(numbers):
        store.image_folder(number).mkdir()
        about = Image.model_validate({**image, "id": number, "created": now - 7200 + place})
        store.add_image(StoredImage(about, ".tif"))
    store.close()
    with client_of(tmp_path, time_to_live=3.0) as client:
        listed = client.get("/api/images").json()["images"]
        assert [one["id"] for one in listed] == numbers[::-1]
        assert client.delete(f"/api/images/{numbers[3]}").status_code == 204
        assert client.get(f"/api/images/{numbers[0]}").status_code == 200
    with client_of(tmp_path, time_to_live=1.0) as client:
        assert [one["id"] for one in client.get("/api/images").json()["images"]] == numbers[:1]
        problem(client.get(f"/api/images/{numbers[1]}"), 404, "not_found")
        assert [path.name for path in (tmp_path / "images").iterdir()] == numbers[:1]


def test_one_server_per_folder(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(UsageError, match="another server"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_what_nobody_knows_is_removed(tmp_path):
    store = Store(tmp_path)
    (store.image_folder("left-over")).mkdir()
    (store.image_folder("left-over") / "arriving").write_bytes(b"x")
    store.recover()
    assert list((tmp_path / "images").iterdir()) == []
    store.close()


def test_remaining_time():
    live = Live()
    assert live.remaining_s is None
    live.note({"done": 1, "total": 11})
    assert live.remaining_s is None
    live.first -= 10.0
    live.note({"done": 6, "total": 11})
    assert live.remaining_s == pytest.approx(10.0, abs=0.2)


def test_states():
    assert [state for state in JobState if state.final] == ["done", "failed", "cancelled"]


def test_errors_of_a_child_have_no_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = attempt("vectorize", {"model": "roadlift-1m", "threshold": 0.5, "revision": 1}, io.StringIO())
    text = json.dumps(found)
    assert "error" in found
    assert str(tmp_path) not in text
    assert without_paths(f"{tmp_path}/x.tif and /a/b") == "x.tif and b"


def test_deleted_while_it_runs(client, image):
    job = client.post("/api/jobs", json={"image": image["id"]}).json()
    while client.get(f"/api/jobs/{job['id']}").json()["state"] == "queued":
        time.sleep(0.02)
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert not (client.folder / "jobs" / job["id"]).exists()
    assert client.get("/api/health").json() | {"version": ""} == {
        "status": "ok",
        "queued": 0,
        "running": 0,
        "version": "",
    }
