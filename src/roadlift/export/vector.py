"""Road maps to vector files and back; the suffix chooses the format."""

from __future__ import annotations

import json
import sqlite3
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from roadlift.errors import OutputError
from roadlift.export.atomic import replacing
from roadlift.export.formats import check_format, crs_of_file
from roadlift.export.graphml import count_graphml_edges, write_graphml
from roadlift.export.osm import count_roads, write_osm
from roadlift.export.style import embed_styles
from roadlift.network import RoadMap as RoadMap
from roadlift.network.roadmap import EDGE_COLUMNS, ISSUE_COLUMNS, NODE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from os import PathLike

GEOPACKAGE_VERSION = "1.3"  # the newest that the QGIS of long-term distributions reads without a warning
PROVENANCE = "roadlift"
LAYERS = {
    "edges": ("LineString", EDGE_COLUMNS),
    "nodes": ("Point", NODE_COLUMNS),
    "issues": ("LineString", ISSUE_COLUMNS),
}
TIMESTAMP = "1970-01-01T00:00:00.000Z"  # of every layer: the same road map gives the same bytes


@dataclass(frozen=True)
class Writer:
    """How one kind of file is written and how many edges it holds once written."""

    write: Callable[[RoadMap, Path], None]
    count: Callable[[Path], int]


def save(
    roadmap: RoadMap, path: str | PathLike[str], *, overwrite: bool = False, dst_crs: str | None = None
) -> None:
    """Write a road map to a file; the suffix chooses the format.

    * ``.gpkg`` GeoPackage: layers ``edges``, ``nodes`` and ``issues``, with provenance and QGIS style.
      The one that `RoadMap.from_file` reads back whole.
    * ``.geojson`` RFC 7946: edges in longitude and latitude (WGS 84), seven decimals.
    * ``.fgb`` FlatGeobuf, ``.parquet`` GeoParquet: edges.
    * ``.graphml`` the routable graph, for OSMnx; ``.osm`` OSM XML in WGS 84, for JOSM.

    The file appears complete or not at all, and the same road map gives the same bytes.

    Args:
        roadmap: what to write; without roads the file is valid, empty and has every column.
        path: file to write.
        overwrite: replace an existing file.
        dst_crs: write in this CRS, such as ``"EPSG:32619"``, instead of the road map's own.

    Raises:
        UsageError: the suffix is unknown, the format needs a CRS and there is none, or a package is missing.
        OutputError: the file exists, or cannot be written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "roads.geojson"
        >>> save(RoadMap.empty(crs="EPSG:26986"), path)
        >>> json.loads(path.read_text())["features"]
        []
    """
    check_format(path, dst_crs=dst_crs, has_crs=roadmap.crs is not None)
    chosen = WRITERS[Path(path).suffix.lower()]
    roadmap = roadmap.reproject(crs) if (crs := crs_of_file(path, dst_crs)) else roadmap
    with replacing(path, overwrite=overwrite) as temporary:
        try:
            chosen.write(roadmap, temporary)
            written = chosen.count(temporary)
        except (DataSourceError, DataLayerError, RuntimeError, sqlite3.Error) as error:
            message = f"cannot write {path}: {error}"
            raise OutputError(message) from error
        if written != len(roadmap.edges):
            message = f"{path}: wrote {len(roadmap.edges)} edges but read back {written}; is the disk full?"
            raise OutputError(message)


def _tables(roadmap: RoadMap) -> dict[str, gpd.GeoDataFrame]:
    return {"edges": roadmap.edges, "nodes": roadmap.nodes, "issues": roadmap.issues}


def _write_layer(table: gpd.GeoDataFrame, path: Path, name: str, driver: str, **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'crs' was not provided")  # pixel coordinates have none
        pyogrio.write_dataframe(
            table, path, layer=name, driver=driver, geometry_type=LAYERS[name][0], **options
        )


def _write_geopackage(roadmap: RoadMap, path: Path) -> None:
    provenance = {PROVENANCE: json.dumps(dict(roadmap.provenance), sort_keys=True, default=str)}
    with _fixed_timestamp():
        for name, table in _tables(roadmap).items():
            begin = {"layer_metadata": provenance, "dataset_options": {"VERSION": GEOPACKAGE_VERSION}}
            _write_layer(
                table, path, name, "GPKG", append=path.exists(), **(begin if name == "edges" else {})
            )
    embed_styles(path, timestamp=TIMESTAMP)


@contextmanager
def _fixed_timestamp() -> Iterator[None]:
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": TIMESTAMP})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def _write_geojson(roadmap: RoadMap, path: Path) -> None:
    _write_layer(
        roadmap.edges, path, "edges", "GeoJSON", RFC7946="YES", COORDINATE_PRECISION="7", WRITE_NAME="NO"
    )


def _write_flatgeobuf(roadmap: RoadMap, path: Path) -> None:
    _write_layer(
        roadmap.edges, path, "edges", "FlatGeobuf", SPATIAL_INDEX="YES" if len(roadmap.edges) else "NO"
    )


def _write_parquet(roadmap: RoadMap, path: Path) -> None:
    roadmap.edges.to_parquet(path, index=False)


def _count_features(path: Path) -> int:
    return int(pyogrio.read_info(path, layer="edges", force_feature_count=True)["features"])


def _count_geojson(path: Path) -> int:
    return int(pyogrio.read_info(path, force_feature_count=True)["features"])


def _count_parquet(path: Path) -> int:
    return len(gpd.read_parquet(path))


WRITERS: Mapping[str, Writer] = {
    ".gpkg": Writer(_write_geopackage, _count_features),
    ".geojson": Writer(_write_geojson, _count_geojson),
    ".fgb": Writer(_write_flatgeobuf, _count_geojson),
    ".parquet": Writer(_write_parquet, _count_parquet),
    ".graphml": Writer(write_graphml, count_graphml_edges),
    ".osm": Writer(write_osm, count_roads),
}
