"""Several images as one working mosaic: where they lie, which counts, what is refused."""

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer

from roadlift.errors import InputError, LimitError, UsageError
from roadlift.imagery import Georef, ImagerySource, Mosaic, Window, open_imagery

BLOCKS = {"compress": "deflate", "tiled": True, "blockxsize": 128, "blockysize": 128}
EAST, NORTH = 300_000.0, 4_700_000.0


def _at(row, col, step=1.0):
    return Affine(step, 0.0, EAST + col, 0.0, -step, NORTH - row)


def _whole(source):
    return source.read(Window(0, 0, *source.shape))


def _noise(rows=40, cols=50, seed=0):
    return np.random.default_rng(seed).integers(10, 200, (3, rows, cols)).astype(np.uint8)


@pytest.fixture
def quarters(raster):
    """An image cut into four that overlap by ten pixels, and the whole."""
    whole = _noise(100, 120)
    paths = [
        raster(whole[:, row : row + 60, col : col + 70], f"{row}_{col}.tif", transform=_at(row, col))
        for row in (0, 40)
        for col in (0, 50)
    ]
    return whole, paths


def test_images_of_one_grid_are_put_together_as_they_are(quarters):
    whole, paths = quarters
    with Mosaic(paths) as source:
        assert source.shape == (100, 120)
        assert not source.warped
        assert source.ground_resolution_m == pytest.approx(1.0, rel=0.01)
        assert source.georef.transform == _at(0, 0)
        pixels = _whole(source)
    np.testing.assert_array_equal(pixels.values, whole)
    assert pixels.valid.all()


@pytest.mark.parametrize("reverse", [False, True])
def test_the_first_in_order_that_has_data_counts(raster, reverse):
    first, second = _noise(seed=1), _noise(seed=2)
    first[:, 10:20, 30:] = 0
    paths = [
        raster(first, "first.tif", nodata=0),
        raster(second, "second.tif", transform=_at(0, 25)),
    ]
    with Mosaic(paths[::-1] if reverse else paths) as source:
        pixels = _whole(source)
    assert pixels.valid.all()
    np.testing.assert_array_equal(pixels.values[:, :, :25], first[:, :, :25])
    np.testing.assert_array_equal(pixels.values[:, :, 50:], second[:, :, 25:])
    overlap = second[:, :, :25].copy()
    if not reverse:
        shown = first[:, :, 25:] > 0
        overlap[shown] = first[:, :, 25:][shown]
    np.testing.assert_array_equal(pixels.values[:, :, 25:50], overlap)


def test_what_no_image_covers_is_no_data(raster):
    paths = [raster(_noise(), "a.tif"), raster(_noise(), "b.tif", transform=_at(60, 80))]
    with Mosaic(paths) as source:
        pixels = _whole(source)
        empty = source.read(Window(45, 0, 10, 40))
    assert pixels.valid.sum() == 2 * 40 * 50
    assert not empty.valid.any()
    assert not empty.values.any()


def _ramp(transform, crs, shape):
    """Paint what depends on the place alone: 0.5 of a value per metre, east in red, north in green."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    x, y = Georef(None, transform).to_map(rows, cols)
    east, north = Transformer.from_crs(crs, "EPSG:32619", always_xy=True).transform(x, y)
    red, green = 100 + (east - EAST) / 2, 200 + (north - NORTH) / 2
    return np.clip([red, green, red], 1, 254).astype(np.float32)


@pytest.mark.parametrize("first", ["fine", "degrees"])
def test_other_grids_are_warped_onto_that_of_the_first(raster, first):
    degrees = Affine(1.2e-5, 0, -71.4306, 0, -9e-6, 42.42642)
    ways = {
        "fine": (_at(0, 0, 0.5), "EPSG:32619", (150, 200)),
        "degrees": (degrees, "EPSG:4326", (90, 100)),
        "coarse": (_at(20, -30, 2.0), "EPSG:32619", (40, 50)),
    }
    paths = [
        raster(_ramp(transform, crs, shape), f"{name}.tif", transform=transform, crs=crs)
        for name, (transform, crs, shape) in sorted(ways.items(), key=lambda way: way[0] != first)
    ]
    with Mosaic(paths) as source:
        assert source.warped
        assert source.ground_resolution_m == 1.0
        assert source.georef.crs.to_epsg() == 32619
        assert source.native_georef.crs.to_epsg() == (4326 if first == "degrees" else 32619)
        pixels = _whole(source)
        rows, cols = np.nonzero(pixels.valid)
        x, y = source.georef.to_map(rows, cols)
    assert pixels.valid.mean() > 0.3
    error = pixels.values[:2, rows, cols] - np.array([100 + (x - EAST) / 2, 200 + (y - NORTH) / 2])
    inside = (pixels.values[:2, rows, cols] > 3).all(0) & (pixels.values[:2, rows, cols] < 252).all(0)
    assert np.abs(error[:, inside]).max() < 1.0


def test_windows_agree_with_the_whole_whatever_is_open(quarters, raster, monkeypatch):
    monkeypatch.setattr("roadlift.imagery.mosaic.MAX_OPEN", 1)
    paths = [*quarters[1], raster(_noise(80, 90, 5), "other.tif", transform=_at(30, 60, 0.7))]
    with Mosaic(paths) as source:
        whole = _whole(source)
        generator = np.random.default_rng(3)
        for _ in range(12):
            row, col = (int(generator.integers(0, side - 30)) for side in source.shape)
            part = source.read(Window(row, col, 30, 25))
            np.testing.assert_array_equal(part.values, whole.values[:, row : row + 30, col : col + 25])
            np.testing.assert_array_equal(part.valid, whole.valid[row : row + 30, col : col + 25])


def test_sample_picks_from_all_images(quarters):
    whole, paths = quarters
    with Mosaic(paths) as source:
        sample = source.sample(3000)
        everything = source.sample()
    assert 2500 < sample.valid.size < 3500
    assert sample.valid.all()
    assert abs(sample.values.mean() - whole.mean()) < 3
    np.testing.assert_array_equal(everything.values, whole)


def test_damage_is_counted_also_of_images_closed_since(quarters, raster, damage_block, monkeypatch):
    monkeypatch.setattr("roadlift.imagery.mosaic.MAX_OPEN", 1)
    path = raster(_noise(1000, 600, 9), "damaged.tif", transform=_at(0, 300), **BLOCKS)
    damage_block(path, 2, 3)
    with pytest.raises(InputError, match=r"damaged\.tif is damaged"), Mosaic([*quarters[1], path]) as source:
        _whole(source)
    with Mosaic([path, *quarters[1]], on_read_error="nodata") as source:
        assert len(source.notes) == 1
        pixels = _whole(source)
        assert source.unreadable_pixels == 128 * 128
        assert any("16,384 pixels" in note for note in source.notes)
    assert (~pixels.valid[:, 300:]).sum() == 128 * 128


class TestRefused:
    def test_no_crs(self, raster):
        paths = [raster(_noise(), "a.tif"), raster(_noise(), "b.png")]
        with pytest.raises(InputError, match=r"b\.png has no CRS"):
            Mosaic(paths)

    def test_types_that_differ(self, raster):
        paths = [raster(_noise(), "a.tif"), raster(_noise().astype(np.uint16), "b.tif")]
        with pytest.raises(InputError, match=r"b\.tif has uint16 pixels.*uint8"):
            Mosaic(paths)

    def test_images_far_apart(self, raster):
        paths = [raster(_noise(), "a.tif"), raster(_noise(), "b.tif", transform=_at(400_000, 400_000))]
        with pytest.raises(LimitError, match="far apart"):
            Mosaic(paths)

    def test_windows_outside(self, quarters):
        with Mosaic(quarters[1]) as source, pytest.raises(UsageError, match="inside"):
            source.read(Window(90, 0, 20, 20))

    def test_a_scale_for_several(self, quarters, tmp_path):
        with pytest.raises(UsageError, match="--gsd"):
            open_imagery(tmp_path, gsd=1.0)


def test_a_folder_is_a_mosaic_and_a_file_is_an_image(quarters, tmp_path):
    with open_imagery(tmp_path) as source:
        assert isinstance(source, Mosaic)
        np.testing.assert_array_equal(_whole(source).values, quarters[0])
    with open_imagery(quarters[1][0]) as source:
        assert isinstance(source, ImagerySource)
