"""Folders, lists, VRTs and STAC documents through the command line: the roads of the whole image."""

import json

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.windows import Window

from roadlift.cli import cli
from roadlift.scene import render


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """A scene of 320 pixels, cut into four tiles that overlap, and what names them."""
    folder = tmp_path_factory.mktemp("scene")
    image, _, _ = render(5, shape=(320, 320)).save(folder, "whole")
    (folder / "tiles").mkdir()
    with rasterio.open(image) as file:
        for row in (0, 150):
            for col in (0, 140):
                part = Window(col, row, 180 if col else 160, 170)
                profile = file.profile | {"height": part.height, "width": part.width}
                profile |= {"transform": file.window_transform(part), "tiled": False}
                profile = {key: value for key, value in profile.items() if "block" not in key}
                with rasterio.open(folder / f"tiles/{row}_{col}.tif", "w", **profile) as tile:
                    tile.write(file.read(window=part))
    names = sorted(path.name for path in (folder / "tiles").iterdir())
    (folder / "tiles.txt").write_text("# four tiles\n" + "".join(f"tiles/{name}\n" for name in names))
    features = [
        {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": name,
            "assets": {"visual": {"href": f"./tiles/{name}", "type": "image/tiff", "roles": ["visual"]}},
        }
        for name in names
    ]
    (folder / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return folder


def _run(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def whole(tiles):
    """Roads of the whole scene."""
    _run("extract", tiles / "whole.tif", tiles / "whole.gpkg")
    return gpd.read_file(tiles / "whole.gpkg", layer="edges")


def test_the_mosaic_gives_the_probability_of_the_whole(tiles, tmp_path):
    probabilities = []
    for where in ("whole.tif", "tiles.txt"):
        output = tmp_path / f"{where}.tif"
        _run("predict", tiles / where, output)
        with rasterio.open(output) as file:
            probabilities.append((file.read(1), file.transform, file.crs))
    for found, transform, crs in probabilities[1:]:
        np.testing.assert_array_equal(found, probabilities[0][0])
        assert (transform, crs) == probabilities[0][1:]


def test_extract_takes_a_folder_with_everything_beside(tiles, whole, tmp_path):
    output = _run("extract", tiles / "tiles", tmp_path / "roads.gpkg", "--overlay", tmp_path / "roads.png")
    assert "a mosaic of 4 images: where they overlap, the first in order that has data counts" in output
    found = gpd.read_file(tmp_path / "roads.gpkg", layer="edges")
    assert found.geometry.geom_equals(whole.geometry).all()
    assert (tmp_path / "roads.png").read_bytes()[:4] == b"\x89PNG"


def test_inspect_says_what_the_mosaic_is(tiles):
    assert "a mosaic of 4 images" in _run("inspect", tiles / "items.json")


def test_images_that_overlap_give_every_road_once(tiles, whole, tmp_path):
    """Four overlapping images in one command; of the first the half that the second shows too is no data."""
    paths = sorted((tiles / "tiles").iterdir())
    collar = tmp_path / "collar.tif"
    with rasterio.open(paths[0]) as file:
        pixels = file.read()
        pixels[:, :, 145:] = 0
        with rasterio.open(collar, "w", **file.profile | {"nodata": 0}) as tile:
            tile.write(np.where(pixels == 0, 1, pixels) * (np.arange(160) < 145).astype(np.uint8))
    _run("extract", collar, *paths[1:], tmp_path / "roads.gpkg")
    found = gpd.read_file(tmp_path / "roads.gpkg", layer="edges")
    assert found.length_m.sum() == pytest.approx(whole.length_m.sum(), rel=0.03)
    beside = found.union_all().buffer(6)
    assert whole.union_all().difference(beside).length < 0.03 * whole.length_m.sum()
