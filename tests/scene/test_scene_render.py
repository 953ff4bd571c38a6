"""Rendered scenes: exact truth, noded roads, determinism, georeference, files."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from roadlift.errors import OutputError, UsageError
from roadlift.imagery.burn import burn
from roadlift.scene import render
from roadlift.scene.layout import plan
from roadlift.scene.streets import KINDS, SURFACES

SEEDS = (0, 1, 2, 5)


@pytest.fixture(scope="module")
def scenes():
    return [render(seed, shape=(160, 200), ground_resolution_m=1.5) for seed in SEEDS]


def test_same_arguments_give_same_bytes_and_seeds_differ():
    first, second, other = (render(seed, shape=(80, 96)) for seed in (4, 4, 5))
    assert first.image.tobytes() == second.image.tobytes()
    assert first.mask.tobytes() == second.mask.tobytes()
    assert first.roads().equals(second.roads())
    assert first.image.tobytes() != other.image.tobytes()


def test_shapes_and_types(scenes):
    for scene in scenes:
        assert scene.image.shape == (160, 200, 3)
        assert scene.image.dtype == np.uint8
        assert scene.mask.shape == (160, 200)
        assert scene.mask.dtype == bool
        assert 0.01 < scene.mask.mean() < 0.5


def test_mask_holds_every_centreline_widened_by_half_its_width(scenes):
    for scene in scenes:
        roads = scene.roads()
        plain = roads[roads.kind != "roundabout"]
        rings = shapely.union_all(roads[roads.kind == "roundabout"].geometry.buffer(0.05).to_numpy())
        inside = shapely.union_all([ring.convex_hull.buffer(-3.7) for ring in shapely.get_parts(rings)])
        strips = [
            strip.difference(inside)
            for strip in shapely.buffer(plain.geometry.to_numpy(), plain.width_m.to_numpy() / 2 - 0.05)
        ]
        assert not (burn(strips, scene.mask.shape, scene.georef).astype(bool) & ~scene.mask).any()


def test_mask_reaches_beyond_the_strips_only_at_junctions_and_dead_ends(scenes):
    for scene in scenes:
        roads = scene.roads()
        strips = shapely.buffer(roads.geometry.to_numpy(), roads.width_m.to_numpy() / 2 + 0.05)
        ends = shapely.points([line.coords[index] for line in roads.geometry for index in (0, -1)])
        near_ends = shapely.buffer(ends, 22)
        margin = np.zeros(scene.mask.shape, bool)
        margin[14:-14, 14:-14] = True
        explained = burn([*strips, *near_ends], scene.mask.shape, scene.georef).astype(bool)
        assert not (scene.mask & ~explained & margin).any()


def test_surface_polygons_are_the_mask(scenes):
    for scene in scenes:
        rows, cols = np.indices(scene.mask.shape)
        x, y = scene.georef.to_map(rows[::7, ::7], cols[::7, ::7])
        inside = shapely.contains_xy(scene.surface, x, y)
        assert np.array_equal(inside, scene.mask[::7, ::7])


def test_label_is_the_centrelines_at_one_width(scenes):
    scene = scenes[0]
    label = scene.label(width_m=7.0)
    assert label.dtype == np.uint8
    assert set(np.unique(label)) == {0, 1}
    rows, cols = np.indices(label.shape)
    x, y = scene.georef.to_map(rows, cols)
    lines = shapely.union_all(scene.roads().geometry.to_numpy())
    distance = shapely.distance(shapely.points(x, y), lines)
    clear = np.abs(distance - 3.5) > 0.05
    assert np.array_equal(label[clear] == 1, distance[clear] < 3.5)
    assert scene.label(width_m=3.0).sum() < label.sum()


def test_roads_are_noded(scenes):
    for scene in scenes:
        lines = scene.roads().geometry.to_numpy()
        assert all(line.is_simple for line in lines)
        first, second = shapely.STRtree(lines).query(lines, predicate="intersects")
        for one, other in zip(first, second, strict=True):
            if one < other:
                meeting = shapely.get_coordinates(shapely.intersection(lines[one], lines[other]))
                ends = np.array([lines[index].coords[end] for index in (one, other) for end in (0, -1)])
                for point in meeting:
                    touching = np.hypot(*(ends - point).T) < 0.006
                    assert touching[:2].any()
                    assert touching[2:].any()


def test_roads_are_connected_up_to_the_edge(scenes):
    for scene in scenes:
        extent = shapely.box(*rasterio.transform.array_bounds(*scene.mask.shape, scene.georef.transform))
        inside = shapely.union_all(scene.roads().geometry.to_numpy())
        for component in shapely.get_parts(shapely.buffer(inside, 0.02)):
            assert component.distance(extent.exterior) < 0.05


def test_georeference_puts_roads_on_their_pixels(scenes):
    for scene in scenes:
        assert str(scene.georef.crs) == "EPSG:32619"
        roads = scene.roads()
        assert roads.crs == scene.georef.crs
        middles = shapely.line_interpolate_point(roads.geometry.to_numpy(), 0.5, normalized=True)
        rows, cols = scene.georef.to_pixel(shapely.get_x(middles), shapely.get_y(middles))
        assert (
            scene.mask[np.rint(rows).astype(int).clip(0, 159), np.rint(cols).astype(int).clip(0, 199)].mean()
            > 0.97
        )
        down, across = scene.georef.ground_resolution(scene.mask.shape)
        assert down == pytest.approx(1.5, rel=2e-3)
        assert across == pytest.approx(1.5, rel=2e-3)


def test_same_extent_at_another_resolution_has_the_same_roads():
    coarse = render(6, shape=(60, 80), ground_resolution_m=2.0)
    fine = render(6, shape=(120, 160), ground_resolution_m=1.0)
    assert coarse.roads().equals(fine.roads())
    shares = fine.mask.reshape(60, 2, 80, 2).mean(axis=(1, 3))
    clear = (shares == 0) | (shares == 1)
    assert np.array_equal(coarse.mask[clear], shares[clear] == 1)


def test_every_surface_and_kind_appears():
    roads = [road for seed in range(10) for road in plan(seed, (700.0, 700.0)).roads]
    assert {road.surface for road in roads} == set(SURFACES)
    assert {road.kind for road in roads} == set(KINDS)
    widths = [road.width_m for road in roads]
    assert min(widths) < 4.5
    assert max(widths) >= 16


def test_every_kind_of_thing_and_season_appears():
    layouts = [plan(seed, (600.0, 600.0)) for seed in range(12)]
    assert {box.kind for layout in layouts for box in layout.boxes} == {
        "house",
        "hall",
        "shed",
        "car",
        "drive",
        "pool",
    }
    assert {layout.season for layout in layouts} == {"spring", "summer", "dry"}
    assert any(not layout.river.is_empty for layout in layouts)
    assert any(len(layout.ponds.geoms) for layout in layouts)
    assert any(layout.fields for layout in layouts)
    assert any(layout.lots for layout in layouts)


def test_houses_stand_on_no_road():
    layout = plan(3, (500.0, 500.0))
    houses = [shapely.Point(box.x, box.y) for box in layout.boxes if box.kind == "house"]
    assert len(houses) > 5
    assert min(house.distance(layout.surface) for house in houses) > 4


def test_roads_look_unlike_their_surroundings():
    scene = render(0, shape=(256, 256), season="spring")
    brightness = scene.image.astype(float).mean(axis=2)
    assert scene.image.std() > 20
    assert abs(np.median(brightness[scene.mask]) - np.median(brightness[~scene.mask])) > 8


def test_season_and_quality_change_the_picture_only():
    plain, summer, coarse = (
        render(9, shape=(64, 64), **options)
        for options in ({"season": "spring"}, {"season": "summer"}, {"season": "spring", "quality": 20})
    )
    assert plain.roads().equals(summer.roads())
    assert not np.array_equal(plain.image, summer.image)
    assert not np.array_equal(plain.image, coarse.image)
    assert np.abs(plain.image.astype(int) - coarse.image.astype(int)).mean() < 20


@pytest.mark.parametrize("resolution", [0.3, 0.5, 1.3, 2.0])
def test_any_resolution(resolution):
    scene = render(2, shape=(48, 64), ground_resolution_m=resolution)
    assert scene.image.shape == (48, 64, 3)
    assert scene.image.std() > 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"shape": (8, 100)}, "at least 16"),
        ({"ground_resolution_m": 9.0}, "0.1 to 5"),
        ({"season": "winter"}, "choose one of spring, summer, dry"),
        ({"quality": 0}, "1 to 100"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(UsageError, match=message):
        render(**options)


def test_saved_files_agree(tmp_path):
    scene = render(1, shape=(64, 80), ground_resolution_m=1.0)
    image, mask, roads = scene.save(tmp_path / "new", "scene")
    with rasterio.open(image) as source:
        assert source.transform == scene.georef.transform
        assert source.crs == scene.georef.crs
        assert np.array_equal(np.moveaxis(source.read(), 0, 2), scene.image)
    with rasterio.open(mask) as source:
        assert np.array_equal(source.read(1), scene.mask.astype(np.uint8))
    table = gpd.read_file(roads)
    assert len(table) == len(scene.centrelines)
    assert table.crs == scene.georef.crs
    with pytest.raises(OutputError, match="exists"):
        scene.save(tmp_path / "new", "scene")
    scene.save(tmp_path / "new", "scene", overwrite=True)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "scene.tif",
        "scene_mask.tif",
        "scene_roads.gpkg",
    ]
