"""The web server under load: many clients, slow clients, a full queue, strangers' files, made-up requests.

python -m benchmarks.server load slow jobs hostile fuzz

Each part is measured against a server of its own, in its own process, over real sockets.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import httpx
import numpy as np

from roadlift.scene import render

HEADERS = {"X-Roadlift": "1"}
HOSTILE = Path(__file__).parents[1] / "tests" / "hostile"
LARGEST = 2**26
TYPE = {"Content-Type": "multipart/form-data; boundary=line"}


@dataclass(frozen=True)
class Served:
    """A running server: its address, its process, and where its data are."""

    url: str
    process: int
    folder: Path

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.url.rsplit(":", 1)[1])

    def memory_mb(self) -> float:
        """Resident memory of the server itself, without its children."""
        status = Path(f"/proc/{self.process}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) * 1024 / 1e6 if found else float("nan")

    def tree_mb(self) -> float:
        """Resident memory of the server and all that it started."""
        return sum(row.rss_mb for row in self._tree())

    def tree_seconds(self) -> float:
        """Processor time of the server and all that it started, with those that have ended."""
        return sum(row.seconds for row in self._tree())

    def _tree(self) -> list[_Process]:
        """The server's process and all below it."""
        rows, found = _processes(), {self.process}
        while more := {row.pid for row in rows if row.parent in found} - found:
            found |= more
        return [row for row in rows if row.pid in found]


@dataclass(frozen=True)
class _Process:
    """A process: id, parent, resident memory, processor time with that of ended children."""

    pid: int
    parent: int
    rss_mb: float
    seconds: float


def _processes() -> list[_Process]:
    rows, tick, page = [], os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            field = path.read_text().rsplit(")", 1)[1].split()
            used = sum(map(int, field[11:15])) / tick
            rows.append(_Process(int(path.parent.name), int(field[1]), int(field[21]) * page / 1e6, used))
    return rows


@contextmanager
def served(*options: str) -> Iterator[Served]:
    """Start `roadlift serve` and stop it again; prints how long stopping takes."""
    with tempfile.TemporaryDirectory() as folder:
        start = [
            sys.executable,
            "-c",
            "from roadlift.cli import main; main()",
            "serve",
            "--port",
            "0",
            "--data",
            folder,
        ]
        process = subprocess.Popen([*start, *options], stdout=subprocess.PIPE, text=True)
        try:
            url = process.stdout.readline().split()[3]
            while True:
                try:
                    httpx.get(f"{url}/api/health")
                    break
                except httpx.ConnectError:
                    time.sleep(0.05)
            yield Served(url, process.pid, Path(folder))
        finally:
            started = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            process.wait()
            print(f"| SIGTERM to end | {time.perf_counter() - started:.1f} s |")


def upload(server: Served, side: int) -> dict:
    """Upload a rendered scene."""
    with tempfile.TemporaryDirectory() as folder:
        image = render(3, shape=(side, side)).save(folder, "scene")[0]
        answer = httpx.post(
            f"{server.url}/api/images", files={"file": image.read_bytes()}, headers=HEADERS, timeout=300
        )
    answer.raise_for_status()
    return answer.json()


def said(name: str, times: list[float], seconds: float) -> str:
    """Return a row of a table: how many, how quick."""
    p50, p95, p99 = np.percentile(times, (50, 95, 99)) * 1000
    rate = len(times) / seconds
    return f"| {name} | {len(times)} requests, {rate:.0f}/s, p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms |"


@asynccontextmanager
async def client_of(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A client that opens as many connections as it likes."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=server.url, headers=HEADERS, limits=limits, timeout=120) as client:
        yield client


async def hammer(
    clients: int, rounds: int, ask: Callable[[int], Awaitable[int]]
) -> tuple[list[float], Counter[int], float]:
    """Have so many clients ask so often, one request after another each."""
    times: list[float] = []
    answers: Counter[int] = Counter()

    async def one(number: int) -> None:
        for turn in range(rounds):
            started = time.perf_counter()
            answers[await ask(number * rounds + turn)] += 1
            times.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(clients)))
    return times, answers, time.perf_counter() - started


def tiles_of(image: dict, zooms: range = range(14, 19)) -> list[str]:
    """All tiles of an image."""
    from rio_tiler.constants import WEB_MERCATOR_TMS

    found = WEB_MERCATOR_TMS.tiles(*image["bounds"], zooms=list(zooms))
    return [f"/api/images/{image['id']}/tiles/{tile.z}/{tile.x}/{tile.y}.png" for tile in found]


class Plain:
    """One connection that asks one thing after another: as little of a client as can be, for it is not what is measured."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._pipes: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> int:
        """Return the status of an answer that was read to its end."""
        if self._pipes is None:
            self._pipes = await asyncio.open_connection("127.0.0.1", self._server.port)
        reader, writer = self._pipes
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
        return int(head[9:12])


async def ask_plainly(
    server: Served, clients: int, rounds: int, paths: list[str]
) -> tuple[list[float], Counter[int], float]:
    """Have so many clients, each with a connection of its own, ask for the paths in turn."""
    connections = [Plain(server) for _ in range(clients)]

    async def ask(number: int) -> int:
        return await connections[number // rounds].get(paths[number % len(paths)])

    return await hammer(clients, rounds, ask)


PROBE = """
import http.client, sys, time
from pathlib import Path
times, end = [], Path(sys.argv[2])
client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
while not end.exists():
    started = time.perf_counter()
    client.request("GET", "/api/health")
    client.getresponse().read()
    times.append(time.perf_counter() - started)
    time.sleep(0.05)
print(*times)
"""


async def load(clients: int, rounds: int) -> None:
    """Many clients that ask for health, then for tiles, while a process of its own asks for health."""
    with served() as server, tempfile.TemporaryDirectory() as folder:
        image = upload(server, 2048)
        paths = tiles_of(image)[: clients * rounds]
        times, answers, seconds = await ask_plainly(server, clients, rounds, ["/api/health"])
        print(said(f"health, {clients} clients", times, seconds), dict(answers))
        for name in (f"{len(paths)} tiles for the first time", "the same again"):
            end = Path(folder) / name
            command = [sys.executable, "-c", PROBE, str(server.port), str(end)]
            probe = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            times, answers, seconds = await ask_plainly(server, clients, -(-len(paths) // clients), paths)
            end.touch()
            beside = list(map(float, probe.communicate()[0].split()))
            print(said(f"{name}, {clients} clients", times, seconds), dict(answers))
            print(said("health meanwhile, another process", beside, seconds))
        print(f"| memory of the server | {server.memory_mb():.0f} MB |")


async def slow(clients: int) -> None:
    """Uploads that stop half-way."""
    with served("--receive-time", "10") as server:
        head = (
            f"POST /api/images HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nX-Roadlift: 1\r\nContent-Length: 1000000\r\n"
            "Content-Type: multipart/form-data; boundary=line\r\n\r\n--line\r\n"
        ).encode()
        open_ones = []
        for _ in range(clients):
            one = socket.create_connection(("127.0.0.1", server.port))
            one.sendall(head)
            open_ones.append(one)
        started = time.perf_counter()
        async with client_of(server) as client:
            times, answers, seconds = await hammer(1, 50, lambda _: _health(client))
        print(said(f"health beside {clients} half-open uploads", times, seconds), dict(answers))
        statuses: Counter[bytes] = Counter()
        for one in open_ones:
            one.settimeout(60)
            statuses[b"".join(iter(lambda one=one: one.recv(65536), b""))[9:12]] += 1
            one.close()
        print(f"| all closed after | {time.perf_counter() - started:.1f} s, {dict(statuses)} |")
        print(f"| left in the data folder | {len(list((server.folder / 'images').iterdir()))} uploads |")


async def _health(client: httpx.AsyncClient) -> int:
    return (await client.get("/api/health")).status_code


async def jobs(count: int) -> None:
    """A queue that fills up, and is worked off while others ask for tiles."""
    with served("--queue", str(count)) as server:
        image = upload(server, 256)
        paths = tiles_of(image)
        async with client_of(server) as client:

            async def submit(_: int) -> int:
                return (await client.post("/api/jobs", json={"image": image["id"]})).status_code

            async def tile(number: int) -> int:
                return (await client.get(paths[number % len(paths)])).status_code

            times, answers, seconds = await hammer(count + 10, 1, submit)
            print(said(f"{count + 10} jobs submitted at once", times, seconds), dict(answers))
            started, peak = time.perf_counter(), 0.0
            health: list[float] = []
            while True:
                asked = time.perf_counter()
                now = (await client.get("/api/health")).json()
                health.append(time.perf_counter() - asked)
                peak = max(peak, server.tree_mb())
                if not now["queued"] + now["running"]:
                    break
                await tile(len(health))
                await asyncio.sleep(0.5)
            seconds = time.perf_counter() - started
            states = Counter(job["state"] for job in (await client.get("/api/jobs")).json()["jobs"])
        print(f"| all done after | {seconds:.0f} s, {dict(states)} |")
        print(said("health meanwhile", health, seconds))
        print(f"| memory of the server and its processes at most | {peak:.0f} MB |")


async def hostile() -> None:
    """Every image of tests/hostile, uploaded one after the other; a line for each tells what it cost."""
    sys.path.insert(0, str(HOSTILE))
    import kinds

    with served() as server, tempfile.TemporaryDirectory() as folder:
        files = hostile_files(kinds, Path(folder))
        before, processor_before, started = server.memory_mb(), server.tree_seconds(), time.perf_counter()
        statuses: Counter[int] = Counter()
        faults, health = [], []
        async with client_of(server) as client:
            for number, (name, content) in enumerate(files.items(), 1):
                asking = asyncio.create_task(_while_others_work(client, health))
                since = time.perf_counter()
                answer = await client.post("/api/images", files={"file": ("image.tif", content)})
                seconds = time.perf_counter() - since
                asking.cancel()
                statuses[answer.status_code] += 1
                print(f"{number}/{len(files)} {name}: {answer.status_code} after {seconds:.2f} s", flush=True)
                if answer.status_code >= 500 or re.search(r"Traceback|/(tmp|work|usr|home)/", answer.text):
                    faults.append((name, answer.status_code, answer.text[:200]))
        seconds = time.perf_counter() - started
        processor = server.tree_seconds() - processor_before
        print(
            f"| {len(files)} hostile files | {dict(statuses)} in {seconds:.0f} s, {processor:.0f} s of a processor |"
        )
        print(said("health meanwhile", health, seconds))
        print(f"| faulty answers | {faults or 'none'} |")
        print(f"| growth of the server's memory | {server.memory_mb() - before:.0f} MB |")


async def _while_others_work(client: httpx.AsyncClient, times: list[float]) -> None:
    """Ask for health until told to stop."""
    while True:
        started = time.perf_counter()
        await _health(client)
        times.append(time.perf_counter() - started)
        await asyncio.sleep(0.1)


def hostile_files(kinds: ModuleType, folder: Path) -> dict[str, bytes]:
    """Build the cases of tests/hostile and return, by name, the files that they would have read as images.

    Only what a browser could upload: no folders, no named pipes (which nobody writes to), nothing above 64 MiB.
    """
    found = {}
    for number, case in enumerate(kinds.all_kinds().values()):
        place = kinds.Place(folder / str(number) / "case", "127.0.0.1:9", folder / "none.onnx")
        place.folder.mkdir(parents=True)
        command, *rest = case.build(place)
        if command in ("inspect", "extract", "predict"):
            with suppress(OSError, ValueError):  # names that are none
                path = place.folder / rest[0]
                if path.is_file() and path.stat().st_size <= LARGEST:
                    found[case.name] = path.read_bytes()
    return found


async def fuzz(examples: int) -> None:
    """Requests that schemathesis makes up from the description of the API: about nothing, then about a finished job."""
    with served() as server, tempfile.TemporaryDirectory() as folder:
        nothing = ["--exclude-path", "/api/images/demo"]
        ask_made_up(server, Path(folder), "on made-up ids", examples, {}, nothing)
        image = upload(server, 256)
        job = httpx.post(f"{server.url}/api/jobs", json={"image": image["id"]}, headers=HEADERS).json()
        while httpx.get(f"{server.url}/api/jobs/{job['id']}").json()["state"] in ("queued", "running"):
            time.sleep(0.2)
        known = {"path.image": image["id"], "path.job": job["id"]}
        real = ["--include-path-regex", "[{](image|job)[}]", "--exclude-method", "DELETE"]
        ask_made_up(server, Path(folder), "on a finished job", max(examples // 4, 1), known, real)


def ask_made_up(
    server: Served, folder: Path, name: str, examples: int, known: dict[str, str], which: list[str]
) -> None:
    """Run schemathesis; prints what it asked, and all of what it found where that is not nothing."""
    config = folder / "schemathesis.toml"
    lines = ["[parameters]", *(f'"{place}" = "{value}"' for place, value in known.items())]
    config.write_text("\n".join(lines) + "\n")
    tool = Path(sys.executable).with_name("schemathesis")
    command = [
        tool, "--config-file", config, "run", f"{server.url}/api/openapi.json", "--header", "X-Roadlift: 1",
        "--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples), *which,
    ]  # fmt: skip
    started, before = time.perf_counter(), server.tree_seconds()
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds, processor = time.perf_counter() - started, server.tree_seconds() - before
    asked = re.search(r"(\d+) generated", ended.stdout)
    print(
        f"| schemathesis {name}, {examples} examples for each call | {asked[1] if asked else 'no'} requests, "
        f"exit {ended.returncode} in {seconds:.0f} s, the server {processor:.0f} s of a processor |",
        flush=True,
    )
    if ended.returncode:
        print(ended.stdout[-20_000:])


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["load", "slow"])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--examples", type=int, default=200)
    options = parser.parse_args()
    parts: dict[str, Callable[[], Awaitable[None]]] = {
        "load": lambda: load(options.clients, options.rounds),
        "slow": lambda: slow(options.clients),
        "jobs": lambda: jobs(options.jobs),
        "hostile": hostile,
        "fuzz": lambda: fuzz(options.examples),
    }
    for name in options.parts:
        print(f"\n### {name}\n", flush=True)
        asyncio.run(parts[name]())


if __name__ == "__main__":
    main()
