"""What tests of the server share: clients, and what they ask again and again."""

from __future__ import annotations

import io
import json
import time

import pytest

pytest.importorskip("fastapi", reason="needs the extra server: pip install 'roadlift[server]'")

from PIL import Image as Picture
from starlette.testclient import TestClient

from roadlift.server.app import create_app
from roadlift.server.options import ServerOptions

HEADERS = {"X-Roadlift": "1"}
BASE = "http://127.0.0.1:8000"
SIDE = 256


def client_of(folder, **options):
    """Return a client of an application of its own; use it in a with statement."""
    app = create_app(ServerOptions(data=folder, **options))
    return TestClient(app, base_url=BASE, headers=HEADERS, raise_server_exceptions=False)


def png_of(array):
    """Return an array (rows, cols, 3) as the bytes of a PNG."""
    file = io.BytesIO()
    Picture.fromarray(array).save(file, "PNG")
    return file.getvalue()


def upload(client, content, name="image.png"):
    """Upload an image that has to be taken."""
    answer = client.post("/api/images", files={"file": (name, content)})
    assert answer.status_code == 201, answer.text
    return answer.json()


def extract(client, image, **request):
    """Have the roads of an image found."""
    answer = client.post("/api/jobs", json={"image": image["id"], **request})
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


def problem(answer, status, code):
    """Check that an answer is an error of ours, and return its words."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error"}
    assert body["error"]["code"] == code
    words = body["error"]["message"]
    assert "/tmp" not in words
    assert "Traceback" not in words
    return words


def features(client, job, name="roads", kind="edge"):
    """Return GeoJSON features of a job's result."""
    found = client.get(f"/api/jobs/{job}/{name}.geojson")
    assert found.status_code == 200, found.text
    return [one for one in found.json()["features"] if name == "issues" or one["properties"]["kind"] == kind]
