import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from roadlift.errors import InputError, OutputError, RoadliftError, UsageError
from roadlift.train.data import choose_splits, inspect_data, list_images, prepare_data, read_samples


def _state(folder):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def county(tmp_path, write_raster, write_roads, picture):
    """A georeferenced 16-bit image of 200 x 300 pixels at 0.5 m beside a file of roads."""
    image = picture(200, 300).astype(np.uint16) * 200
    image[:, :20, :20] = 0
    folder = tmp_path / "county"
    place = {"crs": "EPSG:32631", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)}
    write_raster(folder / "north.tif", image, nodata=0, **place)
    roads = [([(500_000, 4_999_950), (500_150, 4_999_950)], {"width": "8"})]
    write_roads(folder / "roads.geojson", roads, crs="EPSG:32631")
    return folder


class TestWritten:
    def test_tiles_keep_type_place_and_validity(self, county, tmp_path):
        before = _state(county)
        done = prepare_data(
            county, tmp_path / "out", tile_size=50, block_m=30, shares={"train": 0.5, "dev": 0.5}
        )
        assert _state(county) == before
        assert len(done.manifest) == 6
        assert set(done.manifest["split"]) == {"train", "dev"}
        assert (done.manifest[["rows", "cols", "gsd_m"]] == [50, 50, 1]).all(axis=None)
        first = done.manifest.set_index(["row", "col"]).loc[(0, 0)]
        with (
            rasterio.open(tmp_path / "out" / first["image"]) as image,
            rasterio.open(tmp_path / "out" / first["label"]) as mask,
        ):
            assert image.dtypes == ("uint16",) * 3
            assert image.transform == mask.transform == Affine(1, 0, 500_000, 0, -1, 5_000_000)
            assert image.crs.to_epsg() == 32631
            assert (image.dataset_mask()[:9, :9] == 0).all()
            assert image.dataset_mask()[11:, 11:].all()
            label = mask.read(1)
            assert (label[:9, :9] == 255).all()
            assert label[40:, 20].tolist() == [0] * 6 + [1] * 4
        assert (
            pd.read_csv(tmp_path / "out" / "manifest.csv")["image"].tolist()
            == done.manifest["image"].tolist()
        )

    def test_what_was_written_is_a_sound_data_set(self, county, tmp_path):
        prepare_data(county, tmp_path / "out", tile_size=50, block_m=30, shares={"train": 0.5, "dev": 0.5})
        assert set(list_images(tmp_path / "out")["split"]) == {"train", "dev"}
        samples = [*read_samples(tmp_path / "out", "train"), *read_samples(tmp_path / "out", "dev")]
        (whole,) = read_samples(county)
        assert (
            sum(int((sample.label == 1).sum()) for sample in samples) == (whole.label == 1).sum() == 8 * 150
        )
        found = inspect_data(tmp_path / "out")
        assert found.problems.empty
        assert set(found.images["ground_resolution_m"].round(3)) == {1}

    def test_splits_that_are_there_are_kept(self, tmp_path, write_pair, picture):
        for split in ("train", "val"):
            write_pair(tmp_path / "in" / split, "a", picture(), np.zeros((40, 50), np.uint8))
        done = prepare_data(tmp_path / "in", tmp_path / "out", tile_size=25)
        assert done.manifest.groupby("split").size().to_dict() == {"dev": 4, "train": 4}
        assert done.manifest["image"][0] == "dev/images/dev_a_0_0.tif"

    def test_new_splits_keep_the_tiles_of_a_plain_image_together(self, tmp_path, write_pair, picture):
        for number in range(10):
            write_pair(tmp_path / "in", f"{number}", picture(), np.zeros((40, 50), np.uint8))
        done = prepare_data(tmp_path / "in", tmp_path / "out", tile_size=25)
        assert done.manifest.groupby("split").size().to_dict() == {"dev": 4, "test": 4, "train": 32}
        assert (done.manifest.groupby("source")["split"].nunique() == 1).all()
        again = prepare_data(tmp_path / "in", tmp_path / "again", tile_size=25)
        other = prepare_data(tmp_path / "in", tmp_path / "other", tile_size=25, seed=1)
        assert again.manifest.equals(done.manifest)
        assert not other.manifest.equals(done.manifest)

    def test_plain_images_are_resampled_where_their_resolution_is_told(self, tmp_path, write_pair, picture):
        for number in range(3):
            write_pair(tmp_path / "in", f"{number}", picture(), np.zeros((40, 50), np.uint8))
        done = prepare_data(tmp_path / "in", tmp_path / "out", gsd=0.5, ground_resolution=2)
        assert done.manifest[["rows", "cols", "gsd_m"]].to_numpy().tolist() == [[10, 12, 2]] * 3
        assert inspect_data(tmp_path / "out").images["ground_resolution_m"].tolist() == [2] * 3
        kept = prepare_data(tmp_path / "in", tmp_path / "kept", ground_resolution=None)
        assert kept.manifest["rows"].tolist() == [40] * 3
        assert kept.manifest["gsd_m"].isna().all()

    def test_what_cannot_be_used_is_left_out_and_named(self, tmp_path, write_pair, write_raster, picture):
        for number in range(3):
            write_pair(tmp_path / "in", f"{number}", picture(), np.zeros((40, 50), np.uint8))
        write_pair(tmp_path / "in", "white", picture() * 0 + 255, np.zeros((40, 50), np.uint8))
        write_raster(tmp_path / "in" / "images" / "lonely.png", picture())
        done = prepare_data(tmp_path / "in", tmp_path / "out")
        reasons = {Path(row.file).name: row.reason for row in done.left_out.itertuples()}
        assert reasons == {
            "lonely.png": "has no label",
            "white.png": "tile white: blank, or nothing is known of it",
        }

    def test_tiles_of_images_that_overlap_are_not_in_two_splits(self, tmp_path, write_raster, picture):
        for number in range(4):
            place = {"crs": "EPSG:32631", "transform": Affine(1, 0, 500_000 + 30 * number, 0, -1, 5_000_000)}
            write_raster(tmp_path / "in" / "images" / f"{number}.tif", picture(50, 50, seed=number), **place)
            write_raster(tmp_path / "in" / "masks" / f"{number}.tif", np.zeros((50, 50), np.uint8))
        done = prepare_data(tmp_path / "in", tmp_path / "out", block_m=20, shares={"train": 0.5, "dev": 0.5})
        assert len(done.manifest) + len(done.left_out) == 4
        assert len(done.left_out)
        assert inspect_data(tmp_path / "out").problems.empty


class TestRefused:
    def test_an_existing_folder_and_one_within_the_data(self, county, tmp_path):
        with pytest.raises(OutputError, match="exists"):
            prepare_data(county, tmp_path)
        with pytest.raises(OutputError, match="lies within"):
            prepare_data(county, county / "out")

    def test_a_broken_file_leaves_nothing_behind(self, tmp_path, write_pair, picture):
        for number in range(3):
            write_pair(tmp_path / "in", f"{number}", picture(), np.zeros((40, 50), np.uint8))
        path = tmp_path / "in" / "masks" / "2.png"
        path.write_bytes(path.read_bytes()[:60])
        with pytest.raises(InputError, match=r"masks/2\.png"):
            prepare_data(tmp_path / "in", tmp_path / "out")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]

    def test_too_few_places(self, county, tmp_path):
        with pytest.raises(InputError, match="1 places for 3 splits"):
            prepare_data(county, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        "options",
        [
            {"block_m": 0},
            {"tile_size": 0},
            {"shares": {"train": 0.5}},
            {"shares": {"train": 1.5, "dev": -0.5}},
        ],
    )
    def test_options_without_sense(self, county, tmp_path, options):
        with pytest.raises(UsageError):
            prepare_data(county, tmp_path / "out", **options)

    def test_images_without_labels(self, tmp_path, write_raster, picture):
        write_raster(tmp_path / "in" / "1_sat.jpg", picture())
        with pytest.raises(InputError, match="None of the 1 files"):
            prepare_data(tmp_path / "in", tmp_path / "out")


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 9)), min_size=1, max_size=40),
    st.sampled_from([{"train": 1.0}, {"train": 0.9, "dev": 0.1}, {"train": 0.8, "dev": 0.1, "test": 0.1}]),
    st.integers(0, 3),
)
def test_a_place_lies_in_one_split_and_no_split_is_empty(things, shares, seed):
    places, sizes = zip(*things, strict=True)
    try:
        splits = choose_splits(places, sizes, shares, seed=seed)
    except RoadliftError:
        assert len(set(places)) < len(shares)
        return
    assert set(splits) == set(shares)
    assert len(set(zip(places, splits, strict=True))) == len(set(places))
    order = np.random.default_rng(0).permutation(len(things))
    moved = choose_splits([places[i] for i in order], [sizes[i] for i in order], shares, seed=seed)
    assert moved == [splits[i] for i in order]


def test_shares_are_met_when_places_are_many():
    splits = pd.Series(
        choose_splits([str(n) for n in range(1000)], [1] * 1000, {"train": 0.8, "dev": 0.1, "test": 0.1})
    )
    assert splits.value_counts().to_dict() == {"train": 800, "dev": 100, "test": 100}
