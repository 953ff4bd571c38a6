"""The memory promise held against real runs: peak of the process beside the plan, over time, on images made to size.

    python -m benchmarks.memory                      # 6 000 and 12 000 pixels square, sparse and dense, within 1 GB
    python -m benchmarks.memory --sparse 100000 --dense 40000 --raster 60000

*Sparse* is an image of which a hundredth holds a scene and the rest was never written; *dense* repeats the scene all over,
for every tile of the file is one and the same piece of it. Both are extracted; *raster* is as dense, and a random network of
three layers makes a probability raster of it and no roads. Each runs in a process of its own. *Growth* is the resident
memory at the end of the tiles over that at a quarter; *slope* is what the peak grows by for each 1000 megapixels from the
smallest to the largest image of its kind.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import rasterio
from affine import Affine
from onnx import TensorProto, helper, numpy_helper
from rasterio.windows import Window as RasterioWindow

from roadlift.model import CARD_KEY, ModelCard, graph_sha256
from roadlift.scene import render

if TYPE_CHECKING:
    from collections.abc import Iterator

SCENE = 1024
KINDS = ("sparse", "dense", "raster")
TILE_OFFSETS, TILE_BYTE_COUNTS = 324, 325
TIFF_TYPES = {3: "<u2", 4: "<u4", 16: "<u8"}
RUN = """
import json, sys, time
from roadlift.model import find_card
from roadlift.pipeline import ExtractOptions, extract, peak_memory_mb, predict
from roadlift.preflight import inspect

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

marks = {}
def progress(done, total):
    for quarter in (1, 2, 3, 4):
        if quarter not in marks and done * 4 >= quarter * total:
            marks[quarter] = resident()

image, output, memory, model = sys.argv[1:]
options = ExtractOptions(max_memory=memory, **({"model": model} if model else {}))
if output.endswith(".tif"):
    run, length = predict(image, output, options, progress=progress), 0.0
    seconds = run["seconds"]
else:
    roads = extract(image, options, output=output, progress=progress)
    run, length, seconds = roads.provenance["runs"][0], roads.length_km, roads.provenance["seconds"]
peak, cpu = peak_memory_mb(), time.process_time()
planned = inspect(image, card=find_card(options.model), max_memory=memory, int8=not model).expected_memory_mb
print(json.dumps({
    "peak": peak, "marks": [marks[quarter] for quarter in sorted(marks)], "planned": planned, "run": run,
    "seconds": seconds, "km": length, "cpu": cpu,
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
    seconds: float
    length_km: float

    @property
    def growth(self) -> float:
        """Resident memory when all tiles are done over that when a quarter is."""
        return self.marks_mb[-1] / self.marks_mb[0]


def make_image(path: Path, side: int, *, dense: bool) -> None:
    """Write a tiled GeoTIFF of ``side`` pixels, filled with one scene at every hundredth place, or everywhere."""
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
        blockxsize=SCENE,
        blockysize=SCENE,
        compress="jpeg",
        photometric="YCBCR",
        interleave="pixel",
        sparse_ok=True,
        bigtiff="YES",
    ) as file:
        for number, (row, col) in enumerate(np.ndindex(-(-side // SCENE), -(-side // SCENE))):
            if number % 100 == 0:
                height, width = min(SCENE, side - row * SCENE), min(SCENE, side - col * SCENE)
                place = RasterioWindow(col * SCENE, row * SCENE, width, height)
                file.write(scene[:, :height, :width], window=place)
    if dense:
        _repeat_first_tile(path)


def _repeat_first_tile(path: Path) -> None:
    """Let every tile of a BigTIFF be its first one."""
    data = np.memmap(path, np.uint8, "r+")
    (directory,) = struct.unpack_from("<Q", data, 8)
    (entries,) = struct.unpack_from("<Q", data, directory)
    for entry in range(entries):
        tag, kind, count, place = struct.unpack_from("<HHQQ", data, directory + 8 + 20 * entry)
        if tag in (TILE_OFFSETS, TILE_BYTE_COUNTS):
            numbers = np.frombuffer(data, TIFF_TYPES[kind], count, place)
            numbers[:] = numbers[0]


def small_network(path: Path) -> Path:
    """Write a model of three random convolutions."""
    random = np.random.default_rng(0)
    channels = (3, 8, 8, 1)
    weights, nodes = [], []
    for layer, (before, after) in enumerate(pairwise(channels)):
        kernel = random.normal(0, (2 / 9 / before) ** 0.5, (after, before, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"weights{layer}"))
        nodes += [
            helper.make_node("Conv", [f"layer{layer}", f"weights{layer}"], [f"sum{layer}"], pads=[1] * 4),
            helper.make_node("Relu", [f"sum{layer}"], [f"layer{layer + 1}"]),
        ]
    nodes[-1] = helper.make_node("Sigmoid", ["sum2"], ["probability"])
    nodes[0].input[0] = "image"
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ("n", bands, "rows", "cols"))
        for name, bands in (("image", 3), ("probability", 1))
    ]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    card = ModelCard(
        name="small", version="1", architecture="three convolutions", description="", ground_resolution_m=1.0, stride=8,
        halo=8, exact_halo=8, threshold=0.5, threshold_low=0.5, licence="Apache-2.0", credit="", sha256=graph_sha256(path),
    )  # fmt: skip
    model.metadata_props.add(key=CARD_KEY, value=card.to_json())
    onnx.save(model, path)
    return path


def measure(folder: Path, kind: str, side: int, *, memory: str) -> Measured:
    """Run an image made to size in a process of its own.

    Args:
        folder: where files go.
        kind: ``sparse``, ``dense`` or ``raster``.
        side: pixels.
        memory: what the process may hold.
    """
    image = folder / f"{kind}-{side}.tif"
    make_image(image, side, dense=kind != "sparse")
    raster = kind == "raster"
    output = image.with_name(f"{image.stem}.out{'.tif' if raster else '.gpkg'}")
    model = str(small_network(folder / "small.onnx")) if raster else ""
    command = [sys.executable, "-c", RUN, str(image), str(output), memory, model]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return Measured(
        kind,
        side,
        found["peak"],
        found["planned"],
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
            yield f"{name}: {grown:.0f} MB for each 1000 megapixels"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sparse", type=int, nargs="*", default=[6000, 12_000], metavar="SIDE")
    parser.add_argument("--dense", type=int, nargs="*", default=[6000, 12_000], metavar="SIDE")
    parser.add_argument("--raster", type=int, nargs="*", default=[10_000], metavar="SIDE")
    parser.add_argument("--max-memory", default="1GB")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [
            measure(Path(folder), kind, side, memory=arguments.max_memory)
            for kind in KINDS
            for side in getattr(arguments, kind)
        ]
    print(table(found))


if __name__ == "__main__":
    main()
