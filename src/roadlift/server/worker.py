"""What a child process does: one task, within its limits, and an answer."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import tempfile
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from roadlift.errors import RoadliftError
from roadlift.server.problems import Problem, words_of
from roadlift.server.tasks import find_task

_NO_MEMORY = ("bad_alloc", "failed to map segment", "Cannot allocate memory", "Unable to allocate")
_PATH = re.compile(r"(?<![\w.])/(?:[^\s/'\"<>:;,()]+/)+(?P<name>[^\s/'\"<>:;,()]*)")


@dataclass(frozen=True)
class Limits:
    """What a child process may use.

    Attributes:
        memory_bytes: Address space.
        file_bytes: Size of one file that it writes.
        seconds: Time on the clock; of the processors' it may use this for each.
    """

    memory_bytes: int
    file_bytes: int
    seconds: float


def work(
    task: str, folder: str, arguments: Mapping[str, Any], limits: Limits, answers: socket.socket
) -> None:
    """Do a task; the process is the child's own.

    Args:
        task: name out of ``tasks.TASKS``.
        folder: where it works.
        arguments: of the task.
        limits: of the process.
        answers: connection to the server, for lines of JSON; the process ends when the server closes it.
    """
    os.setsid()
    os.dup2(2, 1)  # what libraries print is no answer
    threading.Thread(target=_end_with_server, args=(answers,), daemon=True).start()
    begin(folder, limits)
    with answers.makefile("w", encoding="utf-8") as lines:
        answer(lines, attempt(task, arguments, lines))


def begin(folder: str, limits: Limits) -> None:
    """Go to the task's folder and set the limits of this process."""
    os.umask(0o077)
    os.chdir(folder)
    tempfile.tempdir = folder
    processor = int(limits.seconds * (os.cpu_count() or 1)) + 1
    for kind, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


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
    except OSError:
        os._exit(1)


def _end_with_server(answers: socket.socket) -> None:
    """When the server is gone, or wants no answer any more, end, whatever is being done."""
    answers.recv(1)
    os.killpg(0, signal.SIGKILL)
