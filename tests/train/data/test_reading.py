from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from roadlift.errors import InputError, UsageError
from roadlift.imagery import ImagerySource, Window, blank_areas
from roadlift.train.data import (
    IGNORE,
    ReadOptions,
    list_images,
    read_parts,
    read_sample,
    read_samples,
)
from roadlift.train.data.reading import LabelledImage, equal_parts

SHARED = Path(__file__).parents[3].parent / "shared" / "data"


@pytest.fixture
def folder(tmp_path, write_pair, picture):
    mask = np.zeros((40, 50), np.uint8)
    mask[10:15] = 255
    write_pair(tmp_path, "b", picture(), mask)
    write_pair(tmp_path, "a", picture(), mask)
    return tmp_path


def test_a_sample_has_a_stretched_image_and_a_label(folder):
    first, _ = read_samples(folder)
    assert first.name == "a"
    assert first.image.shape == (40, 50, 3)
    assert first.image.max() == 255
    assert first.label[:, 0].tolist() == [0] * 10 + [1] * 5 + [0] * 25
    assert first.valid_share == 1


def test_the_rim_beside_label_edges_is_ignored_on_demand(folder):
    first, _ = read_samples(folder, ignore_rim=1)
    assert first.label[8:17, 0].tolist() == [0, IGNORE, IGNORE, 1, 1, 1, IGNORE, IGNORE, 0]


def test_blank_areas_are_ignored_and_filled(tmp_path, write_pair, picture):
    image = picture()
    image[:, :, :25] = 255
    write_pair(tmp_path, "a", image, np.full((40, 50), 255, np.uint8))
    (sample,) = read_samples(tmp_path)
    assert (sample.label[:, :25] == IGNORE).all()
    assert (sample.label[:, 25:] == 1).all()
    assert (sample.image[:, :25] == 127).all()


def test_where_a_mask_has_no_data_nothing_is_known(tmp_path, write_raster, picture):
    mask = np.zeros((40, 50), np.uint8)
    mask[:, :10], mask[:, 10:20] = 1, 255
    write_raster(tmp_path / "images" / "a.png", picture())
    write_raster(tmp_path / "masks" / "a.tif", mask, nodata=255)
    (sample,) = read_samples(tmp_path)
    assert sample.label[0].tolist() == [1] * 10 + [IGNORE] * 10 + [0] * 30


def test_resampling_to_one_metre_follows_the_image(tmp_path, write_pair, picture):
    mask = np.zeros((40, 50), np.uint8)
    mask[:, 20:30] = 255
    write_pair(tmp_path, "a", picture(), mask)
    sample = read_sample(tmp_path / "images" / "a.png", tmp_path / "masks" / "a.png", gsd=0.5)
    assert sample.label.shape == (20, 25)
    assert (sample.label[5] == 1).nonzero()[0].tolist() == [10, 11, 12, 13, 14]


def test_resampling_of_a_mask_is_the_exact_share_of_road(tmp_path, write_pair, picture):
    mask = np.random.default_rng(1).integers(0, 2, (30, 30)).astype(np.uint8)
    write_pair(tmp_path, "a", picture(30, 30), mask * 255)
    sample = read_sample(tmp_path / "images" / "a.png", tmp_path / "masks" / "a.png", gsd=1 / 3)
    share = mask.reshape(10, 3, 10, 3).mean(axis=(1, 3))
    np.testing.assert_array_equal(sample.label, share > 0.5)


def test_the_threshold_of_smooth_masks_is_128(tmp_path, write_pair, picture):
    mask = np.zeros((40, 50), np.uint8)
    mask[0, :4] = (126, 127, 128, 129)
    write_pair(tmp_path, "a", picture(), mask)
    (sample,) = read_samples(tmp_path)
    assert sample.label[0, :5].tolist() == [0, 0, 1, 1, 0]


def test_georeferenced_images_and_masks_come_onto_the_ground_resolution_asked_for(
    tmp_path, write_raster, picture
):
    mask = np.zeros((40, 60), np.uint8)
    mask[:, 20:40] = 1
    place = {"crs": "EPSG:32631", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)}
    write_raster(tmp_path / "images" / "a.tif", picture(40, 60), **place)
    write_raster(tmp_path / "masks" / "a.tif", mask)
    (at_one_metre,) = read_samples(tmp_path)
    (as_it_is,) = read_samples(tmp_path, ground_resolution=None)
    assert at_one_metre.label.shape == (20, 30)
    assert at_one_metre.label[3].tolist() == [0] * 10 + [1] * 10 + [0] * 10
    assert as_it_is.label.shape == (40, 60)


def test_large_images_become_several_samples_with_one_stretch(tmp_path, write_pair, picture):
    image = picture(50, 90)
    image[:, :, 45:] //= 2
    mask = np.zeros((50, 90), np.uint8)
    mask[20] = 1
    write_pair(tmp_path, "a", image, mask)
    (row,) = list_images(tmp_path).to_dict("records")
    parts = list(read_parts(row, ReadOptions(part_size=45)))
    (whole,) = read_parts(row, ReadOptions())
    assert [part.name for part in parts] == ["a_0_0", "a_0_45", "a_25_0", "a_25_45"]
    rows = [np.hstack([parts[index].image, parts[index + 1].image]) for index in (0, 2)]
    np.testing.assert_array_equal(np.vstack(rows), whole.image)
    np.testing.assert_array_equal(
        np.vstack([np.hstack([parts[i].label, parts[i + 1].label]) for i in (0, 2)]), whole.label
    )


def test_blank_areas_are_found_across_the_border_of_a_window(tmp_path, write_pair, picture):
    image = picture(100, 100)
    image[:, 30:60, 30:60] = 255
    write_pair(tmp_path, "a", image, np.zeros((100, 100), np.uint8))
    (row,) = list_images(tmp_path).to_dict("records")
    with LabelledImage(row, ReadOptions()) as opened:
        _, label = opened.read(Window(0, 0, 31, 31))
    assert label[30, 30] == IGNORE
    assert (label == IGNORE).sum() == 1


@pytest.mark.parametrize("shape", [(10, 10), (11, 10), (1, 5), (23, 7)])
def test_equal_parts_cover_a_raster_once(shape):
    count = np.zeros(shape, int)
    for window in equal_parts(shape, 5):
        assert max(window.shape) <= 5
        count[window.slices] += 1
    assert (count == 1).all()


def test_small_white_things_are_not_blank():
    values = np.zeros((3, 60, 60), np.uint8)
    values[:, 5:15, 5:15] = 255
    values[:, 20:50, 20:50] = 252
    blank = blank_areas(values)
    assert blank.sum() == 900
    assert blank[30, 30]
    assert not blank_areas(values.astype(np.uint16)).any()
    assert blank_areas(values, scale=0.25).sum() == 1000


class TestRefused:
    def test_a_missing_mask_is_named(self, folder):
        (folder / "masks" / "b.png").unlink()
        with pytest.raises(InputError, match=r"'b'.*data inspect"):
            read_samples(folder)

    def test_sizes_must_agree(self, tmp_path, write_pair, picture):
        write_pair(tmp_path, "a", picture(), np.zeros((40, 49), np.uint8))
        with pytest.raises(InputError, match=r"masks/a\.png has \(40, 49\)"):
            read_samples(tmp_path)

    def test_class_numbers_are_no_mask(self, tmp_path, write_pair, picture):
        write_pair(tmp_path, "a", picture(), np.arange(2000, dtype=np.uint8).reshape(40, 50) % 3)
        with pytest.raises(InputError, match=r"masks/a\.png holds values up to 2"):
            read_samples(tmp_path)

    def test_colour_pictures_are_no_mask(self, tmp_path, write_pair, picture):
        mask = np.zeros((3, 40, 50), np.uint8)
        mask[2, :10] = 255
        write_pair(tmp_path, "a", picture(), mask)
        with pytest.raises(InputError, match=r"masks/a\.png is a colour picture"):
            read_samples(tmp_path)

    def test_palettes_with_numbers_of_their_own_are_no_mask(self, tmp_path, write_raster, picture):
        import rasterio

        write_raster(tmp_path / "images" / "a.png", picture())
        path = write_raster(tmp_path / "masks" / "a.tif", np.full((40, 50), 7, np.uint8))
        with rasterio.open(path, "r+") as file:
            file.write_colormap(1, {7: (255, 255, 255, 255)})
        with pytest.raises(InputError, match=r"masks/a\.tif is a palette picture"):
            read_samples(tmp_path)

    def test_cut_files_are_named(self, folder):
        path = folder / "masks" / "a.png"
        path.write_bytes(path.read_bytes()[:60])
        with pytest.raises(InputError, match=r"masks/a\.png"):
            read_samples(folder)

    @pytest.mark.parametrize(
        "options",
        [{"ground_resolution": 0}, {"gsd": -1}, {"road_width": 0}, {"part_size": 0}, {"ignore_rim": -1}],
    )
    def test_options_without_sense(self, options):
        with pytest.raises(UsageError, match=next(iter(options))):
            ReadOptions(**options)


def test_sixteen_bit_masks_of_either_kind_are_masks(tmp_path, write_raster, picture):
    for name, one in (("a", 65535), ("b", 255), ("c", 1)):
        mask = np.zeros((40, 50), np.uint16)
        mask[:5] = one
        write_raster(tmp_path / "images" / f"{name}.png", picture())
        write_raster(tmp_path / "masks" / f"{name}.tif", mask)
    assert [int((sample.label == 1).sum()) for sample in read_samples(tmp_path)] == [250] * 3


def test_a_labelled_image_closes_its_files(folder):
    (row, _) = list_images(folder).to_dict("records")
    with LabelledImage(row, ReadOptions()) as image:
        assert isinstance(image.source, ImagerySource)
    with pytest.raises(Exception, match="closed"):
        image.source.read(Window(0, 0, 2, 2))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled imagery ../shared/data is not here")
def test_real_development_images_have_roads_of_known_share():
    samples = read_samples(SHARED / "massachusetts", "dev")
    assert len(samples) == 47
    share = sum(int((sample.label == 1).sum()) for sample in samples) / sum(
        sample.label.size for sample in samples
    )
    assert share == pytest.approx(0.058, abs=0.002)
