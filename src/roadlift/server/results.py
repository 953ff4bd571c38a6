"""Tasks of a child process: results as files that the server hands out, with edits in them.

A result is a folder ``result-N``: ``found.gpkg`` (as the machine found it), ``roads.gpkg`` (with the edits),
``roads.geojson`` and ``issues.geojson`` in the place where the page shows them, and what was exported. It takes its name
when it is complete, so that the server never sees half of one.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from affine import Affine

import roadlift.export  # noqa: F401 - road maps learn to be saved
from roadlift.errors import UsageError
from roadlift.imagery import Georef, read_probability
from roadlift.network import RoadMap
from roadlift.network.edit import TOUCH_M, Accept, Draw, Edit, Remove, about_edges, edit_roads
from roadlift.network.evidence import metres_per_unit
from roadlift.network.polylines import Polylines
from roadlift.report.document import write_page
from roadlift.report.facts import Headlines, kilometres_by, ranked_issues
from roadlift.server.layout import (
    FOUND,
    ISSUES_GEOJSON,
    PLACE,
    PROBABILITY,
    REPORT,
    ROADS,
    ROADS_GEOJSON,
    export_file,
    image_file,
    result_folder,
)
from roadlift.server.placement import Placement, in_degrees
from roadlift.server.problems import Problem
from roadlift.server.wording import without_flags

WIDTHS_M: Final = (5.0, 8.0, 12.0)
EDGE_SHARE: Final = 0.02
"""Of the image's extent, by which a drawn road may stick out of it."""
_DECIMALS = 7


def write_place(place: Mapping[str, Any]) -> None:
    """Keep, in the current folder, how the job's raster lies on the ground and what made it."""
    Path(PLACE).write_text(json.dumps(place), encoding="utf-8")


def read_place() -> dict[str, Any]:
    """Return what :func:`write_place` kept."""
    place: dict[str, Any] = json.loads(Path(PLACE).read_text(encoding="utf-8"))
    return place


def new_result(roads: RoadMap, revision: int, *, seconds: float) -> dict[str, Any]:
    """Write a result as it was found, and return its summary."""
    with _Folder(revision) as folder:
        roads.save(folder / FOUND)
        os.link(folder / FOUND, folder / ROADS)
        _write_for_page(roads, folder)
    return summarise(roads, seconds=seconds)


def apply_edits(
    *,
    report: Callable[..., None],
    edits: Sequence[Mapping[str, Any]],
    revision: int,
    bounds: Sequence[float],
    seconds: float,
) -> dict[str, Any]:
    """Make the next result: what was found, with these edits.

    Args:
        report: not called.
        edits: plain values of ``schema.Edit``, in order.
        revision: number of the result that there is; the new one has the next.
        bounds: west, south, east, north of the image in degrees; roads are drawn inside.
        seconds: that the extraction took, for the summary.

    Returns:
        The summary of the edited roads.

    Raises:
        Problem: An edit names a road that is not there, or cannot be made.
    """
    del report
    old = Path(result_folder(revision))
    found, place, placement = RoadMap.from_file(old / FOUND), read_place(), _placement()
    _check_inside(edits, bounds)
    chosen = [_edit(edit, placement, found.crs) for edit in edits]
    try:
        roads = edit_roads(found, chosen, metres_per_pixel=place["metres_per_pixel"]) if chosen else found
    except UsageError as error:
        raise Problem(422, "bad_edit", str(error)) from error
    with _Folder(revision + 1) as folder:
        os.link(old / FOUND, folder / FOUND)
        roads.save(folder / ROADS)
        _write_for_page(roads, folder)
    return summarise(roads, seconds=seconds)


def _check_inside(edits: Sequence[Mapping[str, Any]], bounds: Sequence[float]) -> None:
    low, high = np.array(bounds[:2]), np.array(bounds[2:])
    beside = EDGE_SHARE * (high - low)
    for number, edit in enumerate(edits, 1):
        if edit["action"] == "draw":
            points = np.array(edit["coordinates"], dtype=float)
            if (points < low - beside).any() or (points > high + beside).any():
                raise Problem(
                    422, "bad_edit", f"edit {number}: the drawn road leaves the image; draw it inside"
                )


def export(*, report: Callable[..., None], suffix: str, revision: int) -> str:
    """Write a result in another format and return the file's name, inside the current folder.

    Raises:
        UsageError: The image has no CRS and the format needs one.
    """
    del report
    target = Path(result_folder(revision)) / export_file(suffix)
    RoadMap.from_file(target.parent / ROADS).save(target, overwrite=True)
    return str(target)


def write_report(*, report: Callable[..., None], name: str, suffix: str, revision: int) -> str:
    """Write the offline report of a result and return the file's name, inside the current folder.

    Args:
        report: not called.
        name: what the user calls the image.
        suffix: of the image's file.
        revision: number of the result.
    """
    del report
    target = Path(result_folder(revision)) / REPORT
    roads = RoadMap.from_file(target.parent / ROADS)
    write_page(
        target,
        roads,
        image=image_file(suffix),
        probability=read_own_probability(),
        title=name,
        overwrite=True,
    )
    return str(target)


def read_own_probability() -> tuple[np.ndarray, Georef]:
    """Return the job's probability on the ground, or without CRS in the image's pixels; not where the page shows it."""
    probability, georef = read_probability(PROBABILITY)
    place = read_place()
    return probability, georef if place["shape"] is None else Georef(None, Affine(*place["transform"]))


def summarise(roads: RoadMap, *, seconds: float) -> dict[str, Any]:
    """Return the fields of :class:`~roadlift.server.schema.Summary`."""
    edges, headlines = roads.edges, Headlines.of(roads)
    return {
        "length_km": round(headlines.length_km, 3),
        "edges": len(edges),
        "junctions": headlines.junctions,
        "components": headlines.components,
        "mean_probability": None if math.isnan(headlines.probability) else round(headlines.probability, 4),
        "issues": headlines.issues,
        "length_km_by_width": kilometres_by_width(edges["width_m"].to_numpy(), edges["length_m"].to_numpy()),
        "seconds": round(seconds, 2),
        "notes": [without_flags(str(note)) for note in roads.provenance.get("notes", [])],
    }


def kilometres_by_width(width_m: np.ndarray, length_m: np.ndarray) -> dict[str, float]:
    """Return kilometres of road by classes of width; roads of unknown width have a class of their own.

    Example:
        >>> kilometres_by_width(np.array([4.0, 9.0, np.nan]), np.array([1000.0, 500.0, 250.0]))
        {'<5 m': 1.0, '5-8 m': 0.0, '8-12 m': 0.5, '>12 m': 0.0, 'unknown': 0.25}
    """
    bars = kilometres_by(width_m, length_m, WIDTHS_M)
    between = [f"{low:g}-{high:g} m" for low, high in pairwise(WIDTHS_M)]
    names = [f"<{WIDTHS_M[0]:g} m", *between, f">{WIDTHS_M[-1]:g} m", "unknown"]
    return {name: round(float(sum_km), 3) for name, sum_km in zip(names, bars.kilometres, strict=False)}


class _Folder:
    """The folder of a result, under another name until it is complete."""

    def __init__(self, revision: int) -> None:
        self._target = Path(result_folder(revision))
        self._partial = Path(f"{self._target.name}.partial")

    def __enter__(self) -> Path:
        for folder in (self._partial, self._target):
            shutil.rmtree(folder, ignore_errors=True)  # of a job that was broken off
        self._partial.mkdir()
        return self._partial

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._partial.rename(self._target)
        else:
            shutil.rmtree(self._partial, ignore_errors=True)


def _placement() -> Placement:
    shape = read_place()["shape"]
    return Placement(None if shape is None else (shape[0], shape[1]))


def _edit(edit: Mapping[str, Any], placement: Placement, crs: Any) -> Edit:
    if edit["action"] == "draw":
        line = placement.to_road_map(np.array(edit["coordinates"], dtype=float), crs)
        return Draw(shapely.LineString(line))
    return Accept(edit["edge"]) if edit["action"] == "accept" else Remove(edit["edge"])


def _write_for_page(roads: RoadMap, folder: Path) -> None:
    shown = in_degrees(roads, _placement())
    edges, nodes = _edges(shown.edges), shown.nodes.rename(columns={"kind": "node_kind"}).assign(kind="node")
    _write_collection(folder / ROADS_GEOJSON, [*_features(edges, ""), *_features(nodes, "n")])
    named = _edges(roads.edges).set_index("id")["edge"]
    about = about_edges(roads.issues, roads.edges, tolerance=TOUCH_M / float(_metres(roads)))
    issues = ranked_issues(replace(roads, issues=roads.issues.assign(edge=about.map(named))))
    _write_collection(folder / ISSUES_GEOJSON, _features(with_words(_placement().table(issues)), "i"))


def _edges(edges: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return edges with the properties that tell the page what edits can name.

    ``edge`` is the id, as text, of the edge without edits that an edge is, or is part of; None of a drawn one, whose
    ``edit`` is the place of its edit in the list.
    """
    if "edited" not in edges:
        return edges.assign(kind="edge", edge=_names(edges["id"]), edit=None, edited=None)
    drawn = edges["edit"] >= 0
    return edges.drop(columns="unedited_id").assign(
        kind="edge",
        edge=_names(edges["unedited_id"]),
        edit=edges["edit"].astype(object).where(drawn, None),
        edited=edges["edited"].astype(object).where(edges["edited"] != "", None),
    )


def _names(numbers: pd.Series[int]) -> pd.Series[Any]:
    """Return ids as text, None for those below 0."""
    return numbers.astype(str).astype(object).where(numbers >= 0, None)


def _metres(roads: RoadMap) -> float:
    """Metres of one unit of the road map's coordinates, the smaller of both."""
    lines = Polylines.from_shapely(roads.edges.geometry.to_numpy())
    return float(metres_per_unit(lines, roads.edges["length_m"].to_numpy(), roads.crs).min())


def with_words(issues: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Add to the table of issues, the most important first, what each is in words."""
    words = [
        f"{kind}: {reason} ({length_m:.0f} m)"
        for kind, reason, length_m in zip(issues["kind"], issues["reason"], issues["length_m"], strict=True)
    ]
    return issues.assign(words=words)


def _features(table: gpd.GeoDataFrame, prefix: str) -> list[str]:
    """Return GeoJSON features as text; what is no number is null."""
    rounded = shapely.transform(table.geometry.to_numpy(), lambda points: np.round(points, _DECIMALS))
    values = json.loads(
        pd.DataFrame(table.drop(columns="geometry")).to_json(orient="records", double_precision=6)
    )
    return [
        f'{{"type":"Feature","id":"{prefix}{row["id"]}","properties":{json.dumps(row)},"geometry":{shape}}}'
        for row, shape in zip(values, shapely.to_geojson(rounded), strict=True)
    ]


def _write_collection(path: Path, features: Sequence[str]) -> None:
    path.write_text(f'{{"type":"FeatureCollection","features":[{",".join(features)}]}}', encoding="utf-8")
