"""Draw what the built-in model is known to get wrong, for the page of its card: the image above, the roads found below.

python -m benchmarks.weaknesses ../shared/data/georeferenced/agawam_4500x6000_1m.tif docs/images/weaknesses.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import roadlift
from roadlift.imagery import ImagerySource, Window

SIDE = 300
PLACES = {
    "paths of a cemetery are roads to it": (1875, 4345),
    "a railway is drawn as a road": (3136, 2900),
    "of two tracks on bare ground one is missed": (1094, 467),
    "of a path it takes a piece": (649, 4126),
}
"""Row and column in the Agawam image."""
ROAD = "#ffd84d"


def draw(image: Path, picture: Path) -> None:
    """Extract the roads of the image and draw each place twice."""
    roads = roadlift.extract(image)
    figure, axes = plt.subplots(2, len(PLACES), figsize=(3 * len(PLACES), 6.2))
    with ImagerySource(image) as source:
        inverse = ~source.georef.transform
        lines = [np.column_stack(inverse * tuple(np.array(line.coords).T)) for line in roads.edges.geometry]
        for column, (text, (row, col)) in enumerate(PLACES.items()):
            window = Window(row - SIDE // 2, col - SIDE // 2, SIDE, SIDE)
            pixels = np.moveaxis(source.read(window).values, 0, 2)
            for axis in axes[:, column]:
                axis.imshow(pixels)
                axis.set_axis_off()
            axes[0, column].set_title(text, fontsize=10)
            for line in lines:
                axes[1, column].plot(line[:, 0] - window.col, line[:, 1] - window.row, color=ROAD, lw=2)
            axes[1, column].set(xlim=(0, SIDE), ylim=(SIDE, 0))
    figure.tight_layout()
    figure.savefig(picture, dpi=80, pil_kwargs={"quality": 85})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    draw(arguments.image, arguments.picture)
