import subprocess
import sys

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rio_cogeo.cogeo import cog_validate

from roadlift.errors import InputError, OutputError
from roadlift.imagery import Georef, MaskWriter, ProbabilityWriter, Window, read_probability

GEOREF = Georef(CRS.from_epsg(32619), Affine(1.0, 0.0, 300_000.0, 0.0, -1.0, 4_700_000.0))


def _write(writer_type, path, array, step=300, **options):
    rows, cols = array.shape
    with writer_type(path, array.shape, GEOREF, **options) as writer:
        for row in reversed(range(0, rows, step)):
            for col in range(0, cols, step):
                window = Window(row, col, step, step).clip(array.shape)
                writer.write(window, array[window.slices])


@pytest.fixture
def probability():
    return np.random.default_rng(0).integers(0, 256, (1100, 900)).astype(np.uint8)


def test_a_probability_comes_back_as_a_cloud_optimised_geotiff(tmp_path, probability):
    path = tmp_path / "p.tif"
    _write(ProbabilityWriter, path, probability)
    array, georef = read_probability(path)
    np.testing.assert_array_equal(array, probability)
    assert georef == GEOREF
    valid, errors, warnings = cog_validate(path)
    assert (valid, errors, warnings) == (True, [], [])
    with rasterio.open(path) as file:
        assert file.nodata == 255
        assert file.overviews(1)
    assert [file.name for file in tmp_path.iterdir()] == ["p.tif"]


def test_a_mask_has_colours(tmp_path):
    mask = np.zeros((600, 600), np.uint8)
    mask[:, 200:300], mask[:, 500:] = 1, 255
    path = tmp_path / "m.tif"
    _write(MaskWriter, path, mask)
    assert cog_validate(path)[0]
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), mask)
        assert file.colormap(1)[1][:3] == (230, 85, 13)
        assert set(np.unique(file.read(1, out_shape=(300, 300)))) == {0, 1, 255}
    assert np.unique(read_probability(path)[0]).tolist() == [0, 254, 255]


def test_an_existing_file_is_replaced_only_when_allowed(tmp_path, probability):
    path = tmp_path / "p.tif"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists"):
        ProbabilityWriter(path, probability.shape, GEOREF)
    _write(ProbabilityWriter, path, probability, overwrite=True)
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(("name", "text"), [("p.png", ".tif"), ("missing/p.tif", "does not exist")])
def test_impossible_targets(tmp_path, name, text):
    with pytest.raises(OutputError, match=text):
        ProbabilityWriter(tmp_path / name, (10, 10), GEOREF)


def test_a_failure_leaves_nothing(tmp_path):
    path = tmp_path / "p.tif"
    path.write_bytes(b"old")

    def fail():
        with ProbabilityWriter(path, (600, 600), GEOREF, overwrite=True) as writer:
            writer.write(Window(0, 0, 10, 10), np.zeros((10, 10), np.uint8))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_values_must_fit_the_window(tmp_path):
    writer = ProbabilityWriter(tmp_path / "p.tif", (600, 600), GEOREF)
    with pytest.raises(OutputError, match="with statement"):
        writer.write(Window(0, 0, 2, 2), np.zeros((2, 2), np.uint8))
    with pytest.raises(OutputError, match="float64"), writer:
        writer.write(Window(0, 0, 2, 2), np.zeros((2, 2)))


FILL_UP = """
import resource, signal, sys
import numpy as np
from affine import Affine
from roadlift.errors import OutputError
from roadlift.imagery import Georef, ProbabilityWriter, Window
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
noise = np.random.default_rng(0).integers(0, 255, (1024, 1024)).astype(np.uint8)
try:
    with ProbabilityWriter(sys.argv[1], noise.shape, Georef(None, Affine.identity())) as writer:
        for row in (0, 512):
            writer.write(Window(row, 0, 512, 1024), noise[row : row + 512])
except OutputError as error:
    print(error)
"""


def test_a_full_disk_is_an_error_that_leaves_nothing(tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", FILL_UP, str(tmp_path / "p.tif")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    assert "cannot be written" in done.stdout
    assert "free" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0, 1]], np.uint8), [0, 254]),
        (np.array([[0, 255]], np.uint8), [0, 254]),
        (np.array([[0, 51, 255]], np.uint8), [0, 51, 254]),
        (np.array([[0.0, 0.5, 1.0, np.nan]], np.float32), [0, 127, 254, 255]),
        (np.array([[0, 1]], np.int16), [0, 254]),
    ],
)
def test_other_tools_rasters_are_understood(raster, array, expected):
    assert read_probability(raster(array))[0].ravel().tolist() == expected


def test_one_bit_masks_are_understood(raster):
    mask = np.array([[0, 1, 1, 0]], np.uint8)
    assert read_probability(raster(mask, nbits=1))[0].tolist() == [[0, 254, 254, 0]]


@pytest.mark.parametrize("array", [np.array([[0.0, 7.0]], np.float32), np.array([[0, 900]], np.uint16)])
def test_rasters_without_meaning_are_refused(raster, array):
    with pytest.raises(InputError, match="holds"):
        read_probability(raster(array))


def test_nodata_is_kept(raster):
    assert read_probability(raster(np.array([[0, 9, 1]], np.uint8), nodata=9))[0].tolist() == [[0, 255, 254]]
