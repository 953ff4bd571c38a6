"""What several rooms' tests share: rasters made to order."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import settings
from rasterio.errors import NotGeoreferencedWarning

# A busy machine is no failure, and continuous integration sees the same cases each time.
settings.register_profile("roadlift", deadline=None, derandomize=True)
settings.load_profile("roadlift")

CHROMIUM_FLAGS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-lcd-text"]
UTM = "EPSG:32619"
NORTH_UP = Affine(1.0, 0.0, 300_000.0, 0.0, -1.0, 4_700_000.0)


@pytest.fixture
def raster(tmp_path):
    """Return a function that writes an array (bands, rows, cols) or (rows, cols) as a raster and returns its path."""

    def write(
        array,
        name="image.tif",
        *,
        crs=UTM,
        transform=NORTH_UP,
        colours=None,
        mask=None,
        world_file=None,
        **profile,
    ):
        path = Path(tmp_path) / name
        array = np.asarray(array)
        array = array if array.ndim == 3 else array[None]
        driver = {".tif": "GTiff", ".png": "PNG", ".jpg": "JPEG"}[path.suffix]
        place = {"crs": crs, "transform": transform} if path.suffix == ".tif" else {}
        count, rows, cols = array.shape
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with (
                rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES", GDAL_PAM_ENABLED="NO"),
                rasterio.open(
                    path,
                    "w",
                    driver=driver,
                    count=count,
                    height=rows,
                    width=cols,
                    dtype=array.dtype,
                    **place,
                    **profile,
                ) as file,
            ):
                if colours is not None:
                    file.colorinterp = colours
                file.write(array)
                if mask is not None:
                    file.write_mask(mask)
        if world_file is not None:
            a, b, c, d, e, f = world_file[:6]
            x, y = c + a / 2 + b / 2, f + d / 2 + e / 2
            path.with_suffix(".wld").write_text("\n".join(f"{value:.12g}" for value in (a, d, b, e, x, y)))
        return path

    return write


@pytest.fixture
def damage_block():
    """Return a function that makes one block of a compressed GeoTIFF unreadable."""

    def damage(path, row, col):
        with rasterio.open(path) as file:
            start = int(file.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", bidx=1))
        content = bytearray(path.read_bytes())
        content[start : start + 16] = b"\xff" * 16
        path.write_bytes(content)

    return damage


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium, headless. One file of tests at a time: Playwright runs once in a process."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed; `make browser` does it on Debian")
    flags = [*CHROMIUM_FLAGS, "--no-sandbox"] if os.geteuid() == 0 else CHROMIUM_FLAGS
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()
