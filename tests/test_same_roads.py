"""The same ground gives the same roads, however the image is stored."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.warp
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

import roadlift

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
IMAGE = SHARED / "georeferenced" / "tiny_10528735_512.tif"
TOLERANCE_M = 2.0

pytestmark = pytest.mark.skipif(
    not IMAGE.exists(), reason="the imagery ../shared/data/georeferenced is not here"
)


@pytest.fixture(scope="module")
def original():
    return roadlift.extract(IMAGE)


def _pixels():
    with rasterio.open(IMAGE) as file:
        return file.read(), file.crs, file.transform


def _write(path, pixels, **profile):
    count, rows, cols = pixels.shape
    with rasterio.open(
        path, "w", count=count, height=rows, width=cols, dtype=pixels.dtype, **profile
    ) as file:
        file.write(pixels)
    return path


def _warped(path, crs, transform, shape):
    """Resample the image onto another grid; what lies outside becomes transparent."""
    options = {"crs": crs, "transform": transform, "height": shape[0], "width": shape[1]}
    with (
        rasterio.open(IMAGE) as file,
        WarpedVRT(file, resampling=Resampling.cubic, add_alpha=True, **options) as warped,
    ):
        return _write(
            path, warped.read(), driver="GTiff", crs=crs, transform=transform, photometric="RGB", alpha="YES"
        )


def _as_uint16(folder):
    pixels, crs, transform = _pixels()
    return _write(
        folder / "a.tif", pixels.astype(np.uint16) * 257, driver="GTiff", crs=crs, transform=transform
    )


def _at_half_a_metre(folder):
    _, crs, transform = _pixels()
    a, _, c, _, e, f = transform[:6]
    return _warped(folder / "a.tif", crs, Affine(a / 2, 0, c, 0, e / 2, f), (1024, 1024))


def _in_degrees(folder):
    _, crs, transform = _pixels()
    bounds = rasterio.warp.transform_bounds(
        crs, "EPSG:4326", *rasterio.transform.array_bounds(512, 512, transform)
    )
    step = 1e-5
    shape = (int((bounds[3] - bounds[1]) / step), int((bounds[2] - bounds[0]) / step))
    return _warped(
        folder / "a.tif", CRS.from_epsg(4326), Affine(step, 0, bounds[0], 0, -step, bounds[3]), shape
    )


def _rotated(folder):
    _, crs, transform = _pixels()
    a, _, c, _, e, f = transform[:6]
    cosine, sine = np.cos(np.pi / 6), np.sin(np.pi / 6)
    side, middle = 700, (c + 256 * a, f + 256 * e)
    linear = (cosine, sine, sine, -cosine)
    left = middle[0] - side / 2 * (linear[0] + linear[1])
    top = middle[1] - side / 2 * (linear[2] + linear[3])
    return _warped(
        folder / "a.tif", crs, Affine(linear[0], linear[1], left, linear[2], linear[3], top), (side, side)
    )


def _shares_within_tolerance(first, second):
    """Return the share of each network's length that lies within the tolerance of the other.

    What is missing are faint ends of roads that fall below the threshold on one side, and roads along the image's edge,
    where one image is mirrored and the other has no data; no road is moved.
    """
    ours, theirs = (shapely.union_all(list(roads.edges.geometry)) for roads in (first, second))
    near_theirs, near_ours = theirs.buffer(TOLERANCE_M), ours.buffer(TOLERANCE_M)
    return ours.intersection(near_theirs).length / ours.length, theirs.intersection(
        near_ours
    ).length / theirs.length


def _median_distance(first, second):
    points = shapely.points(shapely.get_coordinates(shapely.segmentize(list(first.edges.geometry), 1.0)))
    return np.median(shapely.distance(points, shapely.union_all(list(second.edges.geometry))))


@pytest.mark.parametrize("store", [_as_uint16, _at_half_a_metre, _in_degrees, _rotated])
def test_storage_does_not_move_roads(original, tmp_path, store):
    roads = roadlift.extract(store(tmp_path))
    right, found = _shares_within_tolerance(roads.reproject(original.crs), original)
    assert _median_distance(roads.reproject(original.crs), original) < 0.5
    assert min(right, found) > (0.999 if store is _as_uint16 else 0.9)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_picture_without_crs_gives_the_same_lines_in_pixels(original, tmp_path):
    pixels, _, transform = _pixels()
    roads = roadlift.extract(_write(tmp_path / "a.png", pixels, driver="PNG"))
    assert roads.crs is None
    lines = [shapely.transform(line, lambda xy: _to_map(transform, xy)) for line in roads.edges.geometry]
    expected = list(original.edges.geometry)
    assert len(lines) == len(expected)
    ours, theirs = shapely.union_all(lines), shapely.union_all(expected)
    assert ours.hausdorff_distance(theirs) < 0.1


def _to_map(transform, xy):
    a, b, c, d, e, f = transform[:6]
    return np.column_stack([a * xy[:, 0] + b * xy[:, 1] + c, d * xy[:, 0] + e * xy[:, 1] + f])
