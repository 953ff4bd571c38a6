"""A server as users start it: its own process, real sockets, signals. F16, F19, F20."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from serving import HEADERS, upload, wait

from roadlift.errors import OutputError
from roadlift.server import run
from roadlift.server.options import ServerOptions
from roadlift.server.run import serve

START = "from roadlift.cli import main; main()"


@contextmanager
def served(folder, *options):
    """Start `roadlift serve` on a free port and give (client, process)."""
    command = [sys.executable, "-c", START, "serve", "--port", "0", "--data", str(folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        url = line.split()[3]
        with httpx.Client(base_url=url, headers=HEADERS, timeout=60) as client:
            while True:
                try:
                    client.get("/api/health")
                    break
                except httpx.ConnectError:
                    assert process.poll() is None, process.stderr.read()
                    time.sleep(0.05)
            yield client, process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A server that the tests of this module share."""
    with served(tmp_path_factory.mktemp("live"), "--max-upload", "1", "--receive-time", "1.5") as (
        client,
        process,
    ):
        yield client, process


def connect(client):
    return socket.create_connection((client.base_url.host, client.base_url.port), timeout=10)


def started_by(process):
    """Process ids of all that a server has started: the fork server, and the workers that it forks."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=False)
    pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    found = {process}
    while more := {child for child, parent in pairs if parent in found} - found:
        found |= more
    return found - {process}


def leads_a_group(process):
    """Whether it is a worker at work: those have a group of their own, by which they are killed."""
    try:
        return os.getpgid(process) == process
    except ProcessLookupError:
        return False


def is_gone(process, *, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def head_of(client, length=1_000_000):
    lines = [
        "POST /api/images HTTP/1.1",
        f"Host: 127.0.0.1:{client.base_url.port}",
        "X-Roadlift: 1",
        "Content-Type: multipart/form-data; boundary=line",
        f"Content-Length: {length}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def test_listens_on_this_machine_only(live):
    client, process = live
    table = [line.split() for line in Path(f"/proc/{process.pid}/net/tcp").read_text().splitlines()[1:]]
    listening = {
        row[1] for row in table if row[3] == "0A" and int(row[1].split(":")[1], 16) == client.base_url.port
    }
    assert listening == {f"0100007F:{client.base_url.port:04X}"}


def test_half_open_uploads_are_given_up(live):
    """40 that send half of their form and then nothing: others are served meanwhile, and each is closed."""
    client, _ = live
    slow = [connect(client) for _ in range(40)]
    for number, one in enumerate(slow):
        one.sendall(head_of(client) + (b"--line\r\n" if number % 2 else b""))
    times = []
    for _ in range(5):
        started = time.perf_counter()
        assert client.get("/api/health").status_code == 200
        times.append(time.perf_counter() - started)
    assert min(times) < 0.2
    started = time.monotonic()
    for one in slow:
        with one:
            one.settimeout(15)
            answer = b"".join(iter(lambda one=one: one.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 408")
            assert b"too_slow" in answer
    assert time.monotonic() - started < 10


def test_too_large_bodies_are_answered(live):
    """The answer arrives although the client still sends, with and without a length."""
    client, _ = live
    form = b'--line\r\nContent-Disposition: form-data; name="file"; filename="a.tif"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=line"}
    parts = [form, *[b"\0" * 65536] * 20]
    for content in (b"".join(parts), iter(parts)):
        answer = client.post("/api/images", content=content, headers=headers)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "too_large"


def test_heads_that_do_not_end_are_closed(monkeypatch):
    """The protocol closes a connection on which no whole head of a request arrives; here it is told to be quick."""
    monkeypatch.setattr(run, "HEADER_SECONDS", 0.3)

    async def go():
        config = run.uvicorn.Config(lambda: None, ws="none", lifespan="off")
        config.load()
        server = run.uvicorn.Server(config)
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: run.ImpatientProtocol(config, server.server_state, {}, loop), "127.0.0.1", 0
        )
        ended = []
        for sent in (b"", b"GET / HTT"):
            reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
            writer.write(sent)
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readexactly(1), 5)
            writer.close()
            ended.append(sent)
        listener.close()
        return len(ended)

    assert asyncio.run(go()) == 2


def test_killed_in_mid_job(tmp_path, scene, monkeypatch):
    """SIGKILL: the workers go too, and the next start runs the job again. SIGTERM ends at once, streams or not."""
    with served(tmp_path) as (client, process):
        image = upload(client, scene.read_bytes(), "town.tif")
        job = client.post("/api/jobs", json={"image": image["id"]}).json()
        while client.get(f"/api/jobs/{job['id']}").json()["state"] == "queued":
            time.sleep(0.02)
        while not any(leads_a_group(one) for one in started_by(process.pid)):
            time.sleep(0.02)
        workers = started_by(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert all(is_gone(worker) for worker in workers)
    temporary = tempfile.mkdtemp()  # pytest's own is too long a path for a socket
    monkeypatch.setenv("TMPDIR", temporary)
    with served(tmp_path) as (client, process):
        found = wait(client, job["id"])
        assert found["state"] == "done", found["error"]
        assert found["image"] == image
        assert client.get(f"/api/jobs/{job['id']}/roads.geojson").json()["features"]
        second = client.post("/api/jobs", json={"image": image["id"]}).json()
        with client.stream("GET", f"/api/jobs/{second['id']}/events"):
            workers = started_by(process.pid)
            assert workers
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=10)
            assert time.monotonic() - started < 6
        assert all(is_gone(worker) for worker in workers)
        assert process.returncode == 0
        Path(temporary).rmdir()  # nothing is left in it
        said = process.stderr.read()
        assert "Traceback" not in said, said


def test_busy_port(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=f"port {port}.*--port"):
            serve(ServerOptions(data=tmp_path, port=port), ready=print)
