import http.server
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from roadlift.errors import InputError, LimitError
from roadlift.imagery import ImagerySource, Window
from roadlift.imagery.opening import open_raster

RASTER_VRT = """<VRTDataset rasterXSize="30" rasterYSize="20">
  <SRS>EPSG:32619</SRS><GeoTransform>300000, 1, 0, 4700000, 0, -1</GeoTransform>
  <VRTRasterBand dataType="Byte" band="1"><NoDataValue>7</NoDataValue>
    <SimpleSource><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename><SourceBand>1</SourceBand>
      <SrcRect xOff="0" yOff="0" xSize="30" ySize="20"/><DstRect xOff="0" yOff="0" xSize="30" ySize="20"/>
    </SimpleSource></VRTRasterBand></VRTDataset>"""
RAW_VRT = """<VRTDataset rasterXSize="4" rasterYSize="4">
  <VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">
    <SourceFilename relativetoVRT="1">secret.txt</SourceFilename><ImageOffset>0</ImageOffset>
    <PixelOffset>1</PixelOffset><LineOffset>4</LineOffset></VRTRasterBand></VRTDataset>"""


def _image(bands=3, rows=20, cols=30):
    return np.random.default_rng(0).integers(10, 200, (bands, rows, cols)).astype(np.uint8)


def _whole(source):
    return source.read(Window(0, 0, *source.shape))


@pytest.fixture
def server(tmp_path):
    """Serve the test's folder on the loopback address; give the address and the requests so far."""
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, code="-", size="-"):
            requests.append(self.path)

        def log_message(self, *arguments):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(tmp_path))
    ) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", requests
        running.shutdown()


def test_a_vrt_is_read_with_its_nodata(raster, tmp_path):
    image = _image(1)
    image[0, :, :10] = 7
    raster(image)
    (tmp_path / "mosaic.vrt").write_text(RASTER_VRT.format(name="image.tif", relative=1))
    with ImagerySource(tmp_path / "mosaic.vrt") as source:
        pixels = _whole(source)
    np.testing.assert_array_equal(pixels.values[0], image[0])
    assert not pixels.valid[:, :10].any()
    assert pixels.valid[:, 10:].all()


def test_a_vrt_of_raw_bytes_is_refused(tmp_path):
    (tmp_path / "secret.txt").write_text("TOP-SECRET" * 5)
    (tmp_path / "raw.vrt").write_text(RAW_VRT)
    with pytest.raises(InputError, match="VRTRawRasterBand"):
        open_raster(tmp_path / "raw.vrt")


def test_a_huge_vrt_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("roadlift.imagery.virtual.MAX_VRT_BYTES", 10)
    (tmp_path / "raw.vrt").write_text(RAW_VRT)
    with pytest.raises(LimitError, match="Split"):
        open_raster(tmp_path / "raw.vrt")


def test_a_local_vrt_reaches_nothing_remote(raster, tmp_path, server):
    address, requests = server
    raster(_image(1))
    (tmp_path / "away.vrt").write_text(RASTER_VRT.format(name=f"/vsicurl/{address}/image.tif", relative=0))
    with pytest.raises(InputError), ImagerySource(tmp_path / "away.vrt") as source:
        _whole(source)
    assert requests == []


def test_overviews_elsewhere_are_refused_before_anything_is_asked(raster, server):
    address, requests = server
    path = raster(_image())
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=f"/vsicurl/{address}/x.tif")
    with pytest.raises(InputError, match="another file"):
        ImagerySource(path)
    assert requests == []


@pytest.mark.parametrize(
    "path",
    [
        "GTIFF_DIR:1:{}",
        "GTIFF_RAW:{}",
        "/vsizip/{}",
        "/vsicurl/http://127.0.0.1:9/a.tif",
        "<VRTDataset/>",
        "a\0.tif",
    ],
)
def test_names_that_are_no_files_are_refused(raster, path):
    with pytest.raises(InputError, match="does not exist"):
        open_raster(path.format(raster(_image())))


def test_other_formats_under_an_allowed_name_are_refused(tmp_path):
    (tmp_path / "planted.tif").write_text("<MRF_META><Raster><Size x='4' y='4'/></Raster></MRF_META>")
    with pytest.raises(InputError, match="GTiff"):
        open_raster(tmp_path / "planted.tif")


class TestRemote:
    def test_a_vrt_is_refused(self, server):
        with pytest.raises(InputError, match="remote VRT"):
            open_raster(f"{server[0]}/mosaic.vrt")
        assert server[1] == []

    def test_what_is_not_there(self, server):
        with pytest.raises(InputError, match="cannot be opened"):
            open_raster(f"{server[0]}/missing.tif")

    def test_only_the_one_file_is_asked_for(self, raster, server):
        image = _image()
        raster(image)
        with ImagerySource(f"{server[0]}/image.tif?signature=abc") as source:
            np.testing.assert_array_equal(_whole(source).values, image)
        assert {request.partition("?")[0] for request in server[1]} == {"/image.tif"}


@pytest.mark.parametrize("name", ["cut.jpg", "cut.png"])
@pytest.mark.parametrize("ground_resolution", [1.0, None, 2.0])
def test_a_cut_picture_is_an_error(raster, name, ground_resolution):
    path = raster(_image(3, 300, 300), name)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with (
        pytest.raises(InputError, match=r"cut.*(damaged: rows 0-|cannot be opened)"),
        ImagerySource(path, ground_resolution=ground_resolution, gsd=1.0) as source,
    ):
        _whole(source)


@pytest.mark.parametrize("ground_resolution", [1.0, 2.0])
def test_a_damaged_geotiff_names_place_and_cause(raster, ground_resolution):
    path = raster(_image(3, 512, 512), compress="deflate", tiled=True, blockxsize=128, blockysize=128)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    with (
        pytest.raises(
            InputError, match=r"damaged: rows 0-\d+, columns 0-\d+ of bands 1, 2, 3 cannot be read \(.*\)"
        ),
        ImagerySource(path, ground_resolution=ground_resolution) as source,
    ):
        _whole(source)


def test_large_blocks_are_refused(tmp_path):
    profile = {"driver": "GTiff", "count": 1, "height": 9216, "width": 9216, "dtype": "uint8"}
    path = tmp_path / "blocks.tif"
    place = {"crs": "EPSG:32619", "transform": rasterio.Affine(1, 0, 9, 0, -1, 9)}
    with rasterio.open(
        path, "w", tiled=True, blockxsize=9216, blockysize=9216, sparse_ok=True, **place, **profile
    ):
        pass
    with pytest.raises(LimitError, match="81 MiB"):
        open_raster(path)


def test_printers_colours_are_refused(raster):
    with pytest.raises(InputError, match="CMYK"):
        ImagerySource(raster(_image(4), photometric="CMYK"))


def test_alpha_alone_is_no_image(raster):
    with pytest.raises(InputError, match="only an alpha"):
        ImagerySource(raster(_image(1), colours=[ColorInterp.alpha], photometric="MINISBLACK"))


def test_bands_of_two_types_are_refused(raster, tmp_path):
    raster(_image(1))
    vrt = RASTER_VRT.format(name="image.tif", relative=1)
    band = vrt[vrt.index("  <VRTRasterBand") : vrt.index("</VRTDataset>")]
    more = "".join(
        band.replace('band="1"', f'band="{number}"').replace("Byte", kind)
        for number, kind in ((2, "UInt16"), (3, "Byte"))
    )
    (tmp_path / "mixed.vrt").write_text(vrt.replace("</VRTDataset>", f"{more}</VRTDataset>"))
    with pytest.raises(InputError, match="mixes uint16 and uint8"):
        ImagerySource(tmp_path / "mixed.vrt")


def test_a_georeference_that_makes_the_image_huge_is_refused(raster):
    transform = rasterio.Affine(9000.0, 0, 200_000, 0, -9000.0, 4_700_000)
    with pytest.raises(LimitError, match="check its georeference"):
        ImagerySource(raster(_image(), transform=transform))


@pytest.mark.skipif(
    shutil.which("gdalbuildvrt") is None, reason="the Debian package gdal-bin is not installed"
)
@pytest.mark.parametrize(
    "command",
    [
        ["gdalbuildvrt", "made.vrt", "image.tif", "other.tif"],
        ["gdalbuildvrt", "-separate", "made.vrt", "image.tif", "image.tif", "image.tif"],
        ["gdal_translate", "-of", "VRT", "-scale", "0", "200", "-a_nodata", "0", "image.tif", "made.vrt"],
        ["gdal_translate", "-of", "VRT", "-outsize", "50%", "50%", "-r", "average", "image.tif", "made.vrt"],
        ["gdalwarp", "-of", "VRT", "-t_srs", "EPSG:3857", "-r", "cubic", "-dstalpha", "image.tif", "made.vrt"],
    ],
    ids=["mosaic", "separate", "scaled", "smaller", "warped"],
)  # fmt: skip
def test_vrts_as_gdal_writes_them_are_read(raster, tmp_path, command):
    raster(_image(1), nodata=0)
    raster(_image(1), "other.tif", transform=rasterio.Affine(1, 0, 300_020, 0, -1, 4_700_000), nodata=0)
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with ImagerySource(tmp_path / "made.vrt", ground_resolution=None) as source:
        assert source.read(Window(0, 0, *source.shape)).valid.any()


def test_threads_may_share_a_source(raster):
    image = _image(3, 128, 128)
    windows = [Window(row, col, 32, 32) for row in range(0, 128, 32) for col in range(0, 128, 32)]
    with (
        ImagerySource(raster(image, tiled=True, blockxsize=64, blockysize=64)) as source,
        ThreadPoolExecutor(4) as pool,
    ):
        for window, pixels in zip(windows * 4, pool.map(source.read, windows * 4), strict=True):
            np.testing.assert_array_equal(pixels.values, image[(slice(None), *window.slices)])
