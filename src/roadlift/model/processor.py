"""What the processor can compute quickly."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

_FLAGS: Final = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})


@cache
def has_int8_arithmetic(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has instructions for int8 dot products (VNNI, AMX; on Arm DotProd, I8MM).

    Without them int8 is hardly quicker than float, and some processors saturate. Only Linux tells; elsewhere
    the answer is no.

    Args:
        cpuinfo: Where Linux lists the processor's flags.
    """
    if not cpuinfo.is_file():
        return False
    lines = cpuinfo.read_text(errors="replace").splitlines()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return not _FLAGS.isdisjoint(flags.split())
