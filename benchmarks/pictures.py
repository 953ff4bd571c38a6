"""The picture of a road network at a glance: all of it, and two places over the image.

roadlift extract IMAGE roads.gpkg
python -m benchmarks.pictures IMAGE roads.gpkg docs/images/agawam.jpg
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import rasterio
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from rasterio.windows import Window, bounds
from shapely import box

from roadlift import RoadMap
from roadlift.model import find_card
from roadlift.report.figures import PROBABILITY_COLOURS

PLACES = ((2530, 1690, 560), (870, 4870, 560))
"""In the Agawam image; they are twice as wide as high."""
DPI = 100


def draw(image: Path, roads: RoadMap, output: Path, places: Sequence[tuple[int, int, int]] = PLACES) -> None:
    """Draw the network and two places: column and row of their upper left corners, and rows."""
    figure = plt.figure(figsize=(16, 9.9), dpi=DPI, facecolor="white")
    grid = figure.add_gridspec(
        2,
        2,
        width_ratios=(1, 1.42),
        left=0.006,
        right=0.994,
        top=0.994,
        bottom=0.075,
        hspace=0.025,
        wspace=0.02,
    )
    overview = figure.add_subplot(grid[:, 0])
    roads.plot(overview, legend=False)
    west, south, east, north = _bounds(image)
    overview.set_xlim(west, east)
    overview.set_ylim(south, north)
    for row, place in enumerate(places):
        _draw_place(figure.add_subplot(grid[row, 1]), overview, image, roads, place)
    for axes in figure.axes:
        axes.set_xticks([])
        axes.set_yticks([])
    scale = ScalarMappable(Normalize(0, 1), PROBABILITY_COLOURS)
    key = figure.add_axes((0.03, 0.045, 0.26, 0.014))
    figure.colorbar(scale, cax=key, orientation="horizontal", label="probability")
    card = find_card(roads.provenance["model"]["name"])
    figure.text(
        0.33, 0.035,
        f"{roads.length_km:.0f} km of road in {len(roads.edges)} edges, {_area_km2(image):.0f} km²; lines as wide as roads, "
        f"dashed where a gap was bridged; {card.name} version {card.version}",
        fontsize=12,
    )  # fmt: skip
    figure.savefig(output, dpi=DPI, pil_kwargs={"quality": 82})


def _draw_place(axes: Axes, overview: Axes, image: Path, roads: RoadMap, place: tuple[int, int, int]) -> None:
    column, row, rows = place
    window = Window(column, row, 2 * rows, rows)
    with tempfile.TemporaryDirectory() as folder, rasterio.open(image) as source:
        part = Path(folder) / "part.tif"
        transform = source.window_transform(window)
        profile = {"driver": "GTiff", "width": 2 * rows, "height": rows, "count": 3, "dtype": "uint8"}
        with rasterio.open(part, "w", **profile, crs=source.crs, transform=transform) as target:
            target.write(source.read((1, 2, 3), window=window))
        west, south, east, north = bounds(window, source.transform)
        roads.clip(box(west, south, east, north)).plot(axes, image=part, legend=False)
    axes.set_xlim(0, 2 * rows)
    axes.set_ylim(rows, 0)
    overview.add_patch(
        Rectangle((west, south), east - west, north - south, fill=False, edgecolor="white", linewidth=1.5)
    )


def _bounds(image: Path) -> tuple[float, float, float, float]:
    with rasterio.open(image) as source:
        return tuple(source.bounds)


def _area_km2(image: Path) -> float:
    west, south, east, north = _bounds(image)
    return (east - west) * (north - south) / 1e6


if __name__ == "__main__":
    mpl.use("Agg")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image", type=Path)
    parser.add_argument("roads", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    draw(arguments.image, RoadMap.from_file(arguments.roads), arguments.output)
