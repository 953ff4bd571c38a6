"""The door through which a value reaches its pictures: `report` draws, the rooms below it know no plotting library."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def draw(name: str, *args: Any, **options: Any) -> Any:
    """Call a function of `roadlift.report.plots` by name, as pandas calls its plotting backend.

    The room is loaded at the first picture: neither matplotlib nor a map library is imported before.

    Example:
        >>> from roadlift.network import RoadMap
        >>> draw("plot_widths", RoadMap.empty()).get_xlabel()
        'kilometres of road'
    """
    return getattr(import_module("roadlift.report.plots"), name)(*args, **options)
