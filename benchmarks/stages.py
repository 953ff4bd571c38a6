"""Where the time of the main job goes: each stage alone, all of them together, the command, and the plain way.

Rates are megapixels of the image per second, the best of a few rounds in one process on a quiet machine. "Read" decodes and
scales every tile with its margin; "network" is the bare network on as many tiles that lie in memory; "tiles" is both
together with the tile store; "vectorise" makes roads of the finished tiles, "write" puts them into a GeoPackage. The command
is a process of its own, from GeoTIFF to GeoPackage, start included. The machine's peak is a float32 matrix product on all
processors, times four, for that is what its int8 dot products do; the network's share of it counts the multiplications and
additions of its convolutions, margins included.

    python -m benchmarks.stages [IMAGE] [--repeat 1] [--rounds 3] [--no-plain-way]
"""

from __future__ import annotations

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import rasterio

from roadlift import ExtractOptions
from roadlift.model.library import model_bytes
from roadlift.pipeline.jobs import vectorize_work
from roadlift.pipeline.work import Work, compute_here, open_work
from roadlift.scene import render
from roadlift.segment.predict import read_tile

GEMM = 4096
INT8_FACTOR = 4
SIDE = 256


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    seconds: float
    note: str = ""


def stages(image: Path, folder: Path, rounds: int) -> tuple[float, list[Row]]:
    """Time the stages of one image; return its megapixels and a row a stage."""
    with open_work(image, ExtractOptions(), folder / "work") as work:
        tiles = range(len(work.grid))
        shape = work.grid.read_shape
        pixels = np.random.default_rng(0).integers(0, 256, (1, *shape, 3), np.uint8)
        list(work.model.predict_many([pixels]))

        def read() -> None:
            for index in tiles:
                read_tile(work.source, work.grid[index], work.stretch)

        def network() -> None:
            for _ in work.model.predict_many(pixels for _ in tiles):
                pass

        rows = [
            Row("read", _best(read, rounds)),
            _network_row(work, _best(network, rounds)),
            Row("tiles", _best(lambda: compute_here(work, tiles), rounds)),
        ]
        roads = vectorize_work(work, {"finished_earlier": 0, "tiles": len(tiles)})
        rows.append(
            Row(
                "vectorise",
                _best(lambda: vectorize_work(work, {"finished_earlier": 0, "tiles": len(tiles)}), rounds),
                f"{len(roads.edges)} edges, {roads.length_km:.0f} km",
            )
        )
        rows.append(Row("write", _best(lambda: roads.save(folder / "written.gpkg", overwrite=True), rounds)))
        return work.source.shape[0] * work.source.shape[1] / 1e6, rows


def _network_row(work: Work, seconds: float) -> Row:
    core, read = work.grid.core, work.grid.read_shape
    kept = core[0] * core[1] / (read[0] * read[1])
    graph, _ = model_bytes(work.model.card.name)
    rate = len(work.grid) * read[0] * read[1] * operations_per_pixel(onnx.load_from_string(graph)) / seconds
    note = f"{kept:.0%} of its pixels are kept; {rate / 1e9:.0f} GOP/s, {rate / 1e9 / peak_gops():.0%} of the peak"
    return Row("network", seconds, note)


def operations_per_pixel(graph: onnx.ModelProto) -> float:
    """Count the multiplications and additions of the convolutions for each pixel of the image."""
    sides = graph.graph.input[0].type.tensor_type.shape.dim
    for dimension, size in zip(sides, (1, 3, SIDE, SIDE), strict=True):
        dimension.dim_value = size
    inferred = onnx.shape_inference.infer_shapes(graph).graph
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.input, *inferred.output)
    } | {weight.name: list(weight.dims) for weight in inferred.initializer}
    products = 0
    for node in inferred.node:
        if node.op_type in ("Conv", "ConvTranspose"):
            pixels = shapes[node.output[0] if node.op_type == "Conv" else node.input[0]][2:]
            products += math.prod(pixels) * math.prod(shapes[node.input[1]])
    return 2 * products / SIDE**2


def _best(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def command(image: Path, folder: Path, rounds: int) -> Row:
    """Time ``roadlift extract`` as a user starts it, and its largest memory."""
    times, peaks = [], []
    for number in range(rounds):
        output = folder / f"{number}.gpkg"
        started = time.perf_counter()
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from roadlift.cli import main; main()",
                "extract",
                str(image),
                str(output),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        peaks.append(_watch(process))
        if process.returncode:
            raise RuntimeError(f"roadlift extract ended with {process.returncode}")
        times.append(time.perf_counter() - started)
    return Row("roadlift extract", min(times), f"{max(peaks) / 1e6:.0f} MB at most")


def _watch(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process; return the largest memory that it and those it started were seen with, in bytes."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, _resident(process.pid))
        time.sleep(0.02)
    return peak


def _resident(number: int) -> int:
    """Resident bytes of a process and of those it started."""
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{number}/status").read_text())
        started = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    except OSError:  # it has ended meanwhile
        return 0
    return (int(found[1]) * 1024 if found else 0) + sum(_resident(int(child)) for child in started)


def plain(image: Path) -> Row:
    """Time the plain way of :mod:`benchmarks.plain_way`, network warm."""
    from benchmarks.plain_way import plain_way

    predict = plain_way()
    return Row("the plain way", _best(lambda: predict(image), 1), "patchify, Keras, probability only")


def mosaic(image: Path, repeat: int, path: Path) -> Path:
    """Write an image that repeats ``image`` so often down and across."""
    with rasterio.open(image) as file:
        pixels, profile = file.read(), file.profile
    profile |= {"height": pixels.shape[1] * repeat, "width": pixels.shape[2] * repeat, "bigtiff": "if_safer"}
    profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "num_threads": 2}
    profile.pop("photometric", None)  # of JPEG only
    row = np.tile(pixels, (1, 1, repeat))
    with rasterio.open(path, "w", **profile) as file:
        for part in range(repeat):
            file.write(row, window=((part * row.shape[1], (part + 1) * row.shape[1]), (0, row.shape[2])))
    return path


def peak_gops() -> float:
    """Return the int8 operations a second (10^9) that a float32 matrix product on all processors stands for."""
    left, right = np.random.default_rng(0).random((2, GEMM, GEMM), np.float32)
    return INT8_FACTOR * 2 * GEMM**3 / _best(lambda: left @ right, 3) / 1e9


def table(megapixels: float, rows: list[Row]) -> str:
    """Lay out the rows, each with its rate and its share of the bare network's."""
    network = next(row.seconds for row in rows if row.name == "network")
    lines = [f"{'':<18}{'seconds':>9}{'MPx/s':>9}{'of network':>12}"]
    for row in rows:
        rate = megapixels / row.seconds
        lines.append(f"{row.name:<18}{row.seconds:9.2f}{rate:9.2f}{network / row.seconds:12.0%}   {row.note}")
    return "\n".join(lines)


def main() -> None:
    """Parse the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "image", nargs="?", type=Path, help="GeoTIFF at 1 m; a rendered scene of 9 MPx without it"
    )
    parser.add_argument("--repeat", type=int, default=1, help="Repeat the image so often down and across.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-plain-way", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = arguments.image or render(1, shape=(3000, 3000)).save(folder, "scene")[0]
        if arguments.repeat > 1:
            image = mosaic(image, arguments.repeat, folder / "mosaic.tif")
        megapixels, rows = stages(image, folder, arguments.rounds)
        rows.append(command(image, folder, arguments.rounds))
        if not arguments.no_plain_way:
            rows.append(plain(image))
        print(f"{image.name}: {megapixels:.0f} MPx, {os.cpu_count()} processors, best of {arguments.rounds}")
        print(table(megapixels, rows))
        print(f"the machine's peak in int8: {peak_gops():.0f} GOP/s")


if __name__ == "__main__":
    main()
