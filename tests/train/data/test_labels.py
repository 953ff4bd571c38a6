import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer

from roadlift.errors import InputError
from roadlift.train.data import IGNORE, list_images, read_samples
from roadlift.train.data.labels import _read_roads

PLACE = {"crs": "EPSG:32631", "transform": Affine(1, 0, 500_000, 0, -1, 5_000_000)}


@pytest.fixture(autouse=True)
def _forget():
    yield
    _read_roads.cache_clear()


def _to_degrees(points, crs="EPSG:32631"):
    return np.column_stack(
        Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(*np.transpose(points))
    ).tolist()


@pytest.fixture
def data(tmp_path, write_raster, picture):
    write_raster(tmp_path / "images" / "a.tif", picture(40, 60), **PLACE)
    return tmp_path


def test_lines_are_drawn_as_wide_as_their_tags_say(data, write_roads):
    across = [(500_000, 4_999_990), (500_060, 4_999_990)]
    path = [(500_000, 4_999_970), (500_060, 4_999_970)]
    write_roads(
        data / "roads.geojson",
        [(_to_degrees(across), {"width": "6"}), (_to_degrees(path), {"highway": "footway"})],
    )
    (sample,) = read_samples(data)
    rows = (sample.label == 1).nonzero()[0]
    assert sorted(set(rows.tolist())) == [7, 8, 9, 10, 11, 12]
    assert (sample.label == 1).sum() == 6 * 60


def test_one_width_for_all_roads_is_an_option(data, write_roads):
    across = [(500_000, 4_999_990), (500_060, 4_999_990)]
    write_roads(data / "labels" / "a.geojson", [(_to_degrees(across), {"lanes": 4})])
    assert [int((read_samples(data, road_width=width)[0].label == 1).sum()) for width in (None, 2, 10)] == [
        14 * 60,
        2 * 60,
        10 * 60,
    ]


def test_ends_are_round_and_a_pixel_is_road_when_its_centre_is(data, write_roads):
    short = [(500_020, 4_999_980), (500_030, 4_999_980)]
    write_roads(data / "roads.geojson", [(_to_degrees(short), {"width": "8"})])
    (sample,) = read_samples(data)
    rows, cols = np.mgrid[:40, :60] + 0.5
    distance = np.hypot(rows - 20, np.maximum(np.maximum(20 - cols, cols - 30), 0))
    sure = np.abs(distance - 4) > 0.05
    np.testing.assert_array_equal(sample.label[sure], (distance < 4)[sure])


def test_lines_in_another_crs_are_brought_over(data, write_roads):
    across = [(500_000, 4_999_990), (500_060, 4_999_990)]
    there = Transformer.from_crs("EPSG:32631", "EPSG:3857", always_xy=True).transform(*np.transpose(across))
    write_roads(data / "roads.geojson", [(np.column_stack(there).tolist(), {"width": "6"})], crs="EPSG:3857")
    (sample,) = read_samples(data)
    assert (sample.label == 1).sum() == pytest.approx(6 * 60, abs=3)


def test_a_road_is_as_wide_on_a_grid_in_degrees(tmp_path, write_raster, write_roads, picture):
    """Vegas: a step of the grid is 0.30 m north and 0.24 m east, and black is no data."""
    step = 2.7e-6
    image = picture(400, 400).astype(np.uint16) * 9 + 1
    image[:, 300:] = 0
    place = Affine(step, 0, -115.2, 0, -step, 36.2)
    write_raster(
        tmp_path / "PS-RGB" / "SN3_roads_train_AOI_2_Vegas_PS-RGB_img1.tif",
        image,
        crs="EPSG:4326",
        transform=place,
    )
    north_south = [(-115.2 + 200 * step, 36.2), (-115.2 + 200 * step, 36.2 - 400 * step)]
    write_roads(
        tmp_path / "geojson_roads" / "SN3_roads_train_AOI_2_Vegas_geojson_roads_img1.geojson",
        [(north_south, {"lane_number": "2"})],
    )
    (native,) = read_samples(tmp_path, ground_resolution=None)
    (warped,) = read_samples(tmp_path)
    assert native.label.shape == (400, 400)
    assert (native.label[300:] == IGNORE).all()
    assert (native.label[150] == 1).sum() * 0.243 == pytest.approx(7, abs=0.3)
    assert (warped.label[40] == 1).sum() == pytest.approx(7, abs=1)
    assert (warped.label[-20:, 10:-10] == IGNORE).all()
    assert warped.image.dtype == np.uint8


def test_plain_pixels_go_with_lines_in_pixels(tmp_path, write_raster, picture):
    import geopandas as gpd
    import pyogrio
    import shapely

    write_raster(tmp_path / "a.png", picture())
    lines = gpd.GeoDataFrame({"width_m": [4.0]}, geometry=[shapely.LineString([(0, 20), (50, 20)])])
    with pytest.warns(UserWarning, match="crs"):
        pyogrio.write_dataframe(lines, tmp_path / "roads.gpkg", layer="edges")
    (sample,) = read_samples(tmp_path)
    assert sorted(set((sample.label == 1).nonzero()[0].tolist())) == [18, 19, 20, 21]


class TestRefused:
    def test_lines_with_and_images_without_crs(self, tmp_path, write_raster, write_roads, picture):
        write_raster(tmp_path / "a.png", picture())
        write_roads(tmp_path / "roads.geojson", [([(6, 50), (7, 50)], {})])
        with pytest.raises(InputError, match=r"a\.png has no CRS"):
            read_samples(tmp_path)

    def test_roads_of_another_place(self, data, write_roads):
        write_roads(data / "roads.geojson", [([(-80, 50), (-81, 50)], {})])
        with pytest.raises(InputError, match=r"roads\.geojson has no road near .*a\.tif"):
            read_samples(data)

    def test_broken_roads_are_named(self, data, write_roads):
        write_roads(data / "labels" / "a.geojson", [([(6, 50), (float("nan"), 50)], {})])
        with pytest.raises(InputError, match=r"a\.geojson"):
            read_samples(data)


def test_an_image_may_have_no_road_where_it_has_a_file_of_its_own(data, write_roads):
    write_roads(data / "labels" / "a.geojson", [])
    (sample,) = read_samples(data)
    assert (sample.label == 0).all()
    assert list_images(data)["label"][0].name == "a.geojson"
