import geopandas as gpd
import numpy as np
import pytest
import rasterio
import rasterio.vrt
import shapely
from affine import Affine
from rasterio.crs import CRS

from roadlift.errors import InputError, UsageError
from roadlift.evaluate.pairs import as_probability, load_pair
from roadlift.imagery import NO_DATA, Georef
from roadlift.network import vectorize

UTM = CRS.from_epsg(32619)
CORNER = (331_000.0, 4_690_200.0)


def cross(rows=200, cols=200, width=7):
    mask = np.zeros((rows, cols), bool)
    mask[rows // 2 - width // 2 :][:width] = True
    mask[:, cols // 2 - width // 2 :][:, :width] = True
    return mask


def written(path, values, *, step=1.0, crs=UTM, nodata=None):
    profile = {
        "driver": "GTiff",
        "count": 1,
        "height": values.shape[0],
        "width": values.shape[1],
        "nodata": nodata,
    }
    transform = Affine(step, 0, CORNER[0], 0, -step, CORNER[1])
    place = {} if crs is None else {"crs": crs, "transform": transform}
    with rasterio.open(path, "w", dtype=values.dtype, **profile, **place) as file:
        file.write(values, 1)
    return path


@pytest.fixture
def truth(tmp_path):
    return written(tmp_path / "truth.tif", cross().astype(np.uint8) * 255)


@pytest.fixture
def roads():
    georef = Georef(UTM, Affine(1.0, 0.0, CORNER[0], 0.0, -1.0, CORNER[1]))
    return vectorize(cross().astype(np.uint8) * 254, georef, ground_resolution_m=1.0)


def iou(pair):
    return (pair.predicted & pair.truth).sum() / (pair.predicted | pair.truth).sum()


@pytest.mark.parametrize(
    "values",
    [
        cross(),
        cross().astype(np.uint8),
        cross().astype(np.uint8) * 255,
        cross().astype(np.uint8) * 254,
        cross().astype(np.float32),
        cross().astype(np.int64),
    ],
    ids=["bool", "0/1", "0/255", "0/254", "float", "int64"],
)
def test_every_kind_of_mask_is_the_same_mask(values):
    pair = load_pair(values, cross())
    assert iou(pair) == 1
    assert not pair.graded


def test_probabilities_keep_their_values_and_no_data_is_left_out():
    assert as_probability(np.array([[0.0, 0.5, 1.0, np.nan]])).tolist() == [[0, 127, 254, NO_DATA]]
    assert as_probability(np.array([[0, 1, 255]], np.uint8)).tolist() == [[0, 254, NO_DATA]]
    probability = np.where(cross(), 0.7, 0.1)
    probability[:, 150:] = np.nan
    pair = load_pair(probability, cross())
    assert pair.graded
    assert iou(pair) == 1
    assert not pair.valid[:, 150:].any()
    assert not pair.truth[:, 150:].any()
    assert pair.true_roads.points[:, 0].max() <= 151


def test_rasters_on_different_grids_meet_by_their_georeference(tmp_path, truth):
    fine = written(
        tmp_path / "fine.tif", cross().repeat(2, axis=0).repeat(2, axis=1).astype(np.uint8), step=0.5
    )
    assert iou(load_pair(fine, truth)) == 1
    shifted = cross(160, 160).astype(np.uint8)
    pair = load_pair(written(tmp_path / "part.tif", shifted), truth)
    assert pair.valid.sum() == 160 * 160


def test_another_crs_is_brought_to_the_truths_grid(tmp_path, truth, roads):
    elsewhere = written(tmp_path / "other.tif", cross().astype(np.uint8))
    with (
        rasterio.open(elsewhere) as file,
        rasterio.vrt.WarpedVRT(file, crs="EPSG:4326", src_nodata=9) as warped,
    ):
        values, transform = (warped.read(1) == 1).astype(np.uint8), warped.transform
    path = tmp_path / "degrees.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=values.shape[0], width=values.shape[1], dtype="uint8",
        crs="EPSG:4326", transform=transform,
    ) as file:  # fmt: skip
        file.write(values, 1)
    assert iou(load_pair(path, truth)) > 0.85
    assert iou(load_pair(roads.reproject("EPSG:4326"), truth)) > 0.97


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".graphml"])
def test_road_files_against_a_mask_and_against_roads(tmp_path, truth, roads, suffix):
    path = tmp_path / f"roads{suffix}"
    roads.save(path)
    against_mask, turned = load_pair(path, truth), load_pair(truth, path)
    assert iou(against_mask) > 0.97
    assert iou(turned) > 0.97
    against_roads = load_pair(path, roads)
    assert iou(against_roads) > 0.97
    for pair in (against_mask, turned, against_roads):
        assert pair.roads.length_m == pytest.approx(pair.true_roads.length_m, rel=0.01)
        assert pair.ground_resolution_m == pytest.approx(1, abs=1e-3)


def test_roads_are_cut_to_the_raster_and_to_what_is_visible(tmp_path, truth):
    long = gpd.GeoDataFrame(
        geometry=[
            shapely.LineString([(CORNER[0] - 500, CORNER[1] - 100.5), (CORNER[0] + 700, CORNER[1] - 100.5)])
        ],
        crs=UTM.to_wkt(),
    )
    pair = load_pair(long, truth)
    assert pair.roads.length_m == pytest.approx(200, abs=1)
    values = cross().astype(np.uint8)
    values[:, :50] = 255
    hidden = load_pair(long, written(tmp_path / "hidden.tif", values, nodata=255))
    assert hidden.roads.length_m == pytest.approx(150, abs=2)


def test_blank_areas_of_the_image_are_left_out(tmp_path):
    image = np.full((3, 200, 200), 90, np.uint8)
    image[:, :, 150:] = 255
    image[:, 3, 3] = 255
    path = tmp_path / "image.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=3, height=200, width=200, dtype="uint8", crs=UTM,
        transform=Affine(1, 0, CORNER[0], 0, -1, CORNER[1]),
    ) as file:  # fmt: skip
        file.write(image)
    pair = load_pair(cross(), cross(), image=path)
    assert pair.valid.sum() == 200 * 150
    long = gpd.GeoDataFrame(
        geometry=[shapely.LineString([(CORNER[0] - 900, CORNER[1] - 9), (CORNER[0] + 900, CORNER[1] - 9)])],
        crs=UTM.to_wkt(),
    )
    both = load_pair(long, long, image=path)
    assert both.truth.shape == (200, 200)
    assert both.roads.length_m == pytest.approx(150, abs=1)


def test_roads_in_pixels_go_with_a_picture_without_crs(tmp_path):
    line = gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 100.5), (200, 100.5)])])
    truth = cross()
    truth[:, 97:104] &= np.arange(200)[:, None] > 300
    truth[97:104] = True
    pair = load_pair(line, truth, gsd=0.5, width_m=3.5)
    assert iou(pair) == 1
    assert pair.roads.length_m == pytest.approx(100)
    assert pair.bounds == (0, 0, 100, 100)


def test_a_broken_file_is_named(tmp_path, truth):
    for name, content in (
        ("a.tif", b"II*\0 no tiff"),
        ("a.geojson", b'{"type": "Feat'),
        ("a.graphml", b"<graphml>"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            load_pair(tmp_path / name, truth)


def test_what_does_not_go_together_is_refused(tmp_path, truth):
    line = gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (9, 9)])])
    with pytest.raises(InputError, match="no CRS"):
        load_pair(line, truth)
    with pytest.raises(InputError, match="how they lie"):
        load_pair(np.zeros((9, 9), bool), np.zeros((8, 8), bool))
    with pytest.raises(InputError, match="floats beyond 0"):
        load_pair(np.full((9, 9), 3.0), np.zeros((9, 9), bool))
    with pytest.raises(InputError, match="has shape"):
        load_pair(np.zeros((9, 9, 3), bool), np.zeros((9, 9), bool))
    (tmp_path / "roads.docx").touch()
    with pytest.raises(InputError, match="neither a raster nor roads"):
        load_pair(tmp_path / "roads.docx", truth)
    with pytest.raises(InputError, match="is not there"):
        load_pair(tmp_path / "roads.tif", truth)
    with pytest.raises(InputError, match="is int; give"):
        load_pair(7, truth)
    with pytest.raises(UsageError, match="threshold is 0"):
        load_pair(truth, truth, threshold=0)
    with pytest.raises(UsageError, match="gsd is -1"):
        load_pair(truth, truth, gsd=-1)
