"""A QGIS style inside the GeoPackage, so that it opens looking like a road map. Data only, no code."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# From yellow, sure, to purple, weak, as in the pictures of roadlift.report: colour-blind readers tell them apart.
PROBABILITY = {
    "sure, 0.9 and more": ('"probability" >= 0.9', "#ffd54a"),
    "likely, 0.75 to 0.9": ('"probability" >= 0.75 AND "probability" < 0.9', "#f2764b"),
    "doubtful, 0.6 to 0.75": ('"probability" >= 0.6 AND "probability" < 0.75', "#c83e73"),
    "weak, under 0.6": ('coalesce("probability", 0) < 0.6', "#7b3fa0"),
}
BRIDGE_COLOUR = "#2f9fe0"
ISSUES = {
    "removed": ("\"kind\" = 'removed'", "#c0392b"),
    "bridged": ("\"kind\" = 'bridged'", BRIDGE_COLOUR),
    "doubtful": ("\"kind\" = 'doubtful'", "#e67e22"),
    "other": ("ELSE", "#7f8c8d"),
}
NODES = {
    "junction": ("\"kind\" = 'junction'", "#ffffff", "1.5"),
    "dead end": ("\"kind\" = 'end'", "#d1495b", "1.1"),
    "leaves the image": ("\"kind\" = 'border'", "#2b2b2b", "1.1"),
    "other": ("ELSE", "#c9ced3", "0.9"),
}
CASING = "#2b3440"
# Metres: as wide as the road, on small scales half a millimetre on the screen at least.
WIDTH = 'max(coalesce("width_m", 6), @map_scale * 0.0005)'
CASING_WIDTH = f"{WIDTH} + max(1.5, @map_scale * 0.0004)"
DETAIL_SCALE = 10_000
"""Nodes and issues are drawn from 1 : 10 000 on; further out they would hide the roads."""

TABLE = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256),
  styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30),
  ui TEXT(30), update_time DATETIME)
"""
CONTENTS = "INSERT INTO gpkg_contents (table_name, data_type, identifier, last_change) VALUES (?, ?, ?, ?)"
STYLE = (
    "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML, "
    "styleSLD, useAsDefault, description, owner, update_time) VALUES ('', '', ?, 'geom', ?, ?, '', 1, ?, '', ?)"
)


def embed_styles(path: Path, *, timestamp: str) -> None:
    """Add the table ``layer_styles`` that QGIS looks for, with a default style for each layer.

    Edges are as wide as the road (metres on the map) with a dark casing, coloured by probability, dashed where a
    gap was bridged; nodes are small points and issues dotted lines, from 1 : 10 000 on.

    Args:
        path: GeoPackage with the layers edges, nodes and issues.
        timestamp: of the styles; fixed, so that the same road map gives the same bytes.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(TABLE)
        database.execute(CONTENTS, ("layer_styles", "attributes", "layer_styles", timestamp))
        for layer, style in _styles().items():
            database.execute(STYLE, (layer, f"roadlift {layer}", style, f"{layer} of a road map", timestamp))


@dataclass(frozen=True)
class _Rule:
    """One class of the legend: which features, drawn by which symbol layers, lowest first."""

    condition: str
    layers: tuple[str, ...]


def _styles() -> dict[str, str]:
    edges = {
        name: _Rule(
            f'NOT "bridged" AND {condition}', (_line(CASING, CASING_WIDTH), _line(colour, WIDTH, level=1))
        )
        for name, (condition, colour) in PROBABILITY.items()
    }
    edges["gap, bridged"] = _Rule('"bridged"', (_line(BRIDGE_COLOUR, WIDTH, level=1, pen="dash"),))
    nodes = {name: _Rule(condition, (_marker(*look),)) for name, (condition, *look) in NODES.items()}
    issues = {name: _Rule(condition, (_dots(colour),)) for name, (condition, colour) in ISSUES.items()}
    return {
        "edges": _rules(edges, "line"),
        "nodes": _rules(nodes, "marker", detail=True),
        "issues": _rules(issues, "line", detail=True),
    }


def _rules(rules: dict[str, _Rule], kind: str, *, detail: bool = False) -> str:
    """Put symbol layers into a rule-based renderer, casings of all roads below the roads."""
    scales = f' scalemindenom="1" scalemaxdenom="{DETAIL_SCALE}"' if detail else ""
    entries = "".join(
        f'<rule key="{index}" label="{name}" symbol="{index}" filter="{_escape(rule.condition)}"{scales}/>'
        for index, (name, rule) in enumerate(rules.items())
    )
    symbols = "".join(
        f'<symbol type="{kind}" name="{index}" alpha="1" clip_to_extent="1" force_rhr="0">{"".join(rule.layers)}</symbol>'
        for index, rule in enumerate(rules.values())
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
        '<qgis version="3.28.0" styleCategories="Symbology">'
        '<renderer-v2 type="RuleRenderer" symbollevels="1" enableorderby="0" forceraster="0">'
        f'<rules key="roadlift">{entries}</rules><symbols>{symbols}</symbols></renderer-v2></qgis>'
    )


def _line(colour: str, width: str, *, level: int = 0, pen: str = "solid") -> str:
    options = {"line_color": colour, "line_style": pen, "line_width": "6", "joinstyle": "round"}
    options |= {
        "line_width_unit": "RenderMetersInMapUnits",
        "capstyle": "round" if pen == "solid" else "flat",
    }
    return _layer("SimpleLine", options, {"outlineWidth": width}, level=level)


def _dots(colour: str) -> str:
    options = {"line_color": colour, "line_style": "dot", "line_width": "0.6", "line_width_unit": "MM"}
    return _layer("SimpleLine", options, {})


def _marker(colour: str, size: str) -> str:
    options = {
        "name": "circle",
        "color": colour,
        "outline_color": CASING,
        "outline_width": "0.2",
        "size": size,
    }
    return _layer("SimpleMarker", options | {"size_unit": "MM"}, {})


def _layer(symbol: str, options: dict[str, str], expressions: dict[str, str], *, level: int = 0) -> str:
    values = "".join(
        f'<Option type="QString" name="{name}" value="{value}"/>' for name, value in options.items()
    )
    defined = "".join(
        f'<Option type="Map" name="{name}"><Option type="bool" name="active" value="true"/>'
        f'<Option type="QString" name="expression" value="{_escape(expression)}"/>'
        '<Option type="int" name="type" value="3"/></Option>'
        for name, expression in expressions.items()
    )
    return (
        f'<layer class="{symbol}" enabled="1" locked="0" pass="{level}"><Option type="Map">{values}</Option>'
        '<data_defined_properties><Option type="Map"><Option type="QString" name="name" value=""/>'
        f'<Option type="Map" name="properties">{defined}</Option>'
        '<Option type="QString" name="type" value="collection"/></Option></data_defined_properties></layer>'
    )


def _escape(expression: str) -> str:
    for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        expression = expression.replace(plain, entity)
    return expression
