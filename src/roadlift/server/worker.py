"""A child process: ``python -m roadlift.server.worker``. Reads tasks, does them within their limits, answers."""

from __future__ import annotations

import json
import os
import queue
import re
import resource
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import IO, Any

from roadlift.errors import RoadliftError
from roadlift.server.problems import Problem, words_of
from roadlift.server.tasks import PARTS, find_task

_NO_MEMORY = ("bad_alloc", "failed to map segment", "Cannot allocate memory", "Unable to allocate")
_PATH = re.compile(r"(?<![\w.])/(?:[^\s/'\"<>:;,()]+/)+(?P<name>[^\s/'\"<>:;,()]*)")


def main() -> None:
    """Be ready, take tasks, do them; end when nobody is there any more to give one."""
    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    orders: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read_orders, args=(orders,), daemon=True).start()
    warm_up(orders)
    while True:
        order = orders.get()
        begin(order["folder"], **order["limits"])
        answer(answers, attempt(order["task"], order["arguments"], answers))


def warm_up(orders: queue.Queue[dict[str, Any]]) -> None:
    """Import what tasks need, until there is one."""
    for part in PARTS:
        if not orders.empty():
            return
        import_module(part)


def begin(folder: str, *, seconds: float, file_bytes: int, memory_bytes: int) -> None:
    """Go to the task's folder and set the limits of the task; memory is limited from the start."""
    del memory_bytes
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = used.ru_utime + used.ru_stime + seconds * (os.cpu_count() or 1)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(allowed) + 1, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    os.chdir(folder)
    tempfile.tempdir = folder


def attempt(task: str, arguments: Mapping[str, Any], answers: IO[str]) -> dict[str, Any]:
    """Do the task; what goes wrong becomes an answer without paths of this machine."""

    def report(**message: Any) -> None:
        answer(answers, message)

    try:
        return {"result": find_task(task)(report=report, **arguments)}
    except Problem as problem:
        return failure(problem.status_code, problem.code, without_paths(problem.message))
    except RoadliftError as error:
        status, code, message = words_of(error)
        return failure(status, code, without_paths(message))
    except Exception as error:  # noqa: BLE001 - the server answers in words
        if is_out_of_memory(error):
            return failure(
                413, "over_limit", "It needs more memory than a job may have here; try a smaller image."
            )
        traceback.print_exc()
        return failure(500, "internal", "Something unexpected went wrong; the server's log has the details.")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that there was no memory; libraries in C++ say so in their own ways."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY)


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


def _read_orders(orders: queue.Queue[dict[str, Any]]) -> None:
    """Pass orders on; when the server is gone, go too, whatever is being done."""
    for line in sys.stdin:
        orders.put(json.loads(line))
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
