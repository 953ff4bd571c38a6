"""Reading roads of other people's files, the broken ones too."""

import json

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from roadlift.errors import InputError, RoadliftError, UsageError
from roadlift.export.lines import TAGS, read_lines

osmium = pytest.importorskip("osmium", reason="the extra osm is not installed")

LINE = {"type": "LineString", "coordinates": [[6.1, 50.0], [6.2, 50.1]]}


def _collection(*geometries, **members):
    features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
    return {"type": "FeatureCollection", "features": features, **members}


@pytest.fixture
def geojson(tmp_path):
    def write(document):
        path = tmp_path / "roads.geojson"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return write


def _layer(path, geometries, layer="roads", crs="EPSG:32631", **columns):
    table = gpd.GeoDataFrame(columns, geometry=geometries, crs=crs)
    pyogrio.write_dataframe(table, path, layer=layer, append=path.exists())
    return path


def _osm(path):
    with osmium.SimpleWriter(str(path)) as writer:
        for number, (lon, lat) in enumerate([(6.1, 50.0), (6.2, 50.1), (6.3, 50.1)], 1):
            writer.add_node(osmium.osm.mutable.Node(id=number, location=(lon, lat)))
        tags = {"highway": "primary", "lanes": "3", "name": "Hauptstraße"}
        writer.add_way(osmium.osm.mutable.Way(id=1, nodes=[1, 2, 3], tags=tags))
        writer.add_way(osmium.osm.mutable.Way(id=2, nodes=[1, 2], tags={"building": "yes"}))
        writer.add_way(osmium.osm.mutable.Way(id=3, nodes=[3, 99], tags={"highway": "service"}))
        writer.add_way(osmium.osm.mutable.Way(id=4, nodes=[2, 3], tags={"highway": "footway"}))
    return path


class TestRead:
    def test_geojson_has_its_tags_as_text(self, geojson):
        document = _collection(LINE, LINE)
        document["features"][0]["properties"] = {"lanes": 2, "oneway": True, "width": None, "other": "x"}
        document["features"][1]["properties"] = None
        table = read_lines(geojson(document))
        assert table.columns.tolist() == [*TAGS, "geometry"]
        assert table.loc[0, ["lanes", "oneway", "width"]].tolist() == ["2", "yes", None]
        assert table.loc[1, list(TAGS)].isna().all()
        assert table.crs.to_epsg() is not None or "CRS84" in table.crs.to_string()

    def test_a_feature_and_a_bare_geometry_are_geojson_too(self, geojson):
        assert len(read_lines(geojson({"type": "Feature", "properties": {}, "geometry": LINE}))) == 1
        assert len(read_lines(geojson(LINE))) == 1

    def test_collections_are_opened_and_points_passed_over(self, geojson):
        several = {"type": "MultiLineString", "coordinates": [LINE["coordinates"]] * 2}
        point = {"type": "Point", "coordinates": [6.1, 50.0]}
        mixed = {"type": "GeometryCollection", "geometries": [several, point, LINE]}
        assert len(read_lines(geojson(_collection(mixed, point, None)))) == 3

    def test_a_crs_of_the_old_specification_is_obeyed(self, geojson):
        line = {"type": "LineString", "coordinates": [[500_000, 5_000_000], [500_010, 5_000_000]]}
        crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
        assert read_lines(geojson(_collection(line, crs=crs))).crs.to_epsg() == 32631

    def test_no_lines_is_an_answer(self, geojson, tmp_path):
        assert read_lines(geojson(_collection())).empty
        empty = gpd.GeoDataFrame({"highway": []}, geometry=[], crs="EPSG:32631")
        pyogrio.write_dataframe(empty, tmp_path / "empty.gpkg", geometry_type="LineString")
        table = read_lines(tmp_path / "empty.gpkg")
        assert table.empty
        assert table.crs.to_epsg() == 32631

    @pytest.mark.parametrize("suffix", [".gpkg", ".fgb"])
    def test_layers_with_heights_and_parts(self, tmp_path, suffix):
        lines = [
            shapely.LineString([(0, 0, 5), (9, 0, 5)]),
            shapely.MultiLineString([[(0, 0), (1, 1)], [(5, 5), (6, 6)]]),
        ]
        if suffix == ".fgb":
            lines = lines[1:]
        table = read_lines(_layer(tmp_path / f"roads{suffix}", lines, width=[4.5, 6.0][-len(lines) :]))
        assert len(table) == len(lines) + 1
        assert not shapely.has_z(table.geometry.to_numpy()).any()
        assert table["width"].tolist()[-2:] == ["6.0", "6.0"]

    def test_of_several_layers_ours_or_the_one_named_is_read(self, tmp_path):
        path = tmp_path / "roads.gpkg"
        line = shapely.LineString([(0, 0), (1, 1)])
        _layer(path, [line], "edges")
        _layer(path, [shapely.Point(0, 0)], "nodes")
        _layer(path, [line, line], "issues")
        assert len(read_lines(path)) == 1
        assert len(read_lines(path, layer="issues")) == 2
        with pytest.raises(InputError, match=r"no layer 'roads'; its layers are edges, nodes, issues"):
            read_lines(path, layer="roads")

    @pytest.mark.parametrize("name", ["region.osm.pbf", "region.osm"])
    def test_openstreetmap_extracts(self, tmp_path, name):
        table = read_lines(_osm(tmp_path / name))
        assert table["highway"].tolist() == ["primary", "footway"]
        assert table["lanes"].tolist() == ["3", None]
        np.testing.assert_allclose(table.geometry[0].coords[:], [(6.1, 50.0), (6.2, 50.1), (6.3, 50.1)])

    def test_only_lines_within_bounds_are_read(self, geojson, tmp_path):
        far = {"type": "LineString", "coordinates": [[7.1, 50.0], [7.2, 50.1]]}
        near = (6.15, 49.9, 6.16, 50.2)
        assert len(read_lines(geojson(_collection(LINE, far)), bounds=near)) == 1
        assert len(read_lines(_osm(tmp_path / "region.osm.pbf"), bounds=(6.25, 50.0, 6.4, 50.2))) == 2
        path = _layer(tmp_path / "a.gpkg", [shapely.LineString([(6.1, 50), (6.2, 50.1)])], crs="EPSG:4326")
        assert len(read_lines(path, bounds=near)) == 1
        assert read_lines(path, bounds=(1, 1, 2, 2)).empty

    def test_without_osmium_the_extra_is_named(self, tmp_path, monkeypatch):
        path = _osm(tmp_path / "region.osm.pbf")
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
        with pytest.raises(UsageError, match=r"roadlift\[osm\]"):
            read_lines(path)


POLYGON = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}


class TestRefused:
    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ("{", "is not JSON"),
            ("[" * 100_000, "is not JSON"),
            ("\ud83d".encode("utf-16", "surrogatepass").decode("latin1"), "is not JSON"),
            ("[1, 2]", "not GeoJSON"),
            ("{}", "not GeoJSON"),
            ({"type": "FeatureCollection", "features": 3}, "not GeoJSON"),
            ({"type": "Topology", "objects": {}}, "Feature 1 of"),
            (_collection({"type": "LineString", "coordinates": [[1, 2]]}), "Feature 1 of"),
            (_collection(LINE, {"type": "LineString", "coordinates": [[1, "x"], [2, 3]]}), "Feature 2 of"),
            (_collection({"type": "LineString"}), "Feature 1 of"),
            ({"type": "FeatureCollection", "features": [None]}, "Feature 1 of"),
            (_collection(LINE, POLYGON), r"Feature 2 of .* is a Polygon.*mask raster"),
            (
                _collection({"type": "GeometryCollection", "geometries": [POLYGON]}),
                "Feature 1 of .* is a Polygon",
            ),
            ('{"type": "LineString", "coordinates": [[1, NaN], [2, 3]]}', "coordinate that is no number"),
            ('{"type": "LineString", "coordinates": [[1, 1e999], [2, 3]]}', "coordinate that is no number"),
            (_collection(LINE, crs={"properties": {"name": "EPSG:999999"}}), "CRS that is not known"),
            (_collection(LINE, crs="EPSG:32631"), "CRS that is not known"),
            (_collection({"type": "LineString", "coordinates": [[5e5, 5e6], [6e5, 5e6]]}), "are not degrees"),
        ],
    )
    def test_broken_geojson_is_named(self, geojson, document, message):
        with pytest.raises(InputError, match=message) as error:
            read_lines(geojson(document))
        assert "roads.geojson" in str(error.value)

    @pytest.mark.parametrize("name", ["roads.gpkg", "roads.fgb", "roads.osm.pbf", "roads.osm"])
    @pytest.mark.parametrize(
        "content", [b"", b"no such file", b"SQLite format 3\0" + b"\0" * 500, b"fgb" + b"\7" * 99]
    )
    def test_broken_files_of_other_kinds_are_named(self, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            read_lines(tmp_path / name)

    @pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".osm.pbf"])
    def test_cut_files_are_named_or_read(self, tmp_path, suffix):
        path = tmp_path / f"roads{suffix}"
        if suffix == ".osm.pbf":
            _osm(path)
        else:
            _layer(path, [shapely.LineString([(i, 0), (i, 1)]) for i in range(500)])
        whole = path.read_bytes()
        for share in (0.1, 0.5, 0.9):
            path.write_bytes(whole[: int(len(whole) * share)])
            with pytest.raises(InputError, match="roads"):
                read_lines(path)

    def test_other_names_and_no_file(self, tmp_path):
        with pytest.raises(InputError, match=r"roads\.shp.*\.gpkg"):
            read_lines(tmp_path / "roads.shp")
        with pytest.raises(InputError, match="does not exist"):
            read_lines(tmp_path / "roads.gpkg")

    def test_polygons_and_not_numbers_in_layers(self, tmp_path):
        path = _layer(tmp_path / "a.gpkg", [shapely.box(0, 0, 1, 1)])
        with pytest.raises(InputError, match=r"a\.gpkg has 0 layers with lines.*roads \(Polygon\)"):
            read_lines(path)
        with np.errstate(invalid="ignore"):
            path = _layer(tmp_path / "b.gpkg", [shapely.LineString([(0, np.nan), (1, 1)])])
        with pytest.raises(InputError, match=r"Feature 1 of .*b\.gpkg has a coordinate that is no number"):
            read_lines(path)

    def test_several_layers_of_lines(self, tmp_path):
        path = tmp_path / "a.gpkg"
        for name in ("rivers", "roads"):
            _layer(path, [shapely.LineString([(0, 0), (1, 1)])], name)
        with pytest.raises(InputError, match=r"2 layers with lines.*rivers \(LineString\)"):
            read_lines(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-200, 200) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
POSITION = st.lists(st.floats() | st.integers(-90, 90) | st.text(max_size=2), min_size=0, max_size=4)
GEOMETRY = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["LineString", "MultiLineString", "Point", "Polygon", "GeometryCollection", "Curve"]
        ),
        "coordinates": st.lists(POSITION, max_size=4)
        | st.lists(st.lists(POSITION, max_size=3), max_size=3)
        | JSON,
    },
    optional={"geometries": JSON},
)
FEATURE = st.fixed_dictionaries({"type": st.just("Feature"), "geometry": GEOMETRY | JSON, "properties": JSON})
DOCUMENT = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["FeatureCollection", "Feature"]),
        "features": st.lists(FEATURE | JSON, max_size=3),
    },
    optional={"crs": JSON, "geometry": GEOMETRY},
)


@settings(max_examples=300)
@given(DOCUMENT | JSON)
def test_any_json_is_read_or_refused_by_name(tmp_path_factory, document):
    path = tmp_path_factory.getbasetemp() / "fuzzed.geojson"
    path.write_text(json.dumps(document))
    try:
        table = read_lines(path)
    except RoadliftError as error:
        assert "fuzzed.geojson" in str(error)  # noqa: PT017
    else:
        assert (table.geom_type == "LineString").all()
        assert np.isfinite(shapely.get_coordinates(table.geometry.to_numpy())).all()


@settings(max_examples=100)
@given(st.sampled_from([".gpkg", ".fgb", ".osm.pbf", ".osm"]), st.data())
def test_any_damage_is_read_or_refused_by_name(tmp_path_factory, suffix, data):
    folder = tmp_path_factory.getbasetemp()
    whole = folder / f"whole{suffix}"
    if not whole.exists():
        if "osm" in suffix:
            _osm(whole)
        else:
            _layer(whole, [shapely.LineString([(i, 0), (i, 1)]) for i in range(5)])
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = folder / f"damaged{suffix}"
    path.write_bytes(content)
    try:
        table = read_lines(path)
    except RoadliftError as error:
        assert path.name in str(error)  # noqa: PT017
    else:
        assert np.isfinite(shapely.get_coordinates(table.geometry.to_numpy())).all()
