"""Plots: on the axes they are given, with the figures of the road map."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import roadlift
from roadlift.errors import InputError, UsageError
from roadlift.imagery.burn import north_up
from roadlift.network import NetworkOptions, vectorize
from roadlift.report.figures import FALSE, MISSED, PROBABILITY_COLOURS, RIGHT
from roadlift.report.plots import plot_curves, plot_errors, plot_lengths, plot_roads, plot_widths

plt.switch_backend("agg")


@pytest.fixture(scope="module")
def roads():
    probability = np.zeros((200, 300), np.uint8)
    probability[96:104] = 254
    probability[:100, 146:154] = 254
    return vectorize(
        probability,
        north_up(330_000, 4_690_000, 1.0, crs="EPSG:32619"),
        ground_resolution_m=1.0,
        options=NetworkOptions(),
        provenance={},
    )


@pytest.fixture
def ax():
    figure = Figure(figsize=(6, 4), dpi=100)
    FigureCanvasAgg(figure)
    return figure.subplots()


def test_roads_are_drawn_where_they_lie_on_the_axes_that_are_given(roads, ax):
    assert roads.plot(ax=ax, legend=False) is ax
    ax.figure.canvas.draw()
    pixels = np.asarray(ax.figure.canvas.buffer_rgba())[..., :3].astype(int)
    for easting, northing, drawn in ((330_060, 4_689_900, True), (330_060, 4_689_950, False)):
        x, y = ax.transData.transform((easting, northing))
        colour = pixels[pixels.shape[0] - 1 - round(y), round(x)]
        wanted = 255 * np.array(to_rgb(PROBABILITY_COLOURS(1.0)) if drawn else to_rgb("#1b1f24"))
        assert np.abs(colour - wanted).max() < 20


@pytest.mark.parametrize("inches", [1, 24])
def test_lines_grow_with_the_axes_and_stay_visible(roads, inches):
    ax = Figure(figsize=(inches, inches), dpi=100).subplots()
    roads.plot(ax=ax, legend=False)
    widths = ax.collections[1].get_linewidths()
    side = np.sqrt(ax.get_window_extent().width * ax.get_window_extent().height) * 72 / 100
    assert side / 330 < min(widths) <= max(widths) < side / 35


def test_over_an_image_the_axes_are_its_pixels(roads, ax, raster):
    from affine import Affine

    image = raster(
        np.full((3, 100, 150), 90, np.uint8), transform=Affine(2.0, 0, 330_000, 0, -2.0, 4_690_000)
    )
    roads.plot(ax=ax, image=image)
    assert ax.get_xlim() == (0, 150)
    assert ax.get_ylim() == (100, 0)
    rows = np.concatenate([line[:, 1] for line in ax.collections[1].get_segments()])
    assert rows.max() == pytest.approx(50, abs=1)


def test_bars_add_up_to_the_length(roads, ax):
    for plot in (plot_widths, plot_lengths):
        drawn = plot(roads, Figure().subplots())
        assert sum(bar.get_width() for bar in drawn.patches) == pytest.approx(roads.length_km)


def test_scores_of_two_evaluations_stand_side_by_side(ax):
    truth = np.zeros((200, 300), bool)
    truth[96:103] = True
    first, second = (roadlift.evaluate(np.roll(truth, shift, axis=0), truth) for shift in (0, 4))
    first.plot(ax=ax, label="first")
    assert second.plot(ax=ax, label="second") is ax
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    values = {
        label: dict(zip(np.rint(points.get_offsets()[:, 1]), points.get_offsets()[:, 0], strict=True))
        for label, points in zip(("first", "second"), ax.collections[1::2], strict=True)
    }
    assert values["first"][names.index("iou")] == 1.0
    assert values["second"][names.index("iou")] == pytest.approx(3 / 11)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["first", "second"]


def test_an_error_map_is_green_red_and_blue(ax):
    truth, found = np.zeros((2, 60, 60), bool)
    truth[20:30] = found[25:35] = True
    shown = plot_errors(found, truth, ax).images[0].get_array()
    for row, colour in ((22, MISSED), (27, RIGHT), (32, FALSE)):
        assert np.abs(shown[row, 30] / 255 - (0.8 * np.array(to_rgb(colour)) + 0.2)).max() < 0.01


def test_curves_are_those_of_the_log(tmp_path):
    with pytest.raises(InputError, match=r"no log\.csv"):
        plot_curves(tmp_path)
    (tmp_path / "log.csv").write_text("step,loss,dev_iou,learning_rate\n0,,0.1,0.1\n2,0.5,0.4,0.01\n")
    axes = plot_curves(tmp_path, Figure().subplots(1, 3))
    assert axes[1].lines[0].get_ydata().tolist() == [0.1, 0.4]
    with pytest.raises(UsageError, match="need 3"):
        plot_curves(tmp_path, [axes[0]])


def test_a_notebook_shows_a_card_without_markup_of_strangers(roads):
    html = roads._repr_html_()
    assert re.search(r"<b>0\.4 km</b>", html)
    assert html.count("<path") == 1


def test_an_interactive_map_fetches_no_background(roads):
    pytest.importorskip("folium", reason="folium is not installed")
    html = roads.explore().get_root().render()
    assert "tileLayer(" not in html
    assert "probability" in html


def test_plots_make_new_axes_where_none_are_given(roads):
    ax = plot_roads(roads)
    assert plt.gcf() is ax.figure
    plt.close(ax.figure)
