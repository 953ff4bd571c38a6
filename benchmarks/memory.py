"""The memory promise held against real runs: peak of the process beside the plan, over time, on images made to size.

    python -m benchmarks.memory                      # 6 000 and 12 000 pixels square, sparse and dense, within 1 GB
    python -m benchmarks.memory --sparse 100000 --dense 40000

*Sparse* is an image of which a hundredth holds a scene and the rest was never written; *dense* repeats the scene all over.
Each is extracted in a process of its own. *Growth* is the resident memory at the end of the tiles over that at a quarter;
*slope* is what the peak grows by for each 1000 megapixels from the smallest to the largest image of its kind.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window as RasterioWindow

from roadlift.scene import render

if TYPE_CHECKING:
    from collections.abc import Iterator

SCENE = 1024
RUN = """
import json, sys, time
from roadlift.pipeline import ExtractOptions, extract, peak_memory_mb

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

marks = {}
def progress(done, total):
    for quarter in (1, 2, 3, 4):
        if quarter not in marks and done * 4 >= quarter * total:
            marks[quarter] = resident()

roads = extract(sys.argv[1], ExtractOptions(max_memory=sys.argv[2]), output=sys.argv[3], progress=progress)
print(json.dumps({
    "peak": peak_memory_mb(), "marks": [marks[quarter] for quarter in sorted(marks)],
    "plan": roads.provenance["plan"], "run": roads.provenance["runs"][0], "seconds": roads.provenance["seconds"],
    "km": roads.length_km, "cpu": time.process_time(),
}))
"""


@dataclass(frozen=True)
class Measured:
    """What one extraction took."""

    name: str
    side: int
    peak_mb: float
    planned_mb: float
    marks_mb: tuple[float, ...]
    run: dict[str, int]
    cpu_seconds: float
    length_km: float

    @property
    def growth(self) -> float:
        """Resident memory when all tiles are done over that when a quarter is."""
        return self.marks_mb[-1] / self.marks_mb[0]


def make_image(path: Path, side: int, *, dense: bool) -> None:
    """Write a tiled GeoTIFF of ``side`` pixels, everywhere or at every tenth place filled with one scene."""
    scene = np.moveaxis(render(7, shape=(SCENE, SCENE)).image, 2, 0)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=side,
        height=side,
        count=3,
        dtype="uint8",
        crs="EPSG:32619",
        transform=Affine(1, 0, 300_000, 0, -1, 4_700_000),
        tiled=True,
        blockxsize=512,
        blockysize=512,
        compress="jpeg",
        photometric="YCBCR",
        interleave="pixel",
        sparse_ok=True,
        bigtiff="YES",
    ) as file:
        for number, (row, col) in enumerate(np.ndindex(-(-side // SCENE), -(-side // SCENE))):
            if dense or number % 100 == 0:
                height, width = min(SCENE, side - row * SCENE), min(SCENE, side - col * SCENE)
                place = RasterioWindow(col * SCENE, row * SCENE, width, height)
                file.write(scene[:, :height, :width], window=place)


def measure(folder: Path, side: int, *, dense: bool, memory: str) -> Measured:
    """Extract an image made to size in a process of its own."""
    name = "dense" if dense else "sparse"
    image = folder / f"{name}-{side}.tif"
    make_image(image, side, dense=dense)
    command = [sys.executable, "-c", RUN, str(image), memory, str(image.with_suffix(".gpkg"))]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return Measured(
        name,
        side,
        found["peak"],
        found["plan"]["expected_memory"] / 1e6,
        tuple(found["marks"]),
        found["run"],
        found["cpu"],
        found["seconds"],
        found["km"],
    )


def table(found: list[Measured]) -> str:
    """Return the measurements as text."""
    heads = ("", "pixels", "peak MB", "plan MB", "growth", "tiles", "repeated", "road km", "cpu s", "s")
    rows = [
        (
            one.name,
            f"{one.side} x {one.side}",
            f"{one.peak_mb:.0f}",
            f"{one.planned_mb:.0f}",
            f"{one.growth:.2f}",
            f"{one.run['tiles']}",
            f"{one.run['repeated'] + one.run['without_data']}",
            f"{one.length_km:.0f}",
            f"{one.cpu_seconds:.0f}",
            f"{one.seconds:.0f}",
        )
        for one in found
    ]
    lines = [
        f"{row[0]:<8}" + "".join(f"{value:>{16 if at == 0 else 9}}" for at, value in enumerate(row[1:]))
        for row in (heads, *rows)
    ]
    return "\n".join([*lines, *_slopes(found)])


def _slopes(found: list[Measured]) -> Iterator[str]:
    for name in dict.fromkeys(one.name for one in found):
        kind = sorted((one for one in found if one.name == name), key=lambda one: one.side)
        small, large = kind[0], kind[-1]
        gigapixels = (large.side**2 - small.side**2) / 1e9
        if gigapixels:
            grown = (large.peak_mb - small.peak_mb) / gigapixels
            roads = (large.peak_mb - small.peak_mb) / max(large.length_km - small.length_km, 1) * 1000
            yield f"{name}: {grown:.0f} MB for each 1000 megapixels, {roads:.0f} MB for each 1000 km of road"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sparse", type=int, nargs="*", default=[6000, 12_000], metavar="SIDE")
    parser.add_argument("--dense", type=int, nargs="*", default=[6000, 12_000], metavar="SIDE")
    parser.add_argument("--max-memory", default="1GB")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [
            measure(Path(folder), side, dense=dense, memory=arguments.max_memory)
            for sides, dense in ((arguments.sparse, False), (arguments.dense, True))
            for side in sides
        ]
    print(table(found))


if __name__ == "__main__":
    main()
