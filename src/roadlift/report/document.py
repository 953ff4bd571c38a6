"""A road map as one HTML file that opens from disk without network: map, figures, issues, and how it was made.

The map is Leaflet (BSD 2-Clause), inlined. Texts go through Jinja's escaping, data for the map through JSON in an element
that is not run, and the page's own policy lets no script run but the two whose hashes it names.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
import shapely
from markupsafe import Markup

from roadlift import __version__
from roadlift.errors import InputError, UsageError
from roadlift.export import replacing
from roadlift.imagery import NO_DATA
from roadlift.model import find_exact_card
from roadlift.report.facts import (
    LENGTH_BOUNDS_M,
    PROBABILITY_BOUNDS,
    WIDTH_BOUNDS_M,
    Bars,
    Headlines,
    kilometres_by,
    ranked_issues,
)
from roadlift.report.figures import PROBABILITY_COLOURS
from roadlift.report.frame import Frame, read_ground
from roadlift.report.tiles import pyramid

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd
    from numpy.typing import NDArray

    from roadlift.imagery import Georef
    from roadlift.model import ModelCard
    from roadlift.network import RoadMap

    Bytes = NDArray[np.uint8]

IMAGE_BUDGET, PROBABILITY_BUDGET = 8_500_000, 1_800_000
"""Bytes of the tiles; base64 makes a third more of them."""
_IMAGE_QUALITY, _PROBABILITY_QUALITY = 35, 30
_TOLERANCE_PX = 0.3
_EDGE_FACTS = ("id", "length_m", "width_m", "probability", "probability_min", "bridged", "class_hint")
_ISSUE_FACTS = ("id", "kind", "reason", "length_m", "at_stake_m")
_SCRIPTS = ("leaflet.js", "page.js")
_STYLES = ("leaflet.css", "page.css")


def page(
    roads: RoadMap,
    *,
    image: str | Path | None = None,
    probability: str | Path | tuple[Bytes, Georef] | None = None,
    file: str | Path | None = None,
    title: str | None = None,
) -> bytes:
    """Make the report of a road map: one HTML file, UTF-8, that needs nothing else.

    Args:
        roads: The network; its issues and provenance are shown too.
        image: Path of the image that it was found in; it is shown beneath, at about 32 million pixels at most.
        probability: Path of the probability raster, or uint8 (rows, cols) 0..254, 255 no data, with its georeference.
        file: File that the roads were read from; its name and hash are shown.
        title: Heading; None: the name of ``file``, of the image, or "Road map".

    Returns:
        The page. The same arguments give the same bytes. Names of files are shown, their folders are not.

    Raises:
        InputError: A raster cannot be read, or does not lie on the image.
        UsageError: The roads do not go with the image.

    Example:
        >>> from roadlift.network import RoadMap
        >>> page(RoadMap.empty(crs="EPSG:32619"), title="Nothing").startswith(b"<!doctype html>")
        True
    """
    made = roads.provenance
    options = {key: value for key, value in made.get("options", {}).items() if value is not None}
    reading = {key: options[key] for key in ("bands", "crs", "nodata") if key in options}
    ground = read_ground(roads, image, probability, reading=reading)
    layers = {
        "image": ground.image
        if ground.image is None
        else pyramid(ground.image, quality=_IMAGE_QUALITY, budget=IMAGE_BUDGET).to_dict(),
        "probability": ground.probability
        if ground.probability is None
        else pyramid(
            _coloured(ground.probability), quality=_PROBABILITY_QUALITY, budget=PROBABILITY_BUDGET
        ).to_dict(),
    }
    card = _card(made)
    scripts = [_asset(name) for name in _SCRIPTS]
    shown = _template().render(
        policy=_policy(scripts),
        scripts=[Markup(text) for text in scripts],  # noqa: S704
        styles=[Markup(_asset(name)) for name in _STYLES],  # noqa: S704
        title=title or _name(file) or _name(image) or "Road map",
        crs=_crs_name(roads),
        headlines=Headlines.of(roads),
        charts=_charts(roads),
        notes=[str(note) for note in made.get("notes", ())],
        made=_made(made, image, file),
        settings=[(name.replace("_", " "), _shown(value)) for name, value in options.items()],
        card=card,
        scores=[] if card is None else _flat(card.scores),
        version=__version__,
        layers={name for name, tiles in layers.items() if tiles is not None},
        palette=_palette(),
        data=_json({**_map_data(roads, ground.frame), **layers}),
    )
    return shown.encode()


def write_page(path: str | Path, roads: RoadMap, *, overwrite: bool = False, **options: Any) -> None:
    """Write the report of a road map, see `page`.

    Args:
        path: ``.html`` file to write.
        roads: The network.
        overwrite: Replace an existing file.
        **options: Those of `page`.

    Raises:
        UsageError: The suffix is not .html or .htm, or the roads do not go with the image.
        InputError: A raster cannot be read, or does not lie on the image.
        OutputError: The file exists, or cannot be written.
    """
    check_page_name(path)
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(page(roads, **options))


def check_page_name(path: str | Path) -> None:
    """Refuse a file name that no browser would open as a page.

    Raises:
        UsageError: The suffix is not .html or .htm.
    """
    if Path(path).suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"{path} must end in .html: a report is a page for the browser.")


def image_of(roads: RoadMap, file: str | Path) -> Path | None:
    """Return the image that a road map says it was found in, where it is still there, or lies beside its file.

    None where it is gone, was read from the network, or was one of several.
    """
    images = roads.provenance.get("images", ())
    if len(images) != 1:
        return None
    places = (Path(str(images[0])), Path(file).parent / _name(images[0]))
    return next((place for place in places if place.is_file()), None)


@cache
def _asset(name: str) -> str:
    return (files("roadlift.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["km"] = lambda value: f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"
    environment.filters["percent"] = lambda value: "unknown" if np.isnan(value) else f"{value:.0%}"
    return environment.from_string(_asset("page.html"))


def _policy(scripts: list[str]) -> str:
    """Return a content security policy under which these scripts run and nothing is fetched."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    nothing = "default-src 'none'; base-uri 'none'; form-action 'none'"
    return f"{nothing}; img-src data:; style-src 'unsafe-inline'; script-src {allowed}"


def _json(value: Any) -> Markup:
    """Write JSON that cannot end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704


def _name(path: str | Path | None) -> str:
    return "" if path is None else str(path).replace("\\", "/").rstrip("/").rpartition("/")[2]


def _crs_name(roads: RoadMap) -> str:
    if roads.crs is None:
        return "pixel coordinates of the image"
    code = roads.crs.to_authority()
    return roads.crs.name if code is None else f"{roads.crs.name} ({':'.join(code)})"


def _charts(roads: RoadMap) -> list[dict[str, Any]]:
    edges = roads.edges
    length = edges["length_m"].to_numpy(dtype=float)
    chosen = (
        ("By width", "metres", "width_m", WIDTH_BOUNDS_M),
        ("By length of a road between junctions", "metres", "length_m", LENGTH_BOUNDS_M),
        ("By probability", "mean along the road", "probability", PROBABILITY_BOUNDS),
    )
    charts = []
    for heading, unit, column, bounds in chosen:
        bars = kilometres_by(edges[column].to_numpy(dtype=float), length, bounds)
        charts.append({"heading": heading, "unit": unit, "rows": _bar_rows(bars)})
    return charts


def _bar_rows(bars: Bars) -> list[dict[str, Any]]:
    longest = max(float(bars.kilometres.max()), 1e-9)
    return [
        {"name": name, "km": float(km), "share": round(100 * float(km) / longest, 2)}
        for name, km in zip(bars.names, bars.kilometres, strict=True)
    ]


def _made(
    made: Mapping[str, Any], image: str | Path | None, file: str | Path | None
) -> list[tuple[str, str]]:
    """Tell how the road map came to be: versions, files, hashes, times."""
    model = made.get("model", {})
    rows = [
        ("roadlift", str(made.get("roadlift", "unknown"))),
        ("model", f"{model['name']} {model.get('version', '')}" if "name" in model else ""),
        ("model SHA-256", str(model.get("sha256", ""))),
        ("images", ", ".join(_name(path) for path in made.get("images", ()))),
        ("raster", _name(made.get("raster"))),
        ("image SHA-256", _sha256(image)),
        ("file", _name(file)),
        ("file SHA-256", _sha256(file)),
        ("time", f"{made['seconds']:.1f} s" if "seconds" in made else ""),
        ("peak memory", f"{made['peak_memory_mb']:,.0f} MB" if "peak_memory_mb" in made else ""),
    ]
    return [(name, value) for name, value in rows if value]


def _sha256(path: str | Path | None) -> str:
    if path is None or not Path(path).is_file():
        return ""
    try:
        with Path(path).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _card(made: Mapping[str, Any]) -> ModelCard | None:
    """Return the card of the model that made the roads, where that very model is here."""
    model = made.get("model", {})
    name = str(made.get("options", {}).get("model", model.get("name", "")))
    return find_exact_card(name, str(model.get("sha256", "")))


def _flat(scores: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Write nested scores as rows: where, and how good."""
    rows: list[tuple[str, str]] = []
    for name, value in scores.items():
        label = f"{before} · {name}" if before else str(name)
        rows += _flat(value, label) if isinstance(value, dict) else [(label.replace("_", " "), _shown(value))]
    return rows


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(each) for each in value)
    return _name(value) if isinstance(value, str) and "/" in value else str(value)


def _palette() -> list[str]:
    return [
        "#" + bytes(round(255 * part) for part in PROBABILITY_COLOURS(step / 15)[:3]).hex()
        for step in range(16)
    ]


def _coloured(probability: Bytes) -> Bytes:
    """Paint a probability: purple to yellow, and clear where there is no road; uint8 (rows, cols, 4)."""
    share = np.linspace(0, 1, 255)
    table = np.zeros((256, 4), np.uint8)
    table[:NO_DATA] = np.rint(255 * PROBABILITY_COLOURS(share))
    table[:NO_DATA, 3] = np.rint(230 * np.clip((share - 0.08) / 0.5, 0, 1))
    table[NO_DATA] = (110, 118, 129, 90)
    return table[probability]


def _map_data(roads: RoadMap, frame: Frame) -> dict[str, Any]:
    placed = frame.place(roads)
    return {
        "shape": list(frame.shape),
        "metres": frame.metres,
        "palette": _palette(),
        "edges": _features(placed.edges, frame, _EDGE_FACTS),
        "issues": _features(ranked_issues(placed), frame, _ISSUE_FACTS),
    }  # fmt: skip


def _features(table: gpd.GeoDataFrame, frame: Frame, columns: tuple[str, ...]) -> dict[str, Any]:
    """Write a table as columns of plain values, lines as x, y, x, y in tenths of a pixel."""
    lines = shapely.simplify(frame.lines(table), _TOLERANCE_PX)
    written = {name: [_plain(value) for value in table[name].to_list()] for name in columns}
    points = [np.rint(10 * shapely.get_coordinates(line)).astype(np.int64).ravel().tolist() for line in lines]
    return {**written, "lines": points}


def _plain(value: Any) -> Any:
    """Return a value for JSON: rounded, undefined as None."""
    if isinstance(value, float):
        return round(value, 3) if np.isfinite(value) else None
    return value if isinstance(value, bool | int) else str(value)
