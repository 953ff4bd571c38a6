"""Runs hostile inputs through the command line, each in a child of its own with a limit on memory and time.

Starting Python and importing roadlift takes a second; so this process imports once and forks for each kind. A child
redirects its output, calls the command line as a shell would, and ends.

    python tests/hostile/runner.py RESULTS.json FOLDER [NAME...]
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import kinds

ADDRESS_SPACE = 6 * 2**30
WALL_SECONDS = 60.0


class Listener:
    """A loopback port where nobody should knock; counts who does."""

    def __init__(self) -> None:
        self.knocks = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            self.knocks += 1
            connection.close()


def run(kind: kinds.Kind, folder: Path, model: Path, listener: Listener) -> dict[str, Any]:
    """Build a kind in its folder, run its command, and tell what came of it."""
    work = folder / kind.name
    work.mkdir()
    os.chdir(work)
    arguments = kind.build(kinds.Place(work, listener.address, model))
    before, knocks = _files(work), listener.knocks
    said = folder / f"{kind.name}.said"
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _become(arguments, said)
    _, status, usage = os.wait4(child, 0)
    return {
        "arguments": arguments,
        "code": os.waitstatus_to_exitcode(status),
        "said": said.read_text(errors="replace"),
        "left": sorted(_files(work) - before),
        "knocks": listener.knocks - knocks,
        "memory_mb": usage.ru_maxrss / 1024 * 1.048576,
        "processor_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.monotonic() - started,
    }


def _become(arguments: list[str], said: Path) -> None:
    """Turn this child into the command line; never returns."""
    code = 1
    try:
        output = os.open(said, os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)  # ends a child that hangs
        sys.argv = ["roadlift", *arguments]
        from roadlift.cli import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _import() -> None:
    """Import what the commands import, by calling each once for a file that is not there."""
    from click.testing import CliRunner

    from roadlift.cli import cli

    for command in ("extract", "predict", "vectorize", "evaluate"):
        CliRunner().invoke(cli, [command, "missing.tif", "missing.gpkg"])
    for name in ("onnxruntime", "openvino", "osmium", "pyarrow"):
        importlib.import_module(name)


def main() -> None:
    """Run all kinds, or those named."""
    results, folder, *names = sys.argv[1:]
    chosen = kinds.all_kinds()
    _import()
    import hostile_models

    model = hostile_models.save(hostile_models.network(), Path(folder) / "toy.onnx")
    listener = Listener()
    found = {name: run(chosen[name], Path(folder), model, listener) for name in names or sorted(chosen)}
    Path(results).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
