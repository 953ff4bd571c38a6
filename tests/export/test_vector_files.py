from __future__ import annotations

import importlib.util
import json
import sqlite3

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
from affine import Affine
from rasterio.crs import CRS

from roadlift.errors import OutputError, UsageError
from roadlift.export import load, replacing, save
from roadlift.export.formats import FORMATS
from roadlift.export.vector import WRITERS
from roadlift.imagery.georef import Georef
from roadlift.network import RoadMap, vectorize

SUFFIXES = [".gpkg", ".geojson", ".fgb", ".parquet"]


def roads_in(epsg: int | None) -> RoadMap:
    raster = np.zeros((80, 80), np.uint8)
    raster[37:44] = raster[:, 37:44] = 254
    raster[10:17, 43:52] = 254
    crs = CRS.from_epsg(epsg) if epsg else None
    georef = Georef(crs, Affine(1, 0, 100_000, 0, -1, 900_000))
    return vectorize(
        raster, georef, ground_resolution_m=1.0, provenance={"input": "a.tif", "options": {"x": 1.5}}
    )


@pytest.fixture(scope="module")
def roads() -> RoadMap:
    return roads_in(26986)


def read(path) -> gpd.GeoDataFrame:
    layer = "edges" if path.suffix == ".gpkg" else None
    table = gpd.read_parquet(path) if path.suffix == ".parquet" else pyogrio.read_dataframe(path, layer=layer)
    if not len(table):
        return table
    return table.sort_values("id", ignore_index=True)  # FlatGeobuf keeps the order of its spatial index


@pytest.mark.parametrize("epsg", [26986, None])
def test_geopackage_comes_back_whole(tmp_path, epsg: int | None) -> None:
    roads = roads_in(epsg)
    roads.save(tmp_path / "roads.gpkg")
    back = RoadMap.from_file(tmp_path / "roads.gpkg")
    for name in ("edges", "nodes", "issues"):
        one, two = getattr(roads, name), getattr(back, name)
        assert one.crs == two.crs
        assert one.to_wkt().equals(two.to_wkt()), name
        assert one.dtypes.equals(two.dtypes)
    assert len(roads.issues) == 1
    assert back.provenance == roads.provenance
    assert [path.name for path in tmp_path.iterdir()] == ["roads.gpkg"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_holds_the_edges(tmp_path, roads: RoadMap, suffix: str) -> None:
    path = tmp_path / f"roads{suffix}"
    save(roads, path)
    table = read(path)
    assert table["length_m"].tolist() == roads.edges["length_m"].tolist()
    assert set(roads.edges.columns) == set(table.columns)
    assert table.crs.to_epsg() == (4326 if suffix == ".geojson" else 26986)
    inside = table.to_crs(26986).geometry
    assert inside.geom_equals_exact(roads.edges.geometry, tolerance=0.02).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_roads_still_have_every_column(tmp_path, suffix: str) -> None:
    path = tmp_path / f"roads{suffix}"
    save(RoadMap.empty(crs=26986), path)
    table = read(path)
    assert len(table) == 0
    if suffix != ".geojson":  # a GeoJSON file without features has no properties
        assert {"id", "u", "v", "length_m", "width_m", "probability"} <= set(table.columns)
    if suffix == ".gpkg":
        assert load(path).nodes.dtypes.equals(RoadMap.empty(crs=26986).nodes.dtypes)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_same_roads_same_bytes(tmp_path, roads: RoadMap, suffix: str) -> None:
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    save(roads, one)
    save(roads_in(26986), two)
    assert one.read_bytes() == two.read_bytes()


def test_geojson_is_rfc_7946(tmp_path, roads: RoadMap) -> None:
    path = tmp_path / "roads.geojson"
    save(roads, path)
    collection = json.loads(path.read_text())
    assert collection["type"] == "FeatureCollection"
    assert "crs" not in collection
    longitude, latitude = collection["features"][0]["geometry"]["coordinates"][0]
    assert -73 < longitude < -72
    assert 42 < latitude < 43
    assert len(str(longitude).split(".")[1]) <= 7


def test_dst_crs(tmp_path, roads: RoadMap) -> None:
    save(roads, tmp_path / "roads.gpkg", dst_crs="EPSG:32618")
    assert load(tmp_path / "roads.gpkg").crs.to_epsg() == 32618
    save(roads, tmp_path / "roads.geojson", dst_crs="EPSG:4326")
    with pytest.raises(UsageError, match="always in WGS 84"):
        save(roads, tmp_path / "other.geojson", dst_crs="EPSG:32618")


def test_pixel_coordinates_do_not_fit_into_geojson(tmp_path) -> None:
    with pytest.raises(UsageError, match=r"write \.gpkg without"):
        save(roads_in(None), tmp_path / "roads.geojson")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["roads.shp", "roads"])
def test_unknown_suffix_lists_the_known(tmp_path, roads: RoadMap, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.gpkg, \.geojson, \.fgb, \.parquet, \.graphml, \.osm"):
        save(roads, tmp_path / name)


def test_parquet_without_pyarrow_names_the_command(tmp_path, roads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'roadlift\[parquet\]'"):
        save(roads, tmp_path / "roads.parquet")


def test_existing_file_is_kept_unless_told(tmp_path, roads: RoadMap) -> None:
    path = tmp_path / "roads.gpkg"
    path.write_text("mine")
    with pytest.raises(OutputError, match="--overwrite"):
        save(roads, path)
    assert path.read_text() == "mine"
    save(roads, path, overwrite=True)
    assert len(load(path).edges) == len(roads.edges)


def test_missing_folder_and_folder_as_file(tmp_path, roads: RoadMap) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        save(roads, tmp_path / "none" / "roads.gpkg")
    (tmp_path / "roads.gpkg").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        save(roads, tmp_path / "roads.gpkg", overwrite=True)


def test_a_name_that_the_file_system_refuses(tmp_path, roads: RoadMap) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        save(roads, tmp_path / f"{'a' * 300}.gpkg")
    assert not list(tmp_path.iterdir())


def test_symbolic_link_is_replaced_not_followed(tmp_path, roads: RoadMap) -> None:
    (tmp_path / "precious.gpkg").write_text("mine")
    (tmp_path / "roads.gpkg").symlink_to(tmp_path / "precious.gpkg")
    save(roads, tmp_path / "roads.gpkg", overwrite=True)
    assert (tmp_path / "precious.gpkg").read_text() == "mine"
    assert not (tmp_path / "roads.gpkg").is_symlink()


def test_a_full_disk_leaves_the_old_files_and_nothing_else(tmp_path) -> None:
    """A limit on the file size stands in for the disk: it fails inside the writers, as a full one does."""
    paths = [tmp_path / f"roads{suffix}" for suffix in (*SUFFIXES, ".graphml", ".osm")]
    for path in paths:
        path.write_text("old")
    script = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import numpy as np
from affine import Affine
from rasterio.crs import CRS
from roadlift.errors import OutputError
from roadlift.export import save
from roadlift.imagery.georef import Georef
from roadlift.network import vectorize
raster = np.zeros((400, 400), np.uint8)
for start in range(10, 390, 25):
    raster[start:start + 7] = raster[:, start:start + 7] = 254
georef = Georef(CRS.from_epsg(26986), Affine(1, 0, 100_000, 0, -1, 900_000))
roads = vectorize(raster, georef, ground_resolution_m=1.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for path in {[str(path) for path in paths]!r}:
    try:
        save(roads, path, overwrite=True)
    except OutputError:
        print("refused")
"""
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["refused"] * len(paths), done.stderr[-2000:]
    assert [path.read_text() for path in paths] == ["old"] * len(paths)
    assert len(list(tmp_path.iterdir())) == len(paths)


def test_geopackage_is_sound(tmp_path, roads: RoadMap) -> None:
    save(roads, tmp_path / "roads.gpkg")
    with sqlite3.connect(tmp_path / "roads.gpkg") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        layers = dict(database.execute("SELECT table_name, srs_id FROM gpkg_contents").fetchall())
    database.close()
    assert layers == {"edges": 26986, "nodes": 26986, "issues": 26986, "layer_styles": None}


def test_replacing_removes_its_temporary_file_on_any_error(tmp_path) -> None:
    def fail() -> None:
        with replacing(tmp_path / "a.txt", overwrite=False) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not list(tmp_path.iterdir())


def test_every_format_has_its_writer() -> None:
    assert WRITERS.keys() == FORMATS.keys()
