"""What this process holds in memory, and what it need not hold."""

from __future__ import annotations

import ctypes
import re
import resource
import sys
from pathlib import Path

_M_ARENA_MAX = -8


def peak_memory_mb() -> float:
    """Return the largest resident set of this process so far, in MB (10^6 bytes).

    On Linux it is the kernel's own mark: what ``getrusage`` tells begins at the size of the starting process.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def share_one_arena() -> None:
    """Let all threads from now on allocate in one place; GNU libc would keep what each has freed for that thread alone."""
    _libc("mallopt", _M_ARENA_MAX, 1)


def return_free_memory() -> None:
    """Give freed memory back to the system, which GNU libc keeps otherwise."""
    _libc("malloc_trim", 0)


def _libc(name: str, *arguments: int) -> None:
    """Call a function of the C library where there is one of this name: GNU's on Linux."""
    if sys.platform == "linux" and (function := getattr(ctypes.CDLL(None), name, None)) is not None:
        function(*arguments)
