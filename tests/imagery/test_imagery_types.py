"""The same scene stored in different types and band orders looks the same to the network."""

import numpy as np
import pytest
from rasterio.enums import ColorInterp

from roadlift.imagery import ImagerySource, Stretch, Window

RED, GREEN, BLUE, ALPHA = ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha
SCENE = np.random.default_rng(0).normal(110, 30, (3, 90, 100)).clip(1, 254).astype(np.uint8)
OPAQUE = np.full((1, 90, 100), 255, np.uint8)


def _seen(path, **options):
    with ImagerySource(path, **options) as source:
        stretch = Stretch.fit(source.sample())
        return stretch.apply(source.read(Window(0, 0, *source.shape))).astype(int)


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        (SCENE.astype(np.uint16) * 257, {}),
        (SCENE.astype(np.int16) - 200, {}),
        (SCENE.astype(np.uint32) * 16_000_000, {}),
        (SCENE.astype(np.int32) + 2_000_000_000, {}),
        ((SCENE / 255).astype(np.float32), {}),
        (SCENE / 255 * 1e-6 + 7, {}),
        (np.concatenate([SCENE[::-1], OPAQUE]), {"colours": [BLUE, GREEN, RED, ALPHA]}),
        (np.concatenate([SCENE[::-1], OPAQUE, OPAQUE]), {"bands": (3, 2, 1)}),
        (np.concatenate([SCENE, OPAQUE // 2]), {"photometric": "RGB", "alpha": "UNSPECIFIED"}),
    ],
    ids=[
        "uint16",
        "int16",
        "uint32",
        "int32",
        "float32",
        "float64",
        "bgra",
        "five bands",
        "rgb and infrared",
    ],
)
def test_types_and_orders(raster, stored, options):
    bands = {"bands": options.pop("bands")} if "bands" in options else {}
    plain = _seen(raster(SCENE, "plain.tif"))
    assert np.abs(_seen(raster(stored, "stored.tif", **options), **bands) - plain).max() <= 1
