"""What the writers promise beyond the plain way: no trace before the start, no silent loss, rasters without georeference."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from roadlift.errors import InputError, OutputError
from roadlift.imagery import Georef, MaskWriter, ProbabilityWriter, Window, read_probability

PIXELS = Georef(None, Affine.identity())


def _noise(rows, cols):
    return np.random.default_rng(0).integers(0, 255, (rows, cols)).astype(np.uint8)


def test_a_writer_that_is_never_entered_leaves_no_trace(tmp_path):
    ProbabilityWriter(tmp_path / "p.tif", (10, 10), PIXELS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("georef", [PIXELS, Georef(None, Affine.scale(2.0))], ids=["pixels", "scaled"])
@pytest.mark.parametrize("writer", [ProbabilityWriter, MaskWriter])
def test_rasters_without_crs(tmp_path, georef, writer):
    with writer(tmp_path / "p.tif", (70, 50), georef) as target:
        target.write(Window(0, 0, 70, 50), np.ones((70, 50), np.uint8))
    values, found = read_probability(tmp_path / "p.tif")
    assert found == georef
    assert (values == (1 if writer is ProbabilityWriter else 254)).all()


def test_what_was_never_written_is_no_data(tmp_path):
    with ProbabilityWriter(tmp_path / "p.tif", (600, 600), PIXELS) as target:
        target.write(Window(0, 0, 100, 100), np.zeros((100, 100), np.uint8))
    values, _ = read_probability(tmp_path / "p.tif")
    assert (values == 0).sum() == 100 * 100
    assert (values == 255).sum() == 600 * 600 - 100 * 100


def test_a_loss_that_nobody_reported_is_noticed(tmp_path):
    def lose():
        with ProbabilityWriter(tmp_path / "p.tif", (64, 64), PIXELS) as target:
            target.write(Window(0, 0, 64, 64), _noise(64, 64))
            target._dataset.close()
            with rasterio.open(next(tmp_path.glob("*/plain.tif")), "r+") as file:
                file.write(np.zeros((1, 64, 64), np.uint8))

    with pytest.raises(OutputError, match="read back"):
        lose()
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "other.tif").write_bytes(b"precious")
    (tmp_path / "p.tif").symlink_to(tmp_path / "other.tif")
    with ProbabilityWriter(tmp_path / "p.tif", (10, 10), PIXELS, overwrite=True) as target:
        target.write(Window(0, 0, 10, 10), _noise(10, 10))
    assert (tmp_path / "other.tif").read_bytes() == b"precious"
    assert not (tmp_path / "p.tif").is_symlink()


def test_names_with_blanks_and_umlauts(tmp_path):
    path = tmp_path / "Straßen 100 %.tif"
    with ProbabilityWriter(path, (10, 10), PIXELS) as target:
        target.write(Window(0, 0, 10, 10), _noise(10, 10))
    np.testing.assert_array_equal(read_probability(path)[0], _noise(10, 10))


def test_a_folder_that_vanishes(tmp_path):
    (tmp_path / "out").mkdir()
    writer = ProbabilityWriter(tmp_path / "out/p.tif", (10, 10), PIXELS)
    (tmp_path / "out").rmdir()
    with pytest.raises(OutputError, match="cannot be written to"), writer:
        pass


class TestOtherTools:
    def test_floats_with_a_nodata_value(self, raster):
        path = raster(np.array([[0.0, 0.5, -9999.0]], np.float32), nodata=-9999)
        assert read_probability(path)[0].tolist() == [[0, 127, 255]]

    def test_nothing_but_not_a_number(self, raster):
        assert read_probability(raster(np.full((2, 2), np.nan, np.float32)))[0].tolist() == [[255, 255]] * 2

    def test_a_mask_of_0_and_255_in_another_type(self, raster):
        assert read_probability(raster(np.array([[0, 255]], np.int16)))[0].tolist() == [[0, 254]]

    def test_a_png(self, raster):
        assert read_probability(raster(np.array([[0, 255]], np.uint8), "m.png"))[0].tolist() == [[0, 254]]

    def test_negative_floats(self, raster):
        with pytest.raises(InputError, match=r"from -0\.5 to 1"):
            read_probability(raster(np.array([[-0.5, 1.0]], np.float32)))

    def test_a_damaged_one(self, raster):
        path = raster(_noise(512, 512), compress="deflate", tiled=True, blockxsize=128, blockysize=128)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] + bytes(len(content) // 2))
        with pytest.raises(InputError, match="damaged"):
            read_probability(path)
