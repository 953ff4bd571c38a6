"""How wide a road is, from its tags in OpenStreetMap: ``width``, else ``lanes``, else ``highway`` and ``oneway``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

DEFAULT_WIDTH_M = 7.0
"""Width of a line without tags: that of the labels of the Massachusetts and SpaceNet sets as they are used."""
_LANE_M = 3.5
_MAX_WIDTH_M = 100.0
_MAX_LANES = 16
_FOOT_M = 0.3048
_CLASSES = {
    # highway: (lanes both ways, width of a lane in metres)
    "motorway": (4, 3.75),
    "trunk": (4, 3.5),
    "primary": (2, 3.75),
    "secondary": (2, 3.5),
    "tertiary": (2, 3.5),
    "unclassified": (2, 3.0),
    "residential": (2, 3.5),
    "living_street": (2, 2.75),
    "service": (1, 4.0),
    "track": (1, 3.0),
    "busway": (2, 3.5),
    "road": (2, 3.5),
}
_LINKS = ("motorway", "trunk", "primary", "secondary", "tertiary")
_ONE_WAY_CLASSES = ("motorway", *(f"{name}_link" for name in _LINKS[:2]))
_ONE_WAY = ("yes", "true", "1", "-1")
_WIDTH = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*(m|metres?|meters?|ft|feet|')?\s*", re.IGNORECASE)


def road_widths(lines: pd.DataFrame) -> np.ndarray:
    """Return the width of each line in metres; NaN where it is no road that a car uses and a picture shows.

    Lines without ``highway`` are roads. Of the others those of the classes from motorway to service and track are, with
    their links; footways, cycleways, paths, steps and what is only planned or being built are not. Tunnels and
    areas are not drawn.

    Args:
        lines: Table as :func:`roadlift.export.lines.read_lines` returns it.

    Returns:
        float64 (lines,).

    Example:
        >>> road_widths(pd.DataFrame({"highway": ["primary", "footway", None], "lanes": ["3", None, None]})).tolist()
        [10.5, nan, 7.0]
    """
    return np.array([_width(row) for row in lines.to_dict("records")], np.float64)


def _width(tags: Mapping[Any, Any]) -> float:
    tags = {name: value for name, value in tags.items() if isinstance(value, str)}
    highway = tags.get("highway")
    link = highway is not None and highway.removesuffix("_link") in _LINKS and highway.endswith("_link")
    road = highway.removesuffix("_link") if highway and link else highway
    hidden = tags.get("tunnel", "no") != "no" or tags.get("area", "no") == "yes"
    if hidden or (road is not None and road not in _CLASSES):
        return np.nan
    measured = parse_width(tags.get("width")) or parse_width(tags.get("width_m"))
    if measured is not None:
        return measured
    lanes = _parse_lanes(tags.get("lanes"))
    if lanes is not None:
        return lanes * _LANE_M
    if road is None:
        return DEFAULT_WIDTH_M
    both_ways, lane_m = _CLASSES[road]
    one_way = tags.get("oneway", "yes" if highway in _ONE_WAY_CLASSES else "no") in _ONE_WAY
    return lane_m * (max(1, both_ways // 2) if one_way or link else both_ways)


def parse_width(text: str | None) -> float | None:
    """Return metres from the text of a ``width`` tag; None where it says nothing usable.

    Example:
        >>> parse_width("7.5"), parse_width("6,5 m"), parse_width("20 ft"), parse_width("narrow")
        (7.5, 6.5, 6.096, None)
    """
    match = _WIDTH.fullmatch(text or "")
    if match is None:
        return None
    number = float(match[1].replace(",", "."))
    metres = number * (_FOOT_M if (match[2] or "m").lower() in ("ft", "feet", "'") else 1.0)
    return round(metres, 4) if 0 < metres <= _MAX_WIDTH_M else None


def _parse_lanes(text: str | None) -> float | None:
    try:
        lanes = float(text or "")
    except ValueError:
        return None
    return lanes if 1 <= lanes <= _MAX_LANES else None
