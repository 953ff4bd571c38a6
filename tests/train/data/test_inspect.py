import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from affine import Affine

from roadlift.errors import InputError, OutputError
from roadlift.scene import render
from roadlift.train.data import draw_sheet, inspect_data
from roadlift.train.data.inspect import MEASURES, PROBLEM_COLUMNS

SHARED = Path(__file__).parents[3].parent / "shared" / "data"


@pytest.fixture(scope="module")
def town():
    """An image uint8 (3, 480, 480) with things to recognise, and its mask."""
    scene = render(3, shape=(480, 480))
    return np.moveaxis(scene.image, 2, 0), scene.label() * np.uint8(255)


def _problems(found):
    return [(row.problem, row.split, Path(row.file).name) for row in found.problems.itertuples()]


def test_a_sound_data_set_is_measured(tmp_path, write_pair, picture):
    mask = np.zeros((40, 50), np.uint8)
    mask[:10] = 255
    image = picture()
    image[:, 20:] = 255
    write_pair(tmp_path / "train", "a", image, mask)
    write_pair(tmp_path / "dev", "b", picture(30, 60, seed=1), np.zeros((30, 60), np.uint8))
    found = inspect_data(tmp_path, gsd=0.5)
    table = found.images.set_index("name")
    assert found.layout == "folders"
    assert table.loc["a", list(MEASURES)].tolist() == [40, 50, "uint8", None, 0.5, 0.5, 0.5]
    assert table.loc["b", ["rows", "cols", "blank_share", "road_share"]].tolist() == [30, 60, 0, 0]
    assert found.problems.empty
    assert tuple(found.problems.columns) == PROBLEM_COLUMNS
    splits = found.splits()
    assert splits["images"].to_dict() == {"dev": 1, "train": 1}
    assert splits.loc["train", ["blank_share", "road_share", "problems"]].tolist() == [0.5, 0.5, 0]


def test_every_problem_is_named_with_its_file(tmp_path, write_pair, write_raster, picture):
    none = np.zeros((40, 50), np.uint8)
    write_pair(tmp_path, "fits", picture(seed=1), none)
    write_pair(tmp_path, "narrow", picture(seed=2), none[:, 1:])
    write_pair(tmp_path, "inverted", picture(seed=3), none + 255)
    write_pair(tmp_path, "white", picture(seed=4) * 0 + 255, none)
    write_pair(tmp_path, "cut", picture(seed=5), none)
    write_pair(tmp_path, "classes", picture(seed=6), none + 3)
    write_raster(tmp_path / "images" / "lonely.png", picture(seed=7))
    write_raster(tmp_path / "masks" / "left.png", none)
    cut = tmp_path / "images" / "cut.png"
    cut.write_bytes(cut.read_bytes()[:700])
    found = inspect_data(tmp_path)
    assert sorted(_problems(found)) == [
        ("all blank", "", "white.png"),
        ("cannot be read", "", "cut.png"),
        ("label does not fit", "", "classes.png"),
        ("label does not fit", "", "narrow.png"),
        ("mostly road", "", "inverted.png"),
        ("no image", "", "left.png"),
        ("no label", "", "lonely.png"),
    ]
    assert found.splits()["problems"].sum() == 7
    assert np.isnan(found.images.set_index("name")["road_share"]["narrow"])
    assert "(40, 49)" in found.problems.set_index("problem")["detail"]["label does not fit"].iloc[-1]


def test_the_same_image_twice_is_found_also_when_it_was_saved_anew(tmp_path, write_pair, write_raster, town):
    image, mask = town
    write_pair(tmp_path, "a", image, mask)
    write_pair(tmp_path, "b", image, mask)
    write_raster(tmp_path / "images" / "c.jpg", image, quality=60)
    write_raster(tmp_path / "masks" / "c.png", mask)
    write_pair(tmp_path, "d", image[:, ::-1], mask[::-1])
    found = inspect_data(tmp_path)
    assert _problems(found) == [
        ("duplicate", "", "a.png"),
        ("duplicate", "", "a.png"),
        ("duplicate", "", "b.png"),
    ]
    assert [detail.rpartition("/")[0].rpartition(" /")[0] for detail in found.problems["detail"]] == [
        "is the same file as",
        "looks the same as",
        "looks the same as",
    ]


def test_a_part_of_a_training_image_in_another_split_is_a_leak(tmp_path, write_pair, write_raster, town):
    image, mask = town
    other = render(8, shape=(480, 480))
    write_pair(tmp_path / "train", "a", image, mask)
    write_pair(tmp_path / "train", "b", np.moveaxis(other.image, 2, 0), mask)
    write_raster(tmp_path / "dev" / "images" / "part.jpg", image[:, 37:290, 61:320], quality=70)
    write_raster(tmp_path / "dev" / "masks" / "part.png", mask[37:290, 61:320])
    found = inspect_data(tmp_path)
    assert _problems(found) == [("leak between splits", "dev", "part.jpg")]
    assert found.problems["detail"][0].endswith("train/images/a.png of split 'train'")


def test_georeferenced_images_of_two_splits_must_not_overlap(tmp_path, write_raster, picture):
    for split, left, seed in (("train", 0, 1), ("train", 25, 2), ("dev", 50, 3), ("dev", 45, 4)):
        place = {"crs": "EPSG:32631", "transform": Affine(1, 0, 500_000 + left, 0, -1, 5_000_000)}
        write_raster(tmp_path / split / "images" / f"{left}.tif", picture(40, 50, seed=seed), **place)
        write_raster(tmp_path / split / "masks" / f"{left}.tif", np.zeros((40, 50), np.uint8))
    found = inspect_data(tmp_path)
    leaks = [
        (Path(row.file).stem, row.detail.split(" with ")[0], Path(row.detail.split()[-4]).stem)
        for row in found.problems.itertuples()
    ]
    assert sorted(leaks) == [
        ("45", "shares 10% of its ground", "0"),
        ("45", "shares 60% of its ground", "25"),
        ("50", "shares 50% of its ground", "25"),
    ]
    assert found.images["crs"].unique().tolist() == ["EPSG:32631"]


def test_too_many_pairs_are_not_searched_and_that_is_said(tmp_path, write_pair, picture, monkeypatch):
    monkeypatch.setattr("roadlift.train.data.inspect._SEARCH_BUDGET", 0)
    for split in ("train", "dev"):
        write_pair(tmp_path / split, split, picture(seed=len(split)), np.zeros((40, 50), np.uint8))
    monkeypatch.setattr("roadlift.train.data.inspect._MIN_SIDE", 1)
    (note,) = inspect_data(tmp_path).notes
    assert "1 pairs of images" in note


def test_images_too_small_to_be_recognised_are_told(tmp_path, write_pair, picture):
    for split in ("train", "dev"):
        write_pair(tmp_path / split, split, picture(seed=len(split)), np.zeros((40, 50), np.uint8))
    (note,) = inspect_data(tmp_path).notes
    assert "2 images are smaller than 240 m" in note


def test_the_json_has_tables_notes_and_nulls(tmp_path, write_pair, picture):
    write_pair(tmp_path, "a", picture(), np.zeros((40, 49), np.uint8))
    told = json.loads(inspect_data(tmp_path).to_json())
    assert set(told) == {"data", "layout", "notes", "images", "problems", "splits"}
    assert told["images"][0]["road_share"] is None
    assert told["problems"][0]["file"].endswith("masks/a.png")


def test_large_images_are_measured_in_parts(tmp_path, write_pair, picture, monkeypatch):
    image, mask = picture(90, 90), np.zeros((90, 90), np.uint8)
    mask[:, 60:] = 255
    write_pair(tmp_path, "a", image, mask)
    whole = inspect_data(tmp_path)
    monkeypatch.setattr("roadlift.train.data.inspect._PART_SIZE", 40)
    parts = inspect_data(tmp_path)
    assert parts.images["road_share"][0] == whole.images["road_share"][0] == pytest.approx(1 / 3)
    assert parts.pictures[0].pixels.shape == whole.pictures[0].pixels.shape


class TestSheet:
    def test_problems_come_first_and_every_image_is_shown(self, tmp_path, write_pair, picture, town):
        write_pair(tmp_path / "data", "town", *town)
        for number in range(8):
            write_pair(
                tmp_path / "data",
                f"{number}",
                picture(seed=number),
                np.zeros((40, 50 - number // 7), np.uint8),
            )
        found = inspect_data(tmp_path / "data")
        path = draw_sheet(found, tmp_path / "sheet.png")
        sheet = cv2.imread(str(path))
        red = (np.abs(sheet.astype(int) - (0x1F, 0x12, 0xC1)).max(axis=2) < 3).nonzero()
        assert red[0].size > 500
        assert red[0].max() < sheet.shape[0] / 2
        assert red[1].max() < sheet.shape[1] / 2
        with pytest.raises(OutputError, match=r"sheet\.png"):
            draw_sheet(found, path)

    def test_of_many_images_some_of_all_are_shown(self, tmp_path, write_pair, picture):
        for number in range(6):
            write_pair(tmp_path, f"{number}", picture(20, 20, seed=number), np.zeros((20, 20), np.uint8))
        small = draw_sheet(inspect_data(tmp_path), tmp_path / "small.png", most=2)
        large = draw_sheet(inspect_data(tmp_path), tmp_path / "large.png")
        assert cv2.imread(str(small)).shape[0] < cv2.imread(str(large)).shape[0]

    def test_nothing_to_draw_is_an_error(self, tmp_path, write_raster):
        write_raster(tmp_path / "masks" / "a.png", np.zeros((20, 20), np.uint8))
        (tmp_path / "images").mkdir()
        with pytest.raises(InputError, match="nothing to draw"):
            draw_sheet(inspect_data(tmp_path), tmp_path / "sheet.png")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled imagery ../shared/data is not here")
def test_real_images_from_elsewhere_are_sound_and_of_known_resolution():
    found = inspect_data(SHARED / "elsewhere" / "gsi_japan_roads")
    assert found.problems.empty
    assert set(found.images["ground_resolution_m"]) == {0.4}
    assert found.splits()["road_share"].iloc[0] == pytest.approx(0.114, abs=0.002)
