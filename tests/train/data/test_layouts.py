import json

import numpy as np
import pytest

from roadlift.errors import InputError, UsageError
from roadlift.train.data import LAYOUTS, list_images
from roadlift.train.data.layouts import COLUMNS, layout_of


def _touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def _rows(table):
    return [
        (row.split, row.name_, row.image and row.image.name, row.label and row.label.name)
        for row in table.rename(columns={"name": "name_"}).itertuples()
    ]


class TestRecognised:
    def test_own_folders_with_and_without_splits(self, tmp_path):
        _touch(
            tmp_path,
            "one/images/b.tif",
            "one/images/a.jpg",
            "one/masks/a.png",
            "one/masks/b.tif",
            "one/masks/x.txt",
        )
        _touch(
            tmp_path,
            "two/train/images/a.jpg",
            "two/train/labels/a.geojson",
            "two/val/images/c.jpg",
            "two/val/labels/c.gpkg",
        )
        assert layout_of(tmp_path / "one") == "folders"
        assert _rows(list_images(tmp_path / "one")) == [
            ("", "a", "a.jpg", "a.png"),
            ("", "b", "b.tif", "b.tif"),
        ]
        assert _rows(list_images(tmp_path / "two")) == [
            ("dev", "c", "c.jpg", "c.gpkg"),
            ("train", "a", "a.jpg", "a.geojson"),
        ]

    def test_own_folders_with_one_file_of_roads(self, tmp_path):
        _touch(tmp_path, "train/images/a.tif", "dev/images/b.tif", "dev/mine.gpkg", "region.osm.pbf")
        assert _rows(list_images(tmp_path)) == [
            ("dev", "b", "b.tif", "mine.gpkg"),
            ("train", "a", "a.tif", "region.osm.pbf"),
        ]

    def test_massachusetts_as_it_is_published(self, tmp_path):
        _touch(tmp_path, "train/sat/1_15.tiff", "train/map/1_15.tif", "val/sat/2_15.tiff", "val/map/2_15.tif")
        table = list_images(tmp_path)
        assert layout_of(tmp_path) == "massachusetts"
        assert _rows(table) == [
            ("dev", "2_15", "2_15.tiff", "2_15.tif"),
            ("train", "1_15", "1_15.tiff", "1_15.tif"),
        ]
        assert table["gsd_m"].tolist() == [1, 1]

    def test_massachusetts_of_kaggle(self, tmp_path):
        _touch(
            tmp_path,
            "tiff/train/1.tiff",
            "tiff/train_labels/1.tif",
            "tiff/val/2.tiff",
            "tiff/val_labels/2.tif",
        )
        _touch(tmp_path, "label_class_dict.csv", "metadata.csv")
        assert layout_of(tmp_path) == layout_of(tmp_path / "tiff") == "massachusetts-kaggle"
        assert _rows(list_images(tmp_path)) == [
            ("dev", "2", "2.tiff", "2.tif"),
            ("train", "1", "1.tiff", "1.tif"),
        ]

    def test_deepglobe(self, tmp_path):
        _touch(tmp_path, "train/12_sat.jpg", "train/12_mask.png", "valid/7_sat.jpg")
        table = list_images(tmp_path)
        assert layout_of(tmp_path) == layout_of(tmp_path / "train") == "deepglobe"
        assert _rows(table) == [("dev", "7", "7_sat.jpg", None), ("train", "12", "12_sat.jpg", "12_mask.png")]
        assert table["gsd_m"].tolist() == [0.5, 0.5]

    def test_spacenet_three_and_five(self, tmp_path):
        three, five = "SN3_roads_train_AOI_2_Vegas", "SN5_roads_train_AOI_7_Moscow"
        _touch(
            tmp_path,
            f"AOI_2_Vegas/PS-RGB/{three}_PS-RGB_img12.tif",
            f"AOI_2_Vegas/PS-MS/{three}_PS-MS_img12.tif",
            f"AOI_2_Vegas/geojson_roads/{three}_geojson_roads_img12.geojson",
            f"AOI_7_Moscow/PS-RGB/{five}_PS-RGB_chip3.tif",
            f"AOI_7_Moscow/geojson_roads_speed/{five}_geojson_roads_speed_chip3.geojson",
            "AOI_9_Paris/RGB-PanSharpen/RGB-PanSharpen_AOI_9_Paris_img5.tif",
            "AOI_9_Paris/geojson/spacenetroads/spacenetroads_AOI_9_Paris_img5.geojson",
            "SN3_roads_test_public_AOI_2_Vegas/PS-RGB/SN3_roads_test_public_AOI_2_Vegas_PS-RGB_img99.tif",
        )
        table = list_images(tmp_path)
        assert layout_of(tmp_path) == "spacenet"
        assert _rows(table) == [
            ("test", "AOI_2_Vegas_img99", "SN3_roads_test_public_AOI_2_Vegas_PS-RGB_img99.tif", None),
            (
                "train",
                "AOI_2_Vegas_img12",
                f"{three}_PS-RGB_img12.tif",
                f"{three}_geojson_roads_img12.geojson",
            ),
            (
                "train",
                "AOI_7_Moscow_chip3",
                f"{five}_PS-RGB_chip3.tif",
                f"{five}_geojson_roads_speed_chip3.geojson",
            ),
            (
                "train",
                "AOI_9_Paris_img5",
                "RGB-PanSharpen_AOI_9_Paris_img5.tif",
                "spacenetroads_AOI_9_Paris_img5.geojson",
            ),
        ]
        assert table["nodata"].tolist() == [0] * 4

    def test_images_beside_a_file_of_roads(self, tmp_path):
        _touch(tmp_path, "north.tif", "south.tif", "roads.gpkg")
        assert layout_of(tmp_path) == "vector"
        assert [row[3] for row in _rows(list_images(tmp_path))] == ["roads.gpkg"] * 2

    def test_roads_that_are_named_serve_any_images(self, tmp_path):
        _touch(tmp_path, "images/a.tif", "masks/a.tif", "b.tif", "osm/region.osm.pbf")
        roads = tmp_path / "osm" / "region.osm.pbf"
        assert _rows(list_images(tmp_path, roads=roads)) == [("", "a", "a.tif", "region.osm.pbf")]
        assert _rows(list_images(tmp_path / "b.tif", roads=roads)) == [("", "b", "b.tif", "region.osm.pbf")]


def test_a_manifest_tells_the_ground_resolution(tmp_path):
    _touch(tmp_path, "japan/images/a.jpg", "japan/masks/a.png", "japan/images/b.jpg", "japan/masks/b.png")
    (tmp_path / "manifest.csv").write_text("image,gsd_m,note\njapan/images/a.jpg,0.4,x\n")
    for data in (tmp_path, tmp_path / "japan"):
        known = list_images(data)["gsd_m"]
        assert known[0] == 0.4
        assert np.isnan(known[1])


def test_counterparts_that_are_missing_are_none(tmp_path):
    _touch(tmp_path, "images/a.jpg", "masks/b.png")
    table = list_images(tmp_path)
    assert tuple(table.columns) == COLUMNS
    assert _rows(table) == [("", "a", "a.jpg", None), ("", "b", None, "b.png")]


def test_splits_are_chosen_by_either_name(tmp_path):
    _touch(tmp_path, "train/images/a.jpg", "train/masks/a.png", "valid/images/b.jpg", "valid/masks/b.png")
    assert (
        list_images(tmp_path, "dev")["name"].tolist()
        == list_images(tmp_path, "val")["name"].tolist()
        == ["b"]
    )
    with pytest.raises(InputError, match=r"no split 'test' \(splits: dev, train\).*data prepare"):
        list_images(tmp_path, "test")


class TestRefused:
    def test_a_folder_of_another_kind_is_told_what_is_known(self, tmp_path):
        with pytest.raises(InputError, match=r"images/ and masks in masks/") as error:
            list_images(tmp_path)
        assert all(layout.name in str(error.value) for layout in LAYOUTS)

    def test_another_layout_than_the_one_named(self, tmp_path):
        _touch(tmp_path, "images/a.jpg", "masks/a.png")
        with pytest.raises(InputError, match="the layout spacenet"):
            list_images(tmp_path, layout="spacenet")
        with pytest.raises(UsageError, match=r"'voc'; known are massachusetts"):
            list_images(tmp_path, layout="voc")

    def test_empty_folders_say_which_files_are_read(self, tmp_path):
        (tmp_path / "images").mkdir()
        (tmp_path / "masks").mkdir()
        with pytest.raises(InputError, match=r"\.png"):
            list_images(tmp_path)

    def test_no_folder_at_all(self, tmp_path):
        with pytest.raises(InputError, match="not a folder"):
            list_images(tmp_path / "nowhere")
        with pytest.raises(InputError, match="does not exist"):
            list_images(tmp_path / "nowhere", roads="roads.gpkg")

    def test_two_files_of_one_name(self, tmp_path):
        _touch(tmp_path, "images/a.jpg", "images/a.png", "masks/a.png")
        with pytest.raises(InputError, match=r"a\.jpg and .*a\.png have the same name"):
            list_images(tmp_path)

    def test_several_files_of_roads(self, tmp_path):
        _touch(tmp_path, "images/a.tif", "old.gpkg", "new.gpkg")
        with pytest.raises(InputError, match=r"new\.gpkg, old\.gpkg.*--roads"):
            list_images(tmp_path)

    def test_roads_of_another_kind(self, tmp_path):
        with pytest.raises(InputError, match=r"roads\.shp is not a file of roads"):
            list_images(tmp_path, roads=tmp_path / "roads.shp")

    def test_a_broken_manifest(self, tmp_path):
        _touch(tmp_path, "images/a.jpg", "masks/a.png")
        (tmp_path / "manifest.csv").write_bytes(b"\xff\xfe\x00bad")
        with pytest.raises(InputError, match=r"manifest\.csv"):
            list_images(tmp_path)


def test_the_table_goes_to_json(tmp_path):
    _touch(tmp_path, "images/a.jpg", "masks/b.png")
    assert json.loads(list_images(tmp_path).astype(str).to_json(orient="records"))[0]["name"] == "a"
