"""Run every benchmark and print its table."""

from __future__ import annotations

import runpy
import sys

MODULES = (
    "stages",
    "plain_way",
    "seams",
    "memory",
    "kills",
    "cluster",
    "runtimes",
    "footprint",
    "evaluation",
    "flaws",
    "streaming",
    "vectorize",
    "ablation",
    "tuning",
    "server",
    "fuzz",
)

if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    for name in MODULES:
        print(f"## {name}", flush=True)
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
        print(flush=True)
