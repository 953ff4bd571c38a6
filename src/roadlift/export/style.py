"""A QGIS style inside the GeoPackage, so that it opens looking like a road map. Data only, no code."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

COLOUR = (
    "CASE WHEN \"probability\" >= 0.9 THEN '#1a7f4b' WHEN \"probability\" >= 0.75 THEN '#7fb53c' "
    "WHEN \"probability\" >= 0.6 THEN '#e8b43a' ELSE '#d9542b' END"
)
ISSUE_COLOUR = "CASE WHEN \"kind\" = 'removed' THEN '#c0392b' WHEN \"kind\" = 'bridged' THEN '#8e44ad' ELSE '#e67e22' END"
NODE_SIZE = "CASE WHEN \"kind\" = 'junction' THEN 1.6 ELSE 1.0 END"

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

    Edges are as wide as the road (metres on the map) and coloured by probability, dashed where a gap was
    bridged; nodes small points; issues coloured by kind.

    Args:
        path: GeoPackage with the layers edges, nodes and issues.
        timestamp: of the styles; fixed, so that the same road map gives the same bytes.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(TABLE)
        database.execute(CONTENTS, ("layer_styles", "attributes", "layer_styles", timestamp))
        for layer, style in _styles().items():
            database.execute(STYLE, (layer, f"roadlift {layer}", style, f"{layer} of a road map", timestamp))


def _styles() -> dict[str, str]:
    width = 'coalesce("width_m", 6)'
    seen = _line("solid", {"outlineColor": COLOUR, "outlineWidth": width}, unit="RenderMetersInMapUnits")
    gap = _line("dash", {"outlineColor": COLOUR, "outlineWidth": width}, unit="RenderMetersInMapUnits")
    edges = _rules({"seen": ('NOT "bridged"', seen), "bridged": ('"bridged"', gap)}, "line")
    issue = _rules({"issues": ("", _line("dot", {"outlineColor": ISSUE_COLOUR}, unit="MM"))}, "line")
    return {"edges": edges, "nodes": _rules({"nodes": ("", _marker())}, "marker"), "issues": issue}


def _rules(rules: dict[str, tuple[str, str]], kind: str) -> str:
    """Put symbol layers into a rule-based renderer: name -> (filter, symbol layer)."""
    entries = "".join(
        f'<rule key="{name}" label="{name}" symbol="{index}" filter="{_escape(condition)}"/>'
        for index, (name, (condition, _)) in enumerate(rules.items())
    )
    symbols = "".join(
        f'<symbol type="{kind}" name="{index}" alpha="1" clip_to_extent="1" force_rhr="0">{layer}</symbol>'
        for index, (_, layer) in enumerate(rules.values())
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
        '<qgis version="3.28.0" styleCategories="Symbology">'
        '<renderer-v2 type="RuleRenderer" symbollevels="0" enableorderby="0" forceraster="0">'
        f'<rules key="roadlift">{entries}</rules><symbols>{symbols}</symbols></renderer-v2></qgis>'
    )


def _line(pen: str, expressions: dict[str, str], *, unit: str) -> str:
    options = {"line_color": "26,127,75,255", "line_style": pen, "line_width": "0.6", "line_width_unit": unit}
    options |= {"capstyle": "round" if pen == "solid" else "flat", "joinstyle": "round"}
    return _layer("SimpleLine", options, expressions)


def _marker() -> str:
    options = {"name": "circle", "color": "255,255,255,255", "outline_color": "60,60,60,255", "size": "1.2"}
    return _layer("SimpleMarker", options | {"size_unit": "MM"}, {"size": NODE_SIZE})


def _layer(symbol: str, options: dict[str, str], expressions: dict[str, str]) -> str:
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
        f'<layer class="{symbol}" enabled="1" locked="0" pass="0"><Option type="Map">{values}</Option>'
        '<data_defined_properties><Option type="Map"><Option type="QString" name="name" value=""/>'
        f'<Option type="Map" name="properties">{defined}</Option>'
        '<Option type="QString" name="type" value="collection"/></Option></data_defined_properties></layer>'
    )


def _escape(expression: str) -> str:
    for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        expression = expression.replace(plain, entity)
    return expression
