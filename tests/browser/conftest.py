"""A real server, a real image and a real browser; skipped with a reason where one of them is absent."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from roadlift.scene import render

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "screenshots"
DESKTOP = {"width": 1280, "height": 800}
SMALL = {"width": 960, "height": 640}
PHONE = {"width": 390, "height": 844}
# A picture by software only: the same on every machine.
START_S = 60


@dataclass
class Server:
    """``roadlift serve`` in a process of its own, on a port and a folder that stay when it is started again."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen | None = field(default=None, repr=False)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def start(self):
        command = [sys.executable, "-c", "from roadlift.cli import main; main()", "serve"]
        options = ["--port", str(self.port), "--data", str(self.folder), *self.options]
        with (self.folder.parent / "serve.log").open("ab") as log:
            self.process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self.process.poll() is None, (self.folder.parent / "serve.log").read_text()
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)
        return self

    def _answers(self):
        try:
            return self.get("health")["status"] == "ok"
        except OSError:
            return False

    def get(self, path):
        with urllib.request.urlopen(f"{self.url}api/{path}", timeout=10) as response:
            return json.load(response)

    def post(self, path, body=b"", kind="application/json"):
        headers = {"X-Roadlift": "1", "Content-Type": kind}
        request = urllib.request.Request(f"{self.url}api/{path}", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def upload(self, path):
        part = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'
        return self.post(
            "images", part.encode() + path.read_bytes() + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"
        )

    def extracted(self, path):
        """Return the id of a finished job of an image; one that is there will do."""
        for job in self.get("jobs")["jobs"]:
            if job["state"] == "done" and job["image"]["name"] == path.name:
                return job["id"]
        job = self.post(
            "jobs", json.dumps({"image": self.upload(path)["id"], "model": "roadlift-1m"}).encode()
        )
        deadline = time.monotonic() + 120
        while (state := self.get(f"jobs/{job['id']}")["state"]) != "done":
            assert state in ("queued", "running"), state
            assert time.monotonic() < deadline, "the job does not end"
            time.sleep(0.2)
        return job["id"]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=20)


@pytest.fixture(scope="session")
def start_server(tmp_path_factory):
    """Start a server on an empty folder; all are stopped at the end."""
    pytest.importorskip("fastapi", reason="the extra server is not installed")
    servers = []

    def start(*options):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        servers.append(Server(tmp_path_factory.mktemp("serve") / "data", port, options))
        return servers[-1].start()

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def server(start_server):
    return start_server()


@pytest.fixture
def open_page(chromium, server):
    """Open the page in a window of its own; at the end nothing may have been complained about in the console."""
    contexts, complaints = [], []

    def hear(message):
        # What the API refuses is said by the page in words; the browser logs it as well.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    def open_(path="", *, size=SMALL, **options):
        # Without motion: what moves is drawn by the processor, sixty times a second.
        options = {"reduced_motion": "reduce", **options}
        contexts.append(chromium.new_context(viewport=size, accept_downloads=True, **options))
        page = contexts[-1].new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.url + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def overgrown(scene, *, row, col, radius):
    """Return a scene with a round patch of grass: a road below it is a gap, which is bridged."""
    rows, cols = np.ogrid[: scene.image.shape[0], : scene.image.shape[1]]
    below = (rows - row) ** 2 + (cols - col) ** 2 < radius**2
    grass = np.random.default_rng(0).normal((110, 140, 70), 6, (below.sum(), 3))
    image = scene.image.copy()
    image[below] = grass.clip(0, 255)
    return replace(scene, image=image)


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """A rendered scene of 400 m with a gap in a road, as georeferenced image and as a bare PNG."""
    folder = tmp_path_factory.mktemp("scene")
    rendered = overgrown(render(7, shape=(400, 400)), row=169, col=235, radius=12)
    image, _, _ = rendered.save(folder, "town")
    rows, cols, bands = rendered.image.shape
    profile = {"driver": "PNG", "width": cols, "height": rows, "count": bands, "dtype": "uint8"}
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(folder / "bare.png", "w", **profile) as file,
    ):
        file.write(np.moveaxis(rendered.image, 2, 0))
    return {"tif": image, "png": folder / "bare.png"}


@pytest.fixture
def shot():
    """Keep a picture of the page among the artefacts."""
    SHOTS.mkdir(exist_ok=True)

    def take(page, name):
        settle(page)
        page.screenshot(path=SHOTS / f"{name}.png")

    return take


def settle(page):
    """Wait until the map has drawn everything that it was given."""
    if page.locator(".map").count():
        page.locator(".map[aria-busy=false]").wait_for()


def pixels(page, selector=".map"):
    """What the person sees there: uint8 (rows, cols, 3)."""
    settle(page)
    box = page.locator(selector).bounding_box()
    picture = Image.open(BytesIO(page.screenshot(clip=box))).convert("RGB")
    return np.asarray(picture)


def near(picture, colour, tolerance=12):
    """Where the picture has a colour: bool (rows, cols)."""
    return (np.abs(picture.astype(int) - colour) <= tolerance).all(axis=2)
