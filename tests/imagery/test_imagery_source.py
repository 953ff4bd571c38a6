import http.server
import re
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from scipy import ndimage

from roadlift.errors import InputError, LimitError, UsageError
from roadlift.imagery import Georef, ImagerySource, Window

RED, GREEN, BLUE, ALPHA = ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha
CENTRE = (-71.05, 42.36)
UTM = "EPSG:32619"


def _whole(source):
    return source.read(Window(0, 0, *source.shape))


def _image(bands=3, rows=20, cols=30, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 200, (bands, rows, cols)).astype(dtype)


def test_an_image_at_the_wanted_resolution_is_read_as_it_is(raster):
    image = _image()
    with ImagerySource(raster(image)) as source:
        pixels = source.read(Window(5, 6, 7, 8))
        assert (source.shape, source.warped, source.bands, source.notes) == ((20, 30), False, (1, 2, 3), ())
        assert source.georef.transform == source.native_georef.transform
        assert source.ground_resolution_m == pytest.approx(1, abs=1e-2)
    np.testing.assert_array_equal(pixels.values, image[:, 5:12, 6:14])
    assert pixels.valid.all()


@pytest.mark.parametrize("wrong", [Window(-1, 0, 5, 5), Window(18, 0, 5, 5), Window(0, 0, 0, 5)])
def test_a_window_must_lie_inside(raster, wrong):
    with ImagerySource(raster(_image())) as source, pytest.raises(UsageError, match="inside"):
        source.read(wrong)


def test_bands_follow_their_colours(raster):
    path = raster(_image(4), colours=[BLUE, GREEN, RED, ALPHA])
    with ImagerySource(path) as source:
        assert source.bands == (3, 2, 1)
        assert source.bands_named


def test_bands_can_be_chosen(raster):
    image = _image(5)
    path = raster(image)
    with ImagerySource(path, bands=(4, 3, 2)) as source:
        np.testing.assert_array_equal(_whole(source).values, image[[3, 2, 1]])
    with ImagerySource(path, bands=[5]) as source:
        np.testing.assert_array_equal(_whole(source).values, image[[4, 4, 4]])
    for wrong in ((1, 2), (0, 1, 2), (4, 5, 6)):
        with pytest.raises(UsageError, match="from 1 to 5"):
            ImagerySource(path, bands=wrong)


def test_grey_is_repeated(raster):
    image = _image(1)
    with ImagerySource(raster(image)) as source:
        np.testing.assert_array_equal(_whole(source).values, np.repeat(image, 3, axis=0))


def test_a_palette_is_expanded(raster):
    from rasterio import open as open_file

    path = raster(np.array([[0, 1], [2, 1]], np.uint8), "palette.tif", photometric="PALETTE")
    with open_file(path, "r+") as file:
        file.write_colormap(1, {0: (10, 20, 30, 255), 1: (40, 50, 60, 255), 2: (70, 80, 90, 255)})
    with ImagerySource(path) as source:
        assert _whole(source).values[:, 1, 0].tolist() == [70, 80, 90]


class TestValid:
    """Everything that says "no data" is joined, warped or not."""

    @pytest.fixture(params=[1.0, 0.5], ids=["as it is", "warped"])
    def share(self, request):
        def measure(path, **options):
            with ImagerySource(path, ground_resolution=request.param, **options) as source:
                valid = _whole(source).valid
                cols = valid.shape[1]
                left, right = valid[:, : cols // 2 - 2], valid[:, cols // 2 + 2 :]
                return float(left.mean()), float(right[2:-2, :-2].mean())

        return measure

    def _half(self, value, dtype=np.uint8):
        image = _image(dtype=dtype) + np.asarray(1, dtype)
        image[:, :, :15] = value
        return image

    def test_nodata_of_the_file(self, raster, share):
        assert share(raster(self._half(0), nodata=0)) == (0, 1)

    def test_nodata_given(self, raster, share):
        assert share(raster(self._half(255)), nodata=255) == (0, 1)

    def test_not_a_number(self, raster, share):
        assert share(raster(self._half(np.nan, np.float32))) == (0, 1)

    def test_infinity(self, raster, share):
        assert share(raster(self._half(np.inf, np.float32)))[0] == 0

    def test_internal_mask(self, raster, share):
        mask = np.full((20, 30), 255, np.uint8)
        mask[:, :15] = 0
        assert share(raster(_image(), mask=mask)) == (0, 1)

    def test_alpha(self, raster, share):
        image = _image(4)
        image[3] = 255
        image[3, :, :15] = 128
        assert share(raster(image, colours=[RED, GREEN, BLUE, ALPHA], photometric="RGB")) == (0, 1)

    def test_zero_is_a_colour_unless_said(self, raster, share):
        assert share(raster(self._half(0))) == (1, 1)


def _spots(georef, shape, points):
    """Draw soft spots at map coordinates: uint8 (3, rows, cols)."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    x, y = georef.to_map(rows, cols)
    to_utm = Transformer.from_crs(georef.crs.to_wkt(), UTM, always_xy=True)
    east, north = to_utm.transform(x, y)
    picture = sum(np.exp(-((east - px) ** 2 + (north - py) ** 2) / (2 * 3.0**2)) for px, py in points)
    return np.repeat((20 + 200 * picture).astype(np.uint8)[None], 3, axis=0)


def _found(source):
    values = _whole(source).values[0].astype(float)
    labels, count = ndimage.label(values > 120)
    weights = np.where(values > 120, values - 20, 0)
    places = ndimage.center_of_mass(weights, labels, range(1, count + 1))
    rows, cols = np.array(places).T
    x, y = source.georef.to_map(rows, cols)
    if source.georef.crs is None:
        return np.column_stack([x, y])
    east, north = Transformer.from_crs(source.georef.crs.to_wkt(), UTM, always_xy=True).transform(x, y)
    return np.column_stack([east, north])


def _around(crs, linear, side):
    """Georeference whose centre pixel lies at CENTRE, with the given linear part (a, b, d, e)."""
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(*CENTRE)
    a, b, d, e = linear
    half = side / 2
    return Georef(
        CRS.from_user_input(crs), Affine(a, b, x - a * half - b * half, d, e, y - d * half - e * half)
    )


GEOREFS = {
    "rotated": (UTM, (np.cos(0.5), np.sin(0.5), np.sin(0.5), -np.cos(0.5)), 200),
    "south-up": (UTM, (1, 0, 0, 1), 200),
    "non-square": (UTM, (1, 0, 0, -2), 160),
    "fine": (UTM, (0.5, 0, 0, -0.5), 400),
    "coarse": (UTM, (1.6, 0, 0, -1.6), 120),
    "degrees": ("EPSG:4326", (1.2e-5, 0, 0, -9e-6), 200),
    "feet": ("EPSG:2249", (3.28, 0, 0, -3.28), 200),
    "mercator": ("EPSG:3857", (1.0, 0, 0, -1.0), 240),
}


@pytest.mark.parametrize("kind", GEOREFS)
def test_places_stay_where_they_are(raster, kind):
    crs, linear, side = GEOREFS[kind]
    georef = _around(crs, linear, side)
    centre = np.array(Transformer.from_crs("EPSG:4326", UTM, always_xy=True).transform(*CENTRE))
    points = centre + np.array([[-30.3, 25.2], [0.4, -20.7], [41.1, 33.6]])
    path = raster(_spots(georef, (side, side), points), crs=georef.crs, transform=georef.transform)
    with ImagerySource(path) as source:
        assert source.warped
        assert source.ground_resolution_m == 1.0
        assert source.georef.crs.is_projected
        down, across = source.georef.ground_resolution(source.shape)
        assert (down, across) == pytest.approx((1, 1), rel=0.02)
        found = _found(source)
    distances = np.linalg.norm(points[:, None] - found[None], axis=2)
    assert len(found) == 3
    assert distances.min(axis=1).max() < 0.3


def test_windows_of_a_warped_image_agree_with_the_whole(raster):
    crs, linear, side = GEOREFS["rotated"]
    georef = _around(crs, linear, side)
    path = raster(_image(3, side, side), crs=georef.crs, transform=georef.transform)
    with ImagerySource(path) as source:
        whole = _whole(source)
        for row in range(0, source.shape[0] - 50, 37):
            part = source.read(Window(row, row // 2, 41, 33))
            np.testing.assert_array_equal(
                part.values, whole.values[:, row : row + 41, row // 2 : row // 2 + 33]
            )
            np.testing.assert_array_equal(part.valid, whole.valid[row : row + 41, row // 2 : row // 2 + 33])


class TestWithoutCrs:
    def test_the_resolution_is_assumed_and_said(self, raster):
        with ImagerySource(raster(_image(), "a.png")) as source:
            assert source.georef == Georef(None, Affine.identity())
            assert "1 m per pixel assumed" in source.notes[0]
            assert not source.warped

    def test_another_resolution_gives_a_grid_over_the_same_pixels(self, raster):
        rows, cols = np.mgrid[:200, :240]
        spots = [(60.0, 50.0), (150.0, 120.0)]
        picture = sum(
            np.exp(-((cols + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2) / (2 * 6.0**2)) for x, y in spots
        )
        path = raster(np.repeat((20 + 200 * picture).astype(np.uint8)[None], 3, axis=0), "a.png")
        with ImagerySource(path, gsd=0.5) as source:
            assert (source.shape, source.ground_resolution_m, source.notes) == ((100, 120), 1.0, ())
            found = _found(source)
        np.testing.assert_allclose(np.sort(found, axis=0), np.sort(spots, axis=0), atol=0.3)

    def test_a_world_file_and_a_crs(self, raster):
        transform = Affine(1.0, 0.0, 330_000.0, 0.0, -1.0, 4_690_000.0)
        path = raster(_image(), "a.jpg", world_file=transform)
        with ImagerySource(path, crs="EPSG:32619") as source:
            assert source.georef.crs.to_epsg() == 32619
            assert source.georef.transform.almost_equals(transform)
        with ImagerySource(path) as source:
            assert source.georef == Georef(None, Affine.identity())

    def test_a_crs_that_is_none(self, raster):
        with pytest.raises(UsageError, match="EPSG:32633"):
            ImagerySource(raster(_image(), "a.png"), crs="EPSG:nonsense")

    def test_a_local_system_counts_as_none(self, raster):
        local = 'LOCAL_CS["site",UNIT["metre",1]]'
        with ImagerySource(raster(_image(), crs=local)) as source:
            assert source.georef.crs is None

    @pytest.mark.parametrize("gsd", [0, -1])
    def test_a_scale_is_positive(self, raster, gsd):
        with pytest.raises(UsageError, match="more than 0"):
            ImagerySource(raster(_image(), "a.png"), gsd=gsd)

    def test_flags_that_contradict_the_file(self, raster):
        with pytest.raises(UsageError, match="--gsd"):
            ImagerySource(raster(_image()), gsd=1.0)
        with pytest.raises(UsageError, match="leave --crs out"):
            ImagerySource(raster(_image(), "b.tif"), crs="EPSG:32619")


class TestRefused:
    @pytest.mark.parametrize(
        ("name", "content", "text"),
        [
            ("missing.tif", None, "does not exist"),
            ("text.txt", b"x", "ends in"),
            ("broken.tif", b"II*\0garbage", "cannot be opened as GTiff"),
            ("vrt.tif", b"<VRTDataset rasterXSize='1' rasterYSize='1'/>", "cannot be opened as GTiff"),
        ],
    )
    def test_files(self, tmp_path, name, content, text):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=text):
            ImagerySource(tmp_path / name)

    def test_a_folder(self, tmp_path):
        (tmp_path / "folder.tif").mkdir()
        with pytest.raises(InputError, match="regular file"):
            ImagerySource(tmp_path / "folder.tif")

    def test_complex_pixels(self, raster):
        with pytest.raises(InputError, match="complex64"):
            ImagerySource(raster(np.zeros((3, 4, 4), np.complex64)))

    def test_one_bit_pixels(self, raster):
        with pytest.raises(InputError, match="1-bit"):
            ImagerySource(raster(np.zeros((1, 4, 4), np.uint8), nbits=1))

    def test_too_many_bands(self, raster):
        with pytest.raises(LimitError, match="65 bands"):
            ImagerySource(raster(np.zeros((65, 4, 4), np.uint8)))

    def test_too_many_pixels(self, tmp_path):
        import rasterio

        path = tmp_path / "huge.tif"
        profile = {"driver": "GTiff", "count": 1, "height": 200_000, "width": 200_000, "dtype": "uint8"}
        with rasterio.open(
            path,
            "w",
            tiled=True,
            sparse_ok=True,
            bigtiff="YES",
            crs=UTM,
            transform=Affine(1, 0, 9, 0, -1, 9),
            **profile,
        ):
            pass
        with pytest.raises(LimitError, match="40,000,000,000 pixels"):
            ImagerySource(path)

    def test_a_transform_without_area(self, raster):
        with pytest.raises(InputError, match="without area"):
            ImagerySource(raster(_image(), transform=Affine(1, 1, 5, 1, 1, 7)))

    @pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
    def test_control_points_only(self, raster):
        import rasterio
        from rasterio.control import GroundControlPoint

        path = raster(_image(), crs=None, transform=None)
        points = [GroundControlPoint(r, c, -71 + c / 1e4, 42 - r / 1e4) for r, c in ((0, 0), (0, 9), (9, 0))]
        with rasterio.open(path, "r+") as file:
            file.gcps = (points, CRS.from_epsg(4326))
        with pytest.raises(InputError, match="gdalwarp"):
            ImagerySource(path)

    def test_damaged_pixels_are_named(self, raster):
        path = raster(_image(3, 256, 256), compress="deflate", tiled=True, blockxsize=64, blockysize=64)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(InputError, match=r"rows 192-255|cannot be opened"), ImagerySource(path) as source:
            source.read(Window(192, 192, 64, 64))

    def test_overviews_in_another_file(self, raster):
        import rasterio

        path = raster(_image())
        with rasterio.open(path, "r+") as file:
            file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE="/etc/passwd")
        with pytest.raises(InputError, match="another file"):
            ImagerySource(path)


def test_sample_is_small_and_covers_the_image(raster):
    image = np.repeat(np.linspace(0, 250, 400).astype(np.uint8)[None, None], 3, axis=0).repeat(300, axis=1)
    with ImagerySource(raster(image)) as source:
        sample = source.sample(max_pixels=5000)
    assert 3000 < sample.valid.size < 7000
    assert (int(sample.values.min()), int(sample.values.max())) == pytest.approx((0, 250), abs=8)


def test_an_image_over_http(raster):
    image = _image(3, 64, 64)
    path = raster(image, tiled=True, blockxsize=16, blockysize=16)
    handler = partial(_Ranges, directory=str(path.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with ImagerySource(f"http://127.0.0.1:{server.server_port}/image.tif") as source:
            np.testing.assert_array_equal(_whole(source).values, image)
        server.shutdown()


class _Ranges(http.server.SimpleHTTPRequestHandler):
    """A server that answers range requests, as those of imagery do."""

    def do_GET(self):
        content = Path(self.translate_path(self.path)).read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), int(asked[2] or len(content) - 1)) if asked else (0, len(content) - 1)
        part = content[first : last + 1]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.mark.parametrize(
    ("shape", "interleave"), [((701, 333), "pixel"), ((520, 640), "band"), ((3, 900), "pixel")]
)
def test_a_large_image_is_sampled_by_several_threads_with_the_same_result(
    raster, monkeypatch, shape, interleave
):
    mask = np.full(shape, 255, np.uint8)
    mask[: shape[0] // 3, 50:] = 0
    layout = {
        "tiled": True,
        "blockxsize": 64,
        "blockysize": 64,
        "compress": "deflate",
        "interleave": interleave,
    }
    path = raster(_image(rows=shape[0], cols=shape[1]), mask=mask, **layout)
    with ImagerySource(path) as source:
        alone = [source.sample(pixels) for pixels in (900, 20_011)]
    monkeypatch.setattr("roadlift.imagery.source.LARGE_PIXELS", 1)
    with ImagerySource(path) as source:
        together = [source.sample(pixels) for pixels in (900, 20_011)]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.valid, other.valid)


def test_a_damaged_large_image_is_refused(raster, monkeypatch):
    path = raster(_image(rows=400, cols=300), tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40_000] = bytes(40_000)
    path.write_bytes(data)
    monkeypatch.setattr("roadlift.imagery.source.LARGE_PIXELS", 1)
    with ImagerySource(path) as source, pytest.raises(InputError, match=r"is damaged: rows \d+-\d+"):
        source.sample()
