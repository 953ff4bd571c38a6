"""A child process: ``python -m roadlift.server.worker``. Reads one task, does it within its limits, answers, ends."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import IO, Any

from roadlift.errors import RoadliftError
from roadlift.server.problems import words_of

Report = Callable[..., None]
_PATH = re.compile(r"(?<![\w.])/(?:[^\s/'\"<>:;,()]+/)+(?P<name>[^\s/'\"<>:;,()]*)")


def main() -> None:
    """Be ready, read the task, do it."""
    limit(resource.RLIMIT_AS, int(sys.argv[1]))
    limit(resource.RLIMIT_CORE, 0)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    from roadlift.server.tasks import TASKS

    line = sys.stdin.readline()
    if not line:
        return
    order = json.loads(line)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    limits = order["limits"]
    limit(resource.RLIMIT_CPU, int(limits["seconds"] * (os.cpu_count() or 1)) + 1)
    limit(resource.RLIMIT_FSIZE, limits["file_bytes"])
    os.umask(0o077)
    os.chdir(order["folder"])
    os.environ["TMPDIR"] = order["folder"]
    answer(answers, attempt(TASKS[order["task"]], order["arguments"], answers))
    os._exit(0)  # threads of the runtimes need not be waited for


def limit(kind: int, value: int) -> None:
    """Lower a limit of this process; a hard limit that is lower stays."""
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def attempt(task: Callable[..., Any], arguments: Mapping[str, Any], answers: IO[str]) -> dict[str, Any]:
    """Do the task; what goes wrong becomes an answer without paths of this machine."""

    def report(**message: Any) -> None:
        answer(answers, message)

    try:
        return {"result": task(report=report, **arguments)}
    except RoadliftError as error:
        status, code, message = words_of(error)
        return failure(status, code, without_paths(message))
    except MemoryError:
        return failure(
            413, "over_limit", "It needs more memory than a job may have on this server; try a smaller image."
        )
    except Exception:  # noqa: BLE001 - the server answers in words and this process ends
        traceback.print_exc()
        return failure(500, "internal", "Something unexpected went wrong; the server's log has the details.")


def failure(status: int, code: str, message: str) -> dict[str, Any]:
    """Return the answer that says what went wrong."""
    return {"error": {"status": status, "code": code, "message": message}}


def without_paths(message: str) -> str:
    """Leave of every absolute path its last name.

    Example:
        >>> without_paths("/srv/data/images/x/image.tif is damaged: 3/4 of /etc/passwd")
        'image.tif is damaged: 3/4 of passwd'
    """
    return _PATH.sub(lambda match: match["name"], message)


def answer(answers: IO[str], message: dict[str, Any]) -> None:
    """Write one line; when nobody reads any more, end."""
    try:
        answers.write(json.dumps(message) + "\n")
        answers.flush()
    except BrokenPipeError:
        os._exit(1)


def _end_with_the_server() -> None:
    """Wait until the server is gone, then go too."""
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
