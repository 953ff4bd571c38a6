"""Files to road maps: our own of every format, and lines and graphs of other tools."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from shapely.errors import ShapelyError

from roadlift.errors import InputError
from roadlift.export.graphml import read_graphml
from roadlift.export.lines import LINE_SUFFIXES, TAGS, read_lines
from roadlift.export.vector import LAYERS, PROVENANCE
from roadlift.network import RoadMap
from roadlift.network.lines import from_edges, from_lines, from_networkx

if TYPE_CHECKING:
    from os import PathLike


_BROKEN = (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError, ShapelyError)
"""What the columns of a damaged file, turned into those of a road map, end in."""


def load(path: str | PathLike[str], *, layer: str | None = None) -> RoadMap:
    """Read a road map, or roads of another tool, from a file; the suffix tells the format.

    * ``.gpkg`` that `save` wrote: whole, with nodes, issues and provenance.
    * ``.geojson``, ``.fgb``, ``.parquet`` that `save` wrote: edges with their ids, and the nodes at their ends.
      These formats hold one table: issues and provenance are not in them.
    * ``.graphml`` of roadlift or OSMnx: edges and nodes.
    * ``.osm``, ``.osm.pbf``: the ways with ``highway``, cut where they share nodes (needs the package ``osmium``).
    * any other file of lines in these vector formats: cut where they share a vertex. What is not known about
      them (probability, mostly width) is NaN.

    Args:
        path: the file.
        layer: of a GeoPackage of another tool that has several layers of lines.

    Raises:
        InputError: the file is missing or broken, or holds no lines.
        UsageError: a package that the format needs is not installed.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "roads.graphml"
        >>> RoadMap.empty(crs="EPSG:32619").save(path)
        >>> load(path)
        RoadMap(0 edges, 0 nodes, 0.00 km, EPSG:32619)
    """
    path = Path(path)
    if not path.is_file():
        message = f"{path} is not there, or is not a file"
        raise InputError(message)
    try:
        return _read(path, layer)
    except _BROKEN as error:
        raise InputError(f"{path} holds what a road map cannot hold: {error}. Get an intact copy.") from error


def _read(path: Path, layer: str | None) -> RoadMap:
    suffix = path.suffix.lower()
    if suffix == ".graphml":
        return from_networkx(read_graphml(path))
    if suffix == ".parquet":
        return _from_table(_read_parquet(path))
    if not path.name.lower().endswith(LINE_SUFFIXES):
        known = ", ".join((*LINE_SUFFIXES, ".parquet", ".graphml"))
        raise InputError(f"{path}: the suffix {suffix or '(none)'} is not a format; use one of {known}")
    if suffix in (".gpkg", ".fgb", ".geojson"):
        roads = _read_ours(path, layer)
        if roads is not None:
            return roads
    lines = read_lines(path, layer=layer)
    return from_lines(lines.drop(columns=[name for name in TAGS if lines[name].isna().all()]))


def _read_ours(path: Path, layer: str | None) -> RoadMap | None:
    """Return the road map in a file that `save` wrote; None where another tool did, or where it is broken."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of GDAL; read_lines says what is wrong
            layers = {str(name) for name, _ in pyogrio.list_layers(path)}
        if path.suffix.lower() == ".gpkg" and layer is None and set(LAYERS) <= layers:
            return _read_geopackage(path)
        name = layer or ("edges" if "edges" in layers else min(layers, default=None))
        fields = pyogrio.read_info(path, layer=name)["fields"]
        if not _has_our_columns(fields, "edges"):
            return None
        return from_edges(pyogrio.read_dataframe(path, layer=name))
    except (DataSourceError, DataLayerError, IndexError):
        return None  # read_lines says what is wrong with it


def _read_geopackage(path: Path) -> RoadMap | None:
    tables = {name: pyogrio.read_dataframe(path, layer=name) for name in LAYERS}
    if not all(_has_our_columns(table.columns, name) for name, table in tables.items()):
        return None
    typed = {name: table.astype(dict(LAYERS[name][1])) for name, table in tables.items()}
    metadata = pyogrio.read_info(path, layer="edges").get("layer_metadata") or {}
    return RoadMap(**typed, provenance=json.loads(metadata.get(PROVENANCE, "{}")))


def _has_our_columns(found: object, layer: str) -> bool:
    return set(LAYERS[layer][1]) <= {str(name) for name in found}  # type: ignore[attr-defined]


def _read_parquet(path: Path) -> gpd.GeoDataFrame:
    try:
        return gpd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise InputError(f"{path} is not a GeoParquet file of lines: {error}. Get an intact copy.") from error


def _from_table(table: gpd.GeoDataFrame) -> RoadMap:
    return from_edges(table) if _has_our_columns(table.columns, "edges") else from_lines(table)
