from pathlib import Path

import numpy as np
import pytest
import rasterio

from roadlift.errors import InputError
from roadlift.train.data import IGNORE, blank_areas, find_pairs, read_sample, read_samples

SHARED = Path(__file__).parents[3].parent / "shared" / "data"


def _write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = array if array.ndim == 3 else array[None]
    count, rows, cols = array.shape
    with rasterio.open(path, "w", driver="PNG", count=count, height=rows, width=cols, dtype="uint8") as file:
        file.write(array)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def _pair(folder, stem, image, mask, masks="masks"):
    _write(folder / "images" / f"{stem}.png", image)
    _write(folder / masks / f"{stem}.png", mask)


def _image(rows=40, cols=50):
    return np.random.default_rng(0).integers(0, 200, (3, rows, cols)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path, recwarn):
    mask = np.zeros((40, 50), np.uint8)
    mask[10:15] = 255
    _pair(tmp_path, "b", _image(), mask)
    _pair(tmp_path, "a", _image(), mask)
    recwarn.clear()
    return tmp_path


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
class TestRead:
    def test_pairs_are_listed_by_stem(self, folder):
        table = find_pairs(folder)
        assert table["stem"].tolist() == ["a", "b"]
        assert table.columns.tolist() == ["stem", "image", "mask"]

    def test_a_sample_has_a_stretched_image_and_a_label(self, folder):
        first, _ = read_samples(folder)
        assert first.image.shape == (40, 50, 3)
        assert first.image.max() == 255
        assert first.label[:, 0].tolist() == [0] * 10 + [1] * 5 + [0] * 25
        assert first.valid_share == 1

    def test_blank_areas_are_ignored_and_filled(self, tmp_path):
        image = _image()
        image[:, :, :25] = 255
        _pair(tmp_path, "a", image, np.full((40, 50), 255, np.uint8))
        (sample,) = read_samples(tmp_path)
        assert (sample.label[:, :25] == IGNORE).all()
        assert (sample.label[:, 25:] == 1).all()
        assert (sample.image[:, :25] == 127).all()

    def test_resampling_to_one_metre(self, tmp_path):
        mask = np.zeros((40, 50), np.uint8)
        mask[:, 20:30] = 255
        _pair(tmp_path, "a", _image(), mask)
        sample = read_sample(tmp_path / "images" / "a.png", tmp_path / "masks" / "a.png", gsd=0.5)
        assert sample.label.shape == (20, 25)
        assert (sample.label[5] == 1).nonzero()[0].tolist() == [10, 11, 12, 13, 14]

    def test_missing_mask_is_named(self, folder):
        (folder / "masks" / "b.png").unlink()
        with pytest.raises(InputError, match="'b'"):
            find_pairs(folder)

    def test_sizes_must_agree(self, tmp_path):
        _pair(tmp_path, "a", _image(), np.zeros((40, 49), np.uint8))
        with pytest.raises(InputError, match=r"\(40, 49\)"):
            read_samples(tmp_path)

    def test_missing_folder_says_what_is_expected(self, tmp_path):
        with pytest.raises(InputError, match=r"images/ and masks in masks/"):
            find_pairs(tmp_path)

    def test_empty_folder_says_which_files_are_read(self, tmp_path):
        (tmp_path / "images").mkdir()
        (tmp_path / "masks").mkdir()
        with pytest.raises(InputError, match=r"\.png"):
            find_pairs(tmp_path)


def test_small_white_things_are_not_blank():
    values = np.zeros((3, 60, 60), np.uint8)
    values[:, 5:15, 5:15] = 255
    values[:, 20:50, 20:50] = 252
    blank = blank_areas(values)
    assert blank.sum() == 900
    assert blank[30, 30]
    assert not blank_areas(values.astype(np.uint16)).any()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled imagery ../shared/data is not here")
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_real_development_images_have_roads_of_known_share():
    samples = read_samples(SHARED / "massachusetts" / "dev")
    assert len(samples) == 47
    share = sum(int((sample.label == 1).sum()) for sample in samples) / sum(
        sample.label.size for sample in samples
    )
    assert share == pytest.approx(0.058, abs=0.002)
