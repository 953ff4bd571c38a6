"""Roads from anybody's vector files: GeoPackage, FlatGeobuf, GeoJSON and OpenStreetMap extracts, as lines with tags."""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from shapely.errors import ShapelyError
from shapely.geometry import shape

from roadlift.errors import InputError, UsageError

LINE_SUFFIXES = (".gpkg", ".fgb", ".geojson", ".osm.pbf", ".osm")
TAGS = ("highway", "width", "lanes", "oneway", "tunnel", "area", "width_m")
"""Columns of the table: tags of OpenStreetMap, and the width that roadlift itself writes."""
Bounds = tuple[float, float, float, float]
_WGS84 = "OGC:CRS84"
_BEGINNINGS = {".gpkg": b"SQLite format 3\0", ".fgb": b"fgb"}
_DRIVERS = {".gpkg": "GPKG", ".fgb": "FlatGeobuf"}
_LINE_TYPES = ("LineString", "MultiLineString", "GeometryCollection", "Unknown")
_WORDS = {True: "yes", False: "no"}


def is_line_file(path: str | Path) -> bool:
    """Whether the name ends like one of the files that :func:`read_lines` reads.

    Example:
        >>> is_line_file("massachusetts.osm.pbf"), is_line_file("mask.png")
        (True, False)
    """
    return str(path).lower().endswith(LINE_SUFFIXES)


def read_lines(
    path: str | Path,
    *,
    layer: str | None = None,
    bounds: Bounds | None = None,
) -> gpd.GeoDataFrame:
    """Read the lines of a vector file with the tags that say how wide a road is.

    Lines of multi-part geometries and collections become rows of their own; points and features without geometry are
    passed over. Of an OpenStreetMap extract the ways with ``highway`` are read.

    Args:
        path: ``.gpkg``, ``.fgb``, ``.geojson``, ``.osm.pbf`` or ``.osm``.
        layer: Layer of a GeoPackage; None takes the only one with lines, or the layer ``edges`` that roadlift writes.
        bounds: West, south, east and north in degrees: only lines whose own bounds meet these are read.

    Returns:
        Table with the columns :data:`TAGS` (text, None where a feature has no such tag) and ``geometry`` (LineString),
        in the file's CRS, or without CRS where the file names none. No lines is a valid answer.

    Raises:
        InputError: The file is missing, broken or of another kind, holds polygons or coordinates that are no numbers, or
            has several layers with lines.
        UsageError: An OpenStreetMap extract is to be read, and the package ``osmium`` is not installed.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "roads.geojson"
        >>> line = {"type": "LineString", "coordinates": [[6.1, 50.0], [6.2, 50.0]]}
        >>> feature = {"type": "Feature", "geometry": line, "properties": {"highway": "primary"}}
        >>> _ = path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
        >>> read_lines(path)["highway"].tolist()
        ['primary']
    """
    path = Path(path)
    suffix = next((end for end in LINE_SUFFIXES if path.name.lower().endswith(end)), None)
    if suffix is None:
        raise InputError(
            f"{path} is not a file of roads that is read; those end in {', '.join(LINE_SUFFIXES)}."
        )
    if not path.is_file():
        raise InputError(f"{path} does not exist or is not a regular file; give the path of a file of roads.")
    if suffix in (".osm.pbf", ".osm"):
        table = _read_osm(path)
    elif suffix == ".geojson":
        table = _read_geojson(path)
    else:
        table = _read_layer(path, suffix, layer, bounds)
    return _within(table, bounds, path)


def _read_layer(path: Path, suffix: str, layer: str | None, bounds: Bounds | None) -> gpd.GeoDataFrame:
    with path.open("rb") as file:
        if not file.read(16).startswith(_BEGINNINGS[suffix]):
            raise InputError(
                f"{path} does not begin like a {_DRIVERS[suffix]} file; it is broken or another kind."
            )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of GDAL, about what it reads well all the same
            name = _line_layer(path, layer)
            info = pyogrio.read_info(path, layer=name, force_feature_count=True)
            if info["driver"] != _DRIVERS[suffix]:
                raise InputError(f"{path} is a {info['driver']} file; its name says {_DRIVERS[suffix]}.")
            columns = [column for column in info["fields"] if column in TAGS]
            box = _box_in(info["crs"], bounds) if suffix == ".gpkg" else None
            table = pyogrio.read_dataframe(path, layer=name, columns=columns, bbox=box)
    except (DataSourceError, DataLayerError, ShapelyError, CRSError, OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as {_DRIVERS[suffix]}: {error}. Get an intact copy."
        ) from error
    if box is None and len(table) != info["features"]:
        raise InputError(
            f"{path} holds {len(table)} of the {info['features']} features that it announces; get an intact copy."
        )
    features = table.drop(columns="geometry").to_dict("records") if columns else [{}] * len(table)
    return _table(zip(table.geometry, features, strict=True), table.crs, path)


def _line_layer(path: Path, layer: str | None) -> str:
    """Choose the layer to read: as told, else the one of ours, else the only one that can hold lines."""
    kinds = {str(name): kind for name, kind in pyogrio.list_layers(path)}
    if layer is not None and layer not in kinds:
        raise InputError(f"{path} has no layer {layer!r}; its layers are {', '.join(kinds) or 'none'}.")
    fitting = [name for name, kind in kinds.items() if kind and str(kind).split(" ")[0] in _LINE_TYPES]
    if layer is not None or "edges" in fitting:
        return layer or "edges"
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{name} ({kind})" for name, kind in kinds.items()) or "none"
    raise InputError(
        f"{path} has {len(fitting)} layers with lines, of the layers: {listed}. Keep the one with roads in "
        "a file of its own."
    )


def _box_in(crs: str | None, bounds: Bounds | None) -> tuple[float, ...] | None:
    if bounds is None or crs is None:
        return None
    box = Transformer.from_crs(_WGS84, crs, always_xy=True).transform_bounds(*bounds, densify_pts=21)
    return box if np.isfinite(box).all() else None


def _read_geojson(path: Path) -> gpd.GeoDataFrame:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}. Get an intact copy.") from error
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "FeatureCollection":
        features = document.get("features")
    else:
        features = [document] if kind == "Feature" else [{"geometry": document, "properties": {}}]
    if kind is None or not isinstance(features, list):
        raise InputError(f"{path} is JSON but not GeoJSON: it has no list of features.")
    return _table(
        (_parse_feature(feature, number, path) for number, feature in enumerate(features, 1)),
        _named_crs(document.get("crs"), path),
        path,
    )


def _parse_feature(feature: Any, number: int, path: Path) -> tuple[Any, dict[str, Any]]:
    try:
        geometry, properties = feature.get("geometry"), feature.get("properties") or {}
        with np.errstate(invalid="ignore"):  # coordinates that are no numbers are refused later, by name
            return None if geometry is None else shape(geometry), dict(properties)
    except (
        ShapelyError,
        AttributeError,
        TypeError,
        ValueError,
        KeyError,
        IndexError,
        RecursionError,
    ) as error:
        raise InputError(
            f"Feature {number} of {path} is not GeoJSON: {error or type(error).__name__}. Repair or drop it."
        ) from error


def _named_crs(member: Any, path: Path) -> CRS:
    """Return the CRS of a GeoJSON file: longitude and latitude, unless a member of the old specification says else."""
    if member is None:
        return CRS.from_user_input(_WGS84)
    try:
        return CRS.from_user_input(member["properties"]["name"])
    except (CRSError, TypeError, KeyError) as error:
        raise InputError(f"{path} names a CRS that is not known: {json.dumps(member)[:120]}.") from error


def _read_osm(path: Path) -> gpd.GeoDataFrame:
    if importlib.util.find_spec("osmium") is None:
        raise UsageError(f"Reading {path} needs the package osmium. Run: pip install 'roadlift[osm]'")
    import osmium

    ways = osmium.FileProcessor(str(path), osmium.osm.NODE | osmium.osm.WAY).with_locations()
    ways = ways.with_filter(osmium.filter.EntityFilter(osmium.osm.WAY))
    ways = ways.with_filter(osmium.filter.KeyFilter("highway"))
    try:
        new = _new_nodes(path) if path.suffix.lower() == ".osm" else {}
        found = [(_way_line(way, new), {tag: way.tags.get(tag) for tag in TAGS}) for way in ways]
    except (RuntimeError, ValueError, osmium.InvalidLocationError) as error:
        raise InputError(
            f"{path} cannot be read as an OpenStreetMap extract: {error}. Get an intact copy."
        ) from error
    return _table(found, CRS.from_user_input(_WGS84), path)


def _new_nodes(path: Path) -> dict[int, tuple[float, float]]:
    """Return the places of new nodes (negative ids, as editors write them), which osmium does not keep for its ways."""
    import osmium

    nodes: Iterable[Any] = osmium.FileProcessor(str(path), osmium.osm.NODE)
    return {node.id: (node.location.lon, node.location.lat) for node in nodes if node.id < 0}


def _way_line(way: Any, new: Mapping[int, tuple[float, float]]) -> shapely.LineString | None:
    """Return the line of a way; nodes that the extract does not hold are left out."""
    places = [(node.lon, node.lat) if node.location.valid() else new.get(node.ref) for node in way.nodes]
    points = [place for place in places if place is not None]
    return shapely.LineString(points) if len(points) > 1 else None


def _table(
    features: Iterable[tuple[Any, Mapping[str, Any]]], crs: CRS | None, path: Path
) -> gpd.GeoDataFrame:
    rows = [
        (line, [_text(properties.get(tag)) for tag in TAGS])
        for number, (geometry, properties) in enumerate(features, 1)
        for line in _lines_of(geometry, number, path)
    ]
    lines = np.array([line for line, _ in rows], object)
    tags = pd.DataFrame([tags for _, tags in rows], columns=list(TAGS), dtype=object)
    table = gpd.GeoDataFrame(tags, geometry=lines, crs=crs)
    _check_range(table, path)
    return table


def _lines_of(geometry: Any, number: int, path: Path) -> Iterator[shapely.LineString]:
    if geometry is None or geometry.is_empty or geometry.geom_type in ("Point", "MultiPoint"):
        return
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        raise InputError(
            f"Feature {number} of {path} is a {geometry.geom_type}; roads must be lines. Give areas as a mask raster."
        )
    if geometry.geom_type in ("MultiLineString", "GeometryCollection"):
        for part in geometry.geoms:
            yield from _lines_of(part, number, path)
        return
    places = shapely.get_coordinates(geometry)
    if not np.isfinite(places).all():
        raise InputError(f"Feature {number} of {path} has a coordinate that is no number. Repair or drop it.")
    yield shapely.LineString(places)


def _check_range(table: gpd.GeoDataFrame, path: Path) -> None:
    """Refuse metres that claim to be degrees: the commonest mistake in GeoJSON."""
    if table.crs is None or not table.crs.is_geographic or table.empty:
        return
    west, south, east, north = table.total_bounds
    if west < -360 or east > 360 or south < -90.001 or north > 90.001:
        raise InputError(
            f"{path} holds coordinates from {west:g}, {south:g} to {east:g}, {north:g}, which are not degrees. It must "
            "name its CRS, or be in longitude and latitude."
        )


def _within(table: gpd.GeoDataFrame, bounds: Bounds | None, path: Path) -> gpd.GeoDataFrame:
    if bounds is None or table.crs is None or table.empty:
        return table
    try:
        box = _box_in(table.crs, bounds)
    except ProjError as error:
        raise InputError(f"{path} lies in a CRS that cannot be turned into degrees: {error}.") from error
    if box is None:
        return table
    own = table.geometry.bounds
    meets = (own.minx <= box[2]) & (own.maxx >= box[0]) & (own.miny <= box[3]) & (own.maxy >= box[1])
    return table[meets].reset_index(drop=True)


def _text(value: Any) -> str | None:
    """Return a tag as text: files hold numbers and truth values where OpenStreetMap has words."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return _WORDS[bool(value)]
    if isinstance(value, list):
        return _text(value[0]) if value else None
    return str(value)
