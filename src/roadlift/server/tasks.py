"""What child processes do. Each task works in its folder and returns plain values; it may report on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from roadlift.server.extraction import extract, vectorize
from roadlift.server.intake import demo, inspect
from roadlift.server.results import apply_edits, export, write_report

Task = Callable[..., Any]
TASKS: Final[Mapping[str, Task]] = {
    "inspect": inspect,
    "demo": demo,
    "extract": extract,
    "vectorize": vectorize,
    "edit": apply_edits,
    "export": export,
    "report": write_report,
}
