"""A server in this process, with real child processes, and an image and a finished job on it."""

from __future__ import annotations

import json
import time

import pytest

pytest.importorskip("fastapi", reason="needs the extra server: pip install 'roadlift[server]'")

from starlette.testclient import TestClient

from roadlift.server.app import create_app
from roadlift.server.options import ServerOptions

HEADERS = {"X-Roadlift": "1"}
BASE = "http://127.0.0.1:8000"


def client_of(folder, **options):
    """Return a client of an application of its own; use it in a with statement."""
    app = create_app(ServerOptions(data=folder, **options))
    return TestClient(app, base_url=BASE, headers=HEADERS, raise_server_exceptions=False)


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    """A server that all tests of the session share."""
    with client_of(tmp_path_factory.mktemp("served"), max_upload=32) as shared:
        yield shared


@pytest.fixture(scope="session")
def image(client):
    """The demonstration's image on the shared server."""
    answer = client.post("/api/images/demo")
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture(scope="session")
def done(client, image):
    """A finished job of the demonstration's image."""
    answer = client.post("/api/jobs", json={"image": image["id"]})
    assert answer.status_code == 202, answer.text
    return wait(client, answer.json()["id"])


def wait(client, job, *, seconds=120):
    """Return a job when it has reached its final state."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = client.get(f"/api/jobs/{job}").json()
        if found["state"] in ("done", "failed", "cancelled"):
            return found
        time.sleep(0.1)
    raise AssertionError(f"job {job} has not ended after {seconds} s")


def events(client, job):
    """Return all events of a job until it ends: (name, data)."""
    with client.stream("GET", f"/api/jobs/{job}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = "".join(answer.iter_text())
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("event")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]
