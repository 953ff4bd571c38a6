"""What child processes do, by name. Each task works in its folder and returns plain values; it may report on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

Task = Callable[..., Any]
TASKS: Final[Mapping[str, tuple[str, str]]] = {
    "inspect": ("intake", "inspect"),
    "demo": ("intake", "demo"),
    "extract": ("extraction", "extract"),
    "vectorize": ("extraction", "vectorize"),
    "edit": ("results", "apply_edits"),
    "export": ("results", "export"),
    "report": ("results", "write_report"),
}
PARTS: Final = (
    "roadlift.server.worker",
    "roadlift.server.intake",
    "roadlift.server.results",
    "roadlift.server.extraction",
)
"""What is imported once for all children. OpenVINO is not among it: it starts threads, and those do not survive a fork."""


def find_task(name: str) -> Task:
    """Import a task."""
    module, function = TASKS[name]
    task: Task = getattr(import_module(f"roadlift.server.{module}"), function)
    return task
