"""Figures: lines where they should be, in the colours that say what they mean."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from shapely.geometry import LineString
from skimage.color import rgb2lab

from roadlift.errors import InputError, OutputError, UsageError
from roadlift.imagery.burn import north_up
from roadlift.imagery.picture import write_image
from roadlift.network import NetworkOptions, RoadMap, vectorize
from roadlift.report import overlay, panels
from roadlift.report.figures import (
    FALSE,
    MISSED,
    PROBABILITY_COLOURS,
    RIGHT,
    Backdrop,
    compare_lines,
    overlay_figure,
    panels_figure,
)

DATA = Path(__file__).parents[2].parent / "shared/data/georeferenced"
GEOREF = north_up(330_000, 4_690_000, 1.0, crs="EPSG:32619")
SEEN_WITHOUT_CONES = (
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
)
GREY = np.full((200, 300, 3), 60, np.uint8)


def horizontal_road(value=254, georef=GEOREF, row=100):
    probability = np.zeros((200, 300), np.uint8)
    probability[row - 4 : row + 4] = value
    return probability, vectorize(
        probability, georef, ground_resolution_m=1.0, options=NetworkOptions(), provenance={}
    )


def pixels(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)


def near(colour, wanted, tolerance=12):
    return np.abs(np.asarray(colour) - np.asarray(to_rgb(wanted)) * 255).max() < tolerance


def test_a_sure_road_is_drawn_yellow_where_it_lies():
    _, roads = horizontal_road()
    picture = pixels(overlay_figure(Backdrop(GREY, GEOREF, (200, 300)), roads))
    assert picture.shape == (800, 1200, 3)
    assert near(picture[400, 600], PROBABILITY_COLOURS(1.0))
    assert picture[200, 600].tolist() == [60, 60, 60]


def test_a_doubtful_road_has_another_colour():
    _, roads = horizontal_road(value=140)
    picture = pixels(overlay_figure(Backdrop(GREY, GEOREF, (200, 300)), roads))
    share = (140 / 254 - 0.5) / 0.5
    assert near(picture[400, 600], PROBABILITY_COLOURS(share), 25)


def test_line_width_follows_road_width():
    def thickness(half):
        probability = np.zeros((200, 300), np.uint8)
        probability[100 - half : 100 + half] = 254
        roads = vectorize(
            probability, GEOREF, ground_resolution_m=1.0, options=NetworkOptions(), provenance={}
        )
        picture = pixels(overlay_figure(Backdrop(GREY, GEOREF, (200, 300)), roads))
        return (picture[:, 600, 0] > 200).sum()

    assert thickness(7) > 1.3 * thickness(3)


def test_roads_in_pixel_coordinates_and_in_another_crs():
    _, in_pixels = horizontal_road(georef=north_up(0, 0, 1.0))
    assert near(
        pixels(overlay_figure(Backdrop(GREY, None, (200, 300)), in_pixels))[400, 600],
        PROBABILITY_COLOURS(1.0),
    )
    _, on_map = horizontal_road()
    elsewhere = on_map.reproject("EPSG:4326")
    picture = pixels(overlay_figure(Backdrop(GREY, GEOREF, (200, 300)), elsewhere))
    assert near(picture[400, 600], PROBABILITY_COLOURS(1.0))


def test_scale_bar_only_where_metres_are_known():
    empty = RoadMap.empty()
    bare = pixels(overlay_figure(Backdrop(GREY, None, (200, 300)), empty))
    assert (bare == 60).all()
    ruled = pixels(overlay_figure(Backdrop(GREY, GEOREF, (200, 300)), RoadMap.empty(crs="EPSG:32619")))
    white = (ruled[600:, :600] == 255).all(axis=2).sum(axis=1).max()
    assert white == pytest.approx(50 * 4, abs=3)


def test_large_images_become_smaller_and_keep_their_lines(tmp_path):
    _, roads = horizontal_road()
    path = overlay(GREY, roads, tmp_path / "a.png", georef=GEOREF, longest_side=100)
    picture = imread(path)
    assert picture.shape[:2] == (66, 100)
    assert picture[32:35, 50, 0].max() > 0.7
    assert picture[10, 50, 0] < 0.3


def test_lines_far_outside_the_image_are_left_out():
    _, roads = horizontal_road()
    far = north_up(900_000, 5_000_000, 1.0, crs="EPSG:32619")
    picture = pixels(overlay_figure(Backdrop(GREY, far, (200, 300)), roads))
    assert picture[400, 600].tolist() == [60, 60, 60]


def test_overlay_of_a_file_is_stretched_and_written_the_same_twice(tmp_path):
    _, roads = horizontal_road()
    rng = np.random.default_rng(0)
    image = rng.integers(40, 80, GREY.shape).astype(np.uint8)
    source = write_image(tmp_path / "image.tif", image, GEOREF)
    first = overlay(source, roads, tmp_path / "a.png").read_bytes()
    second = overlay(source, roads, tmp_path / "a.png").read_bytes()
    assert first == second
    picture = imread(tmp_path / "a.png")
    assert near(picture[400, 600, :3] * 255, PROBABILITY_COLOURS(1.0))
    assert picture[100:300, :, :3].max() > 0.95
    assert picture[100:300, :, :3].min() < 0.05
    with pytest.raises(OutputError, match="exists"):
        overlay(source, roads, tmp_path / "a.png", overwrite=False)


def test_compare_lines_splits_at_the_tolerance():
    found = [LineString([(0, 0), (100, 0)]), LineString([(0, 50), (30, 50)])]
    true = [LineString([(0, 1), (60, 1)]), LineString([(0, 90), (10, 90)])]
    right, missed, false = compare_lines(found, true, 3.0)
    length = np.sqrt(3.0**2 - 1)
    assert sum(line.length for line in right) == pytest.approx(60 + length, abs=0.05)
    assert sum(line.length for line in missed) == pytest.approx(10)
    assert sum(line.length for line in false) == pytest.approx(40 - length + 30, abs=0.05)


def test_compare_nothing():
    line = LineString([(0, 0), (4, 0)])
    assert compare_lines([], [], 1.0) == ([], [], [])
    assert compare_lines([], [line], 1.0)[1][0].length == 4
    assert compare_lines([line], [], 1.0)[2][0].length == 4


def middle(figure, picture, index, row, col):
    """The colour that a panel shows at a pixel of the 200 x 300 image."""
    box = figure.axes[index].get_position()
    height, width = picture.shape[:2]
    y = (1 - box.y1 + (row + 0.5) / 200 * box.height) * height
    x = (box.x0 + (col + 0.5) / 300 * box.width) * width
    return picture[round(y), round(x)]


@pytest.mark.parametrize("columns", [2, 4])
def test_panels_show_right_missed_and_false_in_their_colours(columns):
    probability = np.zeros((200, 300), np.uint8)
    probability[36:44] = probability[156:164] = 254
    probability[:10, :10] = 255
    roads = vectorize(probability, GEOREF, ground_resolution_m=1.0, options=NetworkOptions(), provenance={})
    lines = [LineString([(330_000, 4_690_000 - row), (330_300, 4_690_000 - row)]) for row in (40, 100)]
    truth = gpd.GeoDataFrame(geometry=lines, crs="EPSG:32619")
    figure = panels_figure(
        GREY, probability, roads, truth, georef=GEOREF, columns=columns, title="A", figures={"b": 0.5}
    )
    picture = pixels(figure)
    assert near(middle(figure, picture, 3, 39.5, 150), RIGHT)
    assert any(near(middle(figure, picture, 3, 99.5, col), MISSED) for col in range(140, 160))
    assert near(middle(figure, picture, 3, 159.5, 150), FALSE)
    assert near(middle(figure, picture, 2, 39.5, 150), PROBABILITY_COLOURS(1.0))
    assert middle(figure, picture, 0, 80, 150).tolist() == [60, 60, 60]
    assert middle(figure, picture, 1, 39.5, 150).min() > 180
    assert middle(figure, picture, 1, 80, 150).max() < 10
    assert near(middle(figure, picture, 1, 4, 4), "#5b616a")
    boxes = np.array([axes.get_position().bounds[2:] for axes in figure.axes[:4]])
    assert np.ptp(boxes, axis=0).max() < 1e-9


def test_panels_file_names_and_caption(tmp_path):
    probability, roads = horizontal_road()
    truth = gpd.GeoDataFrame(geometry=[shapely.LineString()], crs="EPSG:32619").iloc[:0]
    path = panels(
        GREY,
        probability,
        roads,
        truth,
        tmp_path / "demo.png",
        georef=GEOREF,
        figures={"APLS": 0.8123, "found": "2 km"},
    )
    assert imread(path).shape[1] == 2400
    figure = panels_figure(
        GREY, probability, roads, truth, georef=GEOREF, figures={"APLS": 0.8123, "found": "2 km"}
    )
    words = [text.get_text() for text in figure.texts]
    assert "APLS 0.812   ·   found 2 km" in words
    assert {"Image", "Road probability", "Network found", "Against the truth"} <= set(words)


def test_bad_calls(tmp_path):
    probability, roads = horizontal_road()
    truth = gpd.GeoDataFrame(geometry=[], crs="EPSG:32619")
    with pytest.raises(UsageError, match="2 or 4"):
        panels(GREY, probability, roads, truth, tmp_path / "a.png", columns=3)
    with pytest.raises(InputError, match="must agree"):
        panels(GREY, probability[:10], roads, truth, tmp_path / "a.png")
    with pytest.raises(InputError, match="uint8"):
        overlay(GREY.astype(float), roads, tmp_path / "a.png")
    with pytest.raises(UsageError, match="use one of"):
        overlay(GREY, roads, tmp_path / "a.bmp")
    with pytest.raises(OutputError, match="does not exist"):
        overlay(GREY, roads, tmp_path / "none" / "a.png")


def test_real_image_from_its_file(tmp_path):
    image = DATA / "tiny_10528735_512.tif"
    if not image.exists():
        pytest.skip(f"{image.name} is not there: real imagery lies in ../shared/data")
    path = overlay(image, RoadMap.empty(crs="EPSG:26986"), tmp_path / "real.png")
    picture = imread(path)
    assert picture.shape[:2] == (1536, 1536)
    assert picture[..., :3].std() > 0.1


def test_colour_blind_readers_tell_right_missed_and_false_apart():
    """Seen as by people without red, green or blue cones (Machado et al. 2009), any two differ plainly in CIELAB."""
    linear = np.array([[part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
                       for colour in (RIGHT, MISSED, FALSE)])  # fmt: skip
    for seen in SEEN_WITHOUT_CONES:
        simulated = np.clip(linear @ np.array(seen).T, 0, 1)
        encoded = np.where(simulated <= 0.0031308, 12.92 * simulated, 1.055 * simulated ** (1 / 2.4) - 0.055)
        lab = rgb2lab(encoded[None])[0]
        apart = [np.linalg.norm(lab[first] - lab[second]) for first, second in ((0, 1), (0, 2), (1, 2))]
        assert min(apart) > 35
