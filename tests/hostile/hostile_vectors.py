"""Files of roads that are broken, of another kind, or mean nothing."""

from __future__ import annotations

import json
import sqlite3

from kinds import INPUT, USAGE, Place, kind

LINE = {"type": "LineString", "coordinates": [[-71.0, 42.0], [-71.0, 42.01]]}


def _collection(*geometries: object, **members: object) -> str:
    features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
    return json.dumps({"type": "FeatureCollection", "features": features, **members})


def _truth(place: Place) -> str:
    return str(place.file("truth.geojson", _collection(LINE)))


def _roads(name: str, says: str, content: bytes | str, suffix: str = ".geojson", code: int = INPUT) -> None:
    @kind(code, says, name)
    def roads(place: Place) -> list[str]:
        filled = content.replace("SECRET", str(place.secret)) if isinstance(content, str) else content
        return ["evaluate", str(place.file(f"roads{suffix}", filled)), _truth(place)]


def _line(*coordinates: object) -> str:
    return _collection({"type": "LineString", "coordinates": coordinates})


_roads("geojson_that_is_no_json", "not JSON", '{"type": "FeatureCollection"')
_roads("geojson_nested_without_end", "not JSON|not GeoJSON", "[" * 300_000)
_roads("geometries_nested_without_end", "not JSON|not GeoJSON",
       '{"type":"GeometryCollection","geometries":[' * 5000 + "]}" * 5000)  # fmt: skip
_roads("geojson_in_another_tongue", "not JSON", b"\xff\xfe\0\xd8")
_roads("geojson_of_another_kind", "not GeoJSON", '{"type": "Topology", "objects": {}}')
_roads("geojson_of_words", "not GeoJSON", _line("a", "b"))
_roads("geojson_of_numbers_that_are_none", "no number", _line([float("nan"), 1], [2, 3]))
_roads(
    "geojson_of_huge_numbers",
    "not degrees|no number",
    '{"type": "LineString", "coordinates": [[1e999, 0], [1, 1]]}',
)
_roads("geojson_of_metres", "not degrees", _line([300_000, 4_700_000], [300_010, 4_700_000]))
_roads("geojson_of_polygons", "Polygon; roads must be lines",
       _collection({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}))  # fmt: skip
_roads("geojson_of_one_point", "not GeoJSON", _line([1, 2]))
_roads("geojson_of_an_unknown_crs", "CRS that is not known",
       _collection(LINE, crs={"type": "name", "properties": {"name": "EPSG:999999"}}))  # fmt: skip
_roads("geojson_of_a_crs_of_a_file", "CRS that is not known",
       _collection(LINE, crs={"type": "name", "properties": {"name": "SECRET"}}))  # fmt: skip
_roads("geojson_of_a_crs_of_the_web", "CRS that is not known",
       _collection(LINE, crs={"type": "name", "properties": {"name": "http://127.0.0.1:9/crs"}}))  # fmt: skip
_roads(
    "geojson_whose_features_are_none", "not GeoJSON", '{"type": "FeatureCollection", "features": {"a": 1}}'
)
_roads("geopackage_of_garbage", "does not begin like a GPKG", b"garbage" * 100, ".gpkg")
_roads(
    "geopackage_that_is_a_header", "cannot be read|roads.gpkg", b"SQLite format 3\0" + bytes(2000), ".gpkg"
)
_roads("flatgeobuf_of_garbage", "roads.fgb", b"fgb\x03fgb\x00" + bytes(200), ".fgb")
_roads("flatgeobuf_that_is_empty", "does not begin like", b"", ".fgb")
_roads("parquet_of_garbage", "roads.parquet", b"PAR1" + bytes(100) + b"PAR1", ".parquet")
_roads("openstreetmap_of_garbage", "OpenStreetMap", b"\0\0\0\x0d" + bytes(200), ".osm.pbf")
_roads("openstreetmap_cut_short", "OpenStreetMap", '<osm version="0.6"><way id="1"><nd ref="1"/>', ".osm")
_roads("graphml_that_is_no_xml", "roads.graphml", "<graphml", ".graphml")
_roads("graphml_of_another_kind", "roads.graphml", "<html></html>", ".graphml")
_roads("graphml_of_a_secret", "roads.graphml",
       '<!DOCTYPE g [<!ENTITY x SYSTEM "file://SECRET">]>'
       '<graphml><graph edgedefault="directed"><node id="&x;"/></graph></graphml>',
       ".graphml")  # fmt: skip
_roads("graphml_of_a_billion_laughs", "roads.graphml",
       '<!DOCTYPE g [<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
       + ']><graphml><graph edgedefault="directed"><node id="&l9;"/></graph></graphml>', ".graphml")  # fmt: skip
_roads("graphml_nested_without_end", "no x and y",
       '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><key id="d" for="edge" attr.name="x" attr.type="string"/>'
       '<graph edgedefault="directed"><node id="1"/><node id="2"/><edge source="1" target="2"><data key="d">'
       + "[" * 100_000 + "</data></edge></graph></graphml>", ".graphml")  # fmt: skip
_roads("a_format_of_roads_that_is_not_read", "neither a raster nor roads", b"x", ".kml")


@kind(INPUT, r"roads\.gpkg")
def geopackage_without_tables(place: Place) -> list[str]:
    with sqlite3.connect(place.folder / "roads.gpkg") as database:
        database.execute("CREATE TABLE a (b)")
    return ["evaluate", str(place.folder / "roads.gpkg"), _truth(place)]


@kind(INPUT, r"roads\.gpkg")
def geopackage_cut_short(place: Place) -> list[str]:
    import geopandas as gpd
    from shapely.geometry import LineString

    table = gpd.GeoDataFrame(geometry=[LineString([(n, 0), (n, 1)]) for n in range(2000)], crs="EPSG:32619")
    path = place.folder / "roads.gpkg"
    table.to_file(path, layer="edges")
    path.write_bytes(path.read_bytes()[:60_000])
    return ["evaluate", str(path), _truth(place)]


@kind(INPUT, r"roads\.fgb.*(announces|cannot be read)")
def flatgeobuf_cut_short(place: Place) -> list[str]:
    import geopandas as gpd
    from shapely.geometry import LineString

    table = gpd.GeoDataFrame(geometry=[LineString([(n, 0), (n, 1)]) for n in range(2000)], crs="EPSG:32619")
    path = place.folder / "roads.fgb"
    table.to_file(path, driver="FlatGeobuf")
    path.write_bytes(path.read_bytes()[:-9000])
    return ["evaluate", str(path), _truth(place)]


@kind(USAGE, "must all be folders")
def a_folder_called_gpkg(place: Place) -> list[str]:
    (place.folder / "roads.gpkg").mkdir()
    return ["evaluate", str(place.folder / "roads.gpkg"), _truth(place)]
