from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from PIL import Image
from rasterio.crs import CRS

from roadlift.errors import InputError
from roadlift.imagery.georef import Georef
from roadlift.network import NetworkOptions, vectorize

DATA = Path(__file__).parents[2].parent / "shared/data"
PIXELS = Georef(None, Affine.identity())
STATE_PLANE = CRS.from_epsg(26986)


def crossroads(size: int = 120, width: int = 7) -> np.ndarray:
    raster = np.zeros((size, size), np.uint8)
    low = size // 2 - width // 2
    raster[low : low + width] = raster[:, low : low + width] = 254
    return raster


def kinds(roads) -> dict[str, int]:
    return roads.nodes["kind"].value_counts().to_dict()


def test_crossroads() -> None:
    roads = vectorize(crossroads(), PIXELS, ground_resolution_m=1.0)
    assert kinds(roads) == {"border": 4, "junction": 1}
    centre = roads.nodes[roads.nodes["kind"] == "junction"].geometry.iloc[0]
    assert centre.distance(shapely.Point(60.5, 60.5)) < 0.05
    assert roads.edges["width_m"].tolist() == pytest.approx([7] * 4)
    assert roads.edges["border"].all()
    assert roads.length_km == pytest.approx(0.24, abs=0.0001)
    assert len(roads.issues) == 0


def test_every_option_scales_with_the_ground_resolution() -> None:
    """The same drawing at half a metre per pixel and twice the options in metres is the same network."""
    raster = crossroads()
    raster[20:27, 60:85] = 254
    options = NetworkOptions(min_spur_m=30, min_object_m2=50)
    scale = {"_m": 2, "_m2": 4}
    half = NetworkOptions(
        **{name: value / scale.get(name[name.rfind("_") :], 1) for name, value in asdict(options).items()}
    )
    one = vectorize(raster, PIXELS, ground_resolution_m=1.0, options=options)
    two = vectorize(raster, PIXELS, ground_resolution_m=0.5, options=half)
    assert one.edges.geometry.geom_equals(two.edges.geometry).all()
    np.testing.assert_allclose(one.edges["length_m"], 2 * two.edges["length_m"], atol=2e-3)
    np.testing.assert_allclose(one.edges["width_m"], 2 * two.edges["width_m"], atol=2e-3)
    assert one.issues["reason"].tolist() == ["side branch shorter than the road is wide"]


def test_what_is_dropped_is_an_issue() -> None:
    raster = np.zeros((60, 120), np.uint8)
    raster[10:17] = 254
    raster[40:54, 50:64] = 254
    roads = vectorize(raster, PIXELS, ground_resolution_m=1.0)
    assert len(roads.edges) == 1
    assert set(roads.issues["kind"]) == {"removed"}


@pytest.mark.parametrize("value", [0, 255])
def test_no_roads_is_a_valid_result(value: int) -> None:
    roads = vectorize(
        np.full((30, 40), value, np.uint8), Georef(STATE_PLANE, Affine.identity()), ground_resolution_m=1.0
    )
    assert len(roads.edges) == len(roads.nodes) == len(roads.issues) == 0
    assert roads.length_km == 0
    assert roads.crs.to_epsg() == 26986


def test_one_row_and_one_pixel_images() -> None:
    assert len(vectorize(np.full((1, 1), 254, np.uint8), PIXELS, ground_resolution_m=1.0).edges) == 0
    roads = vectorize(np.full((1, 200), 254, np.uint8), PIXELS, ground_resolution_m=1.0)
    assert len(roads.edges) <= 1


def test_road_that_ends_at_no_data_goes_on() -> None:
    raster = np.zeros((40, 120), np.uint8)
    raster[17:24] = 254
    raster[:, :30] = 255
    roads = vectorize(raster, PIXELS, ground_resolution_m=1.0)
    assert kinds(roads) == {"border": 2}


def test_ring_and_lollipop() -> None:
    rows, cols = np.mgrid[:160, :160]
    distance = np.hypot(rows - 80, cols - 80)
    ring = (np.abs(distance - 40) <= 3.5).astype(np.uint8) * 254
    roads = vectorize(ring, PIXELS, ground_resolution_m=1.0)
    assert kinds(roads) == {"ring": 1}
    assert roads.length_km * 1000 == pytest.approx(2 * np.pi * 40, rel=0.01)
    ring[77:84, 120:] = 254
    roads = vectorize(ring, PIXELS, ground_resolution_m=1.0)
    assert kinds(roads) == {"junction": 1, "border": 1}
    assert sorted((roads.edges["u"] == roads.edges["v"]).tolist()) == [False, True]


TRANSFORMS = {
    "north up": Affine(1, 0, 100_000, 0, -1, 900_000),
    "south up": Affine(1, 0, 100_000, 0, 1, 900_000),
    "rotated": Affine(np.sqrt(0.75), 0.5, 100_000, 0.5, -np.sqrt(0.75), 900_000),
    "not square": Affine(1.0, 0, 100_000, 0, -1.1, 900_000),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_lines_lie_where_the_transform_puts_them(name: str) -> None:
    georef = Georef(STATE_PLANE, TRANSFORMS[name])
    roads = vectorize(crossroads(), georef, ground_resolution_m=1.0)
    crossing = roads.nodes[roads.nodes["kind"] == "junction"].geometry.iloc[0]
    assert crossing.distance(shapely.Point(georef.to_map(60, 60))) < 0.05
    across, down = ([60, 60], [-0.5, 119.5]), ([-0.5, 119.5], [60, 60])
    truth = [shapely.LineString(np.transpose(georef.to_map(*road))) for road in (across, down)]
    assert shapely.hausdorff_distance(shapely.union_all(truth), roads.edges.geometry.union_all()) < 1.0
    assert roads.length_km * 1000 == pytest.approx(sum(line.length for line in truth), rel=0.001)


def test_degrees_give_metres() -> None:
    step = 1 / 111_320
    georef = Georef(CRS.from_epsg(4326), Affine(step, 0, -71, 0, -step, 0.001))
    assert vectorize(crossroads(), georef, ground_resolution_m=1.0).length_km == pytest.approx(
        0.238, rel=0.01
    )


def test_a_local_crs_counts_as_none() -> None:
    local = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1],AXIS["x",EAST],AXIS["y",NORTH]]')
    assert vectorize(crossroads(), Georef(local, Affine.identity()), ground_resolution_m=1.0).crs is None


def test_the_raster_is_not_changed_and_the_result_repeats() -> None:
    raster = crossroads()
    before = raster.copy()
    one, two = (vectorize(raster, PIXELS, ground_resolution_m=1.0) for _ in range(2))
    assert np.array_equal(raster, before)
    assert one.edges.to_wkt().equals(two.edges.to_wkt())


@pytest.mark.parametrize("raster", [np.zeros((3, 4, 1), np.uint8), np.zeros((3, 4), np.float32)])
def test_wrong_rasters_are_refused(raster: np.ndarray) -> None:
    with pytest.raises(InputError, match="must be uint8"):
        vectorize(raster, PIXELS, ground_resolution_m=1.0)


def test_wrong_ground_resolution_is_refused() -> None:
    with pytest.raises(InputError, match="above 0"):
        vectorize(np.zeros((3, 4), np.uint8), PIXELS, ground_resolution_m=0.0)


def test_provenance_is_kept() -> None:
    assert vectorize(
        crossroads(), PIXELS, ground_resolution_m=1.0, provenance={"input": "a.tif"}
    ).provenance == {"input": "a.tif"}


@pytest.mark.skipif(not DATA.exists(), reason="needs the labelled imagery at ../shared/data")
def test_real_masks_become_lines_in_the_middle_of_their_roads() -> None:
    paths = sorted((DATA / "massachusetts/dev/masks").glob("*.png"))[::6]
    covered = []
    for path in paths:
        mask = np.asarray(Image.open(path).convert("L")) > 127
        roads = vectorize(mask.astype(np.uint8) * 254, PIXELS, ground_resolution_m=1.0)
        if not len(roads.edges):
            continue
        points = shapely.get_coordinates(shapely.segmentize(roads.edges.geometry.to_numpy(), 1.0))
        assert (
            mask[points[:, 1].astype(int).clip(0, 399), points[:, 0].astype(int).clip(0, 399)].mean() > 0.99
        )
        area = shapely.union_all(shapely.buffer(roads.edges.geometry.to_numpy(), 3.5)).area
        covered.append(area / mask.sum())
    assert np.median(covered) > 0.95
