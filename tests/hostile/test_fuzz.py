"""Whatever is changed in a file, it is read, or refused by an error of ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from roadlift.errors import InputError, LimitError, ModelError, RoadliftError
from roadlift.export import load
from roadlift.imagery import Georef
from roadlift.imagery.inputs import list_images
from roadlift.imagery.opening import open_raster
from roadlift.imagery.placement import common_lattice, place, window_on
from roadlift.imagery.virtual import vrt_sources
from roadlift.model import ModelCard
from roadlift.network import vectorize

ROOT = Path(__file__).parents[2]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # rasterio's log, see cli
def test_flips_of_a_byte_end_in_pixels_or_in_an_error_of_ours(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.fuzz import MAX_SECONDS_EACH, fuzz, write_image

    write_image(tmp_path / "image.tif")
    found = fuzz(tmp_path / "image.tif", 300, seed=1)
    assert sum(found.outcomes.values()) == 300
    assert {"read", "InputError"} <= set(found.outcomes)
    assert found.slowest < MAX_SECONDS_EACH


NUMBERS = st.floats(-1e7, 1e7) | st.sampled_from([0.0, 1e-300, -1e-9, 1e30, float("inf"), float("nan")])
STEPS = st.floats(0.2, 30) | st.floats(-30, -0.2) | NUMBERS
SKEWS = st.just(0.0) | st.floats(-5, 5) | NUMBERS
CODES = st.sampled_from([32619, 32701, 4326, 3857, 2263, 3413, 27700, 4978])


@settings(max_examples=100)
@given(CODES, STEPS, SKEWS, NUMBERS, SKEWS, STEPS, NUMBERS, st.integers(1, 400), st.integers(1, 400))
def test_any_georeference_is_placed_or_refused(code, a, b, c, d, e, f, rows, cols):
    native = Georef(CRS.from_epsg(code), Affine(a, b, c, d, e, f))
    try:
        grid = place(native, (rows, cols), 1.0)
    except InputError:
        return
    assert min(grid.shape) >= 1
    assert grid.ground_resolution_m >= 1e-3
    assert np.isfinite(grid.georef.transform[:6]).all()
    if grid.warp is None:
        assert grid.georef == native


@given(
    st.sampled_from([32619, 4326, 3857]),
    st.floats(0.3, 3.0),
    st.integers(-300, 300),
    st.integers(-300, 300),
    st.floats(0, 3.1),
)
def test_images_of_a_mosaic_cover_what_they_covered(code, step, row, col, turn):
    centre = {32619: (3e5, 4.7e6), 4326: (-71.4, 42.4), 3857: (-7.95e6, 5.22e6)}[code]
    step *= 1e-5 if code == 4326 else 1
    first = Georef(CRS.from_epsg(code), Affine(step, 0, centre[0], 0, -step, centre[1]))
    second = Georef(
        first.crs, first.transform @ Affine.translation(col, row) @ Affine.rotation(np.degrees(turn))
    )
    lattice = common_lattice([(first, (50, 60)), (second, (50, 60))], 1.0)
    for native in (first, second):
        grid = place(native, (50, 60), None, lattice=lattice)
        window = window_on(lattice, grid.georef, grid.shape)
        assert window.shape == grid.shape
        np.testing.assert_allclose(
            lattice.at(window).to_map(0, 0),
            grid.georef.to_map(0, 0),
            rtol=0,
            atol=1e-5 * abs(lattice.transform.a),
        )


@given(st.dictionaries(st.sampled_from([*ModelCard.__dataclass_fields__, "other"]), JSON) | JSON)
def test_any_json_is_a_card_or_refused(values):
    try:
        ModelCard.from_json(json.dumps(values))
    except ModelError:
        return


@settings(max_examples=150)
@given(st.data())
def test_a_changed_card_is_a_card_or_refused(data):
    card = {
        "name": "toy", "version": "1", "architecture": "mean", "description": "", "ground_resolution_m": 1.0,
        "stride": 8, "halo": 8, "exact_halo": 16, "threshold": 0.5, "threshold_low": 0.3, "licence": "Apache-2.0",
        "credit": "", "sha256": "0" * 64,
    }  # fmt: skip
    text = ModelCard(**card).to_json()
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(0, 3)) :]
    try:
        card = ModelCard.from_json(changed)
    except ModelError:
        return
    assert ModelCard.from_json(card.to_json()) == card


ASSET = st.fixed_dictionaries(
    {}, optional={"href": JSON, "type": st.just("image/tiff") | JSON, "roles": JSON}
)
ITEM = st.fixed_dictionaries(
    {"type": st.sampled_from(["Feature", "FeatureCollection", "Collection"])},
    optional={
        "assets": st.dictionaries(st.sampled_from(["visual", "b"]), ASSET | JSON, max_size=2) | JSON,
        "features": JSON,
        "links": st.lists(st.fixed_dictionaries({"rel": st.sampled_from(["item", "next"]), "href": JSON}))
        | JSON,
    },
)


@settings(max_examples=100)
@given(ITEM | JSON)
def test_any_json_names_images_or_is_refused(tmp_path_factory, document):
    path = tmp_path_factory.getbasetemp() / "fuzzed.json"
    path.write_text(json.dumps(document))
    try:
        assert list_images(path)
    except InputError as error:
        assert str(error)  # noqa: PT017


VRT = """<VRTDataset rasterXSize="30" rasterYSize="20"><SRS>EPSG:32619</SRS>
<GeoTransform>300000, 1, 0, 4700000, 0, -1</GeoTransform><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename relativeToVRT="1">a.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource>
</VRTRasterBand></VRTDataset>"""
PIECES = st.sampled_from(
    ["<", ">", "/", '"', "&lt;", "<a>", "VRTRawRasterBand", "/etc/passwd", "9" * 30, "\0", "ä"]
) | st.text(max_size=2)


@settings(max_examples=100)
@given(st.data())
def test_any_vrt_is_opened_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzzed.vrt"
    text = VRT
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(PIECES) + text[at + data.draw(st.integers(0, 8)) :]
    path.write_text(text, encoding="utf-8")
    try:
        vrt_sources(path)
        open_raster(path).close()
    except (InputError, LimitError):
        return


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A road map of three roads in every format that is read back."""
    raster = np.zeros((60, 60), np.uint8)
    raster[27:33] = raster[:, 27:33] = 254
    georef = Georef(CRS.from_epsg(26986), Affine(1, 0, 100_000, 0, -1, 900_000))
    roads = vectorize(raster, georef, ground_resolution_m=1.0, provenance={"input": "a.tif"})
    folder = tmp_path_factory.mktemp("saved")
    for suffix in SUFFIXES:
        roads.save(folder / f"roads{suffix}")
    return folder


SUFFIXES = (".gpkg", ".geojson", ".fgb", ".parquet", ".graphml", ".osm")


@settings(max_examples=25)
@given(st.data())
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_roads_are_read_or_refused(saved, suffix, data):
    content = bytearray((saved / f"roads{suffix}").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = saved / f"damaged{suffix}"
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) * 3 // 4]))])
    try:
        roads = load(path)
    except RoadliftError as error:
        assert str(error)  # noqa: PT017
    else:
        assert set(roads.edges.geom_type) <= {"LineString"}
