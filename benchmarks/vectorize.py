"""Skeleton to graph beside sknw and skan, the whole way from mask to road map as images grow, and two hard images.

    python -m benchmarks.vectorize [--masks ../shared/data/massachusetts/train/masks] [--sizes 1 4 25 100]

Every measurement is a process of its own: seconds of one core, without start and compilation, and the peak memory of
the process, its imports and its input included. Images are mosaics of road masks, rendered ones where no masks are.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from PIL import Image

from roadlift.imagery import Georef, Window
from roadlift.network import trace_skeleton, vectorize
from roadlift.network.thin import thin
from roadlift.scene import render

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
MASKS = ROOT.parent / "shared/data/massachusetts/train/masks"
SIZES = (1, 4, 25, 100)
TRACERS = ("roadlift", "skan", "sknw")
PIECE = 1500
FEWEST_ROADS = 0.02
SMALL = np.zeros((64, 64), bool)
SMALL[32] = SMALL[:, 32] = True


@dataclass(frozen=True)
class FileRaster:
    """A raster in a plain file of bytes, of which only windows are read."""

    path: Path
    shape: tuple[int, int]

    def read(self, window: Window) -> np.ndarray:
        """Return whole rows of the file, cut to the window."""
        count, cols = window.height * self.shape[1], self.shape[1]
        rows = np.fromfile(self.path, np.uint8, count=count, offset=window.row * cols)
        return rows.reshape(window.height, cols)[:, window.col : window.col + window.width]


def mosaic(side: int, folder: Path) -> np.ndarray:
    """Fill a square with road masks, bool (side, side)."""
    pieces = _real(folder) if folder.exists() else _rendered()
    result = np.zeros((side, side), bool)
    number = 0
    for row in range(0, side, PIECE):
        for col in range(0, side, PIECE):
            target = result[row : row + PIECE, col : col + PIECE]
            target[:] = pieces[number % len(pieces)][: target.shape[0], : target.shape[1]]
            number += 1
    return result


def _real(folder: Path, most: int = 49) -> list[np.ndarray]:
    masks = []
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as image:
            if image.size != (PIECE, PIECE):
                continue
            mask = np.asarray(image.convert("L")) > 127
        if mask.mean() > FEWEST_ROADS:
            masks.append(mask)
        if len(masks) == most:
            break
    return masks


def _rendered() -> list[np.ndarray]:
    return [render(seed, shape=(PIECE, PIECE)).label().astype(bool) for seed in range(4)]


def grid(side: int = 4000, step: int = 12) -> np.ndarray:
    """Streets three pixels wide, 12 pixels apart: 110 889 crossings."""
    mask = np.zeros((side, side), bool)
    for shift in range(3):
        mask[4 + shift :: step] = mask[:, 4 + shift :: step] = True
    return mask


def wide(cols: int = 70_000) -> np.ndarray:
    """One road along a very wide image and one across it at column 65 536."""
    mask = np.zeros((60, cols), bool)
    mask[27:34] = mask[:, 65_533:65_540] = True
    return mask


def trace_roadlift(skeleton: np.ndarray) -> tuple[int, int, float]:
    """Nodes, edges, largest column."""
    graph = trace_skeleton(skeleton)
    return len(graph.nodes), len(graph.u), float(graph.lines.coordinates[:, 1].max(initial=0))


def trace_skan(skeleton: np.ndarray) -> tuple[int, int, float]:
    """Nodes, edges, largest column."""
    from skan import Skeleton, summarize

    branches = summarize(Skeleton(skeleton), separator="_")
    ends = branches[["node_id_src", "node_id_dst"]].to_numpy()
    columns = branches[["image_coord_src_1", "image_coord_dst_1"]].to_numpy()
    return len(np.unique(ends)), len(branches), float(columns.max(initial=0))


def trace_sknw(skeleton: np.ndarray) -> tuple[int, int, float]:
    """Nodes, edges, largest column."""
    import sknw

    graph = sknw.build_sknw(skeleton.astype(np.uint16), multi=True)
    last = max((float(data["pts"][:, 1].max()) for _, _, data in graph.edges(data=True)), default=0.0)
    return graph.number_of_nodes(), graph.number_of_edges(), last


def whole_way(raster: FileRaster) -> tuple[int, int, float]:
    """Nodes, edges, kilometres."""
    roads = vectorize(raster, Georef(None, Affine.identity()), ground_resolution_m=1.0)
    return len(roads.nodes), len(roads.edges), roads.length_km


def child(job: str, path: Path, rows: int) -> str:
    """Do one job on one file and tell what it took."""
    values = np.fromfile(path, np.uint8).reshape(rows, -1) if job in TRACERS else None
    calls: dict[str, Callable[[], tuple[int, int, float]]] = {
        "roadlift": lambda: trace_roadlift(values.astype(bool)),
        "skan": lambda: trace_skan(values.astype(bool)),
        "sknw": lambda: trace_sknw(values),
        "whole": lambda: whole_way(FileRaster(path, (rows, path.stat().st_size // rows))),
    }
    if job == "skan":
        trace_skan(SMALL)
    if job == "sknw":
        trace_sknw(SMALL)
    started = time.process_time()
    nodes, edges, last = calls[job]()
    seconds = time.process_time() - started
    return json.dumps({"seconds": seconds, "peak": _peak_mb(), "nodes": nodes, "edges": edges, "last": last})


def _peak_mb() -> float:
    """Largest memory of this program; what getrusage tells on Linux may still be that of its parent."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(job: str, array: np.ndarray) -> dict[str, float] | None:
    """Run one job in a process of its own; None if that died."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raster.bin"
        array.tofile(path)
        command = [sys.executable, "-m", "benchmarks.vectorize", "--child", job, str(path), str(len(array))]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        return None
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def tracing(sizes: list[int], masks: Path) -> list[str]:
    """Rows: skeleton to graph, by size and library."""
    rows = ["| Mpx | | seconds | peak MB | nodes | edges |", "|---|---|---|---|---|---|"]
    for size in sizes:
        skeleton = thin(mosaic(round(1000 * size**0.5), masks), rounds=30).astype(np.uint8)
        rows += [_tracing_row(f"{size}", name, measure(name, skeleton)) for name in TRACERS]
    return rows


def _tracing_row(size: str, name: str, result: dict[str, float] | None) -> str:
    if result is None:
        return f"| {size} | {name} | crashes | | | |"
    took = f"{result['seconds']:.2f} | {result['peak']:.0f}"
    return f"| {size} | {name} | {took} | {result['nodes']:.0f} | {result['edges']:.0f} |"


def growth(sizes: list[int], masks: Path) -> list[str]:
    """Rows: mask to road map, by size."""
    rows = ["| Mpx | seconds | peak MB | edges | km |", "|---|---|---|---|---|"]
    for size in sizes:
        side = round(1000 * size**0.5)
        result = measure("whole", mosaic(side, masks).astype(np.uint8) * 254)
        if result is None:
            message = f"vectorizing {size} Mpx failed; run it in one process to see why"
            raise RuntimeError(message)
        took = f"{result['seconds']:.1f} | {result['peak']:.0f}"
        rows.append(f"| {size} | {took} | {result['edges']:.0f} | {result['last']:.0f} |")
    return rows


def hard() -> list[str]:
    """Rows: a grid with more junctions and an image with more columns than 16 bits count."""
    rows = ["| | | seconds | nodes | edges | largest column |", "|---|---|---|---|---|---|"]
    for title, mask in (("grid, 110 889 crossings", grid()), ("70 000 columns", wide())):
        skeleton = thin(mask, rounds=5).astype(np.uint8)
        for name in TRACERS:
            result = measure(name, skeleton)
            if result is None:
                rows.append(f"| {title} | {name} | crashes | | | |")
                continue
            counts = f"{result['nodes']:.0f} | {result['edges']:.0f} | {result['last']:.0f}"
            rows.append(f"| {title} | {name} | {result['seconds']:.2f} | {counts} |")
    return rows


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--masks", type=Path, default=MASKS)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--only", choices=("tracing", "growth", "hard"), help="one of the three tables")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        job, path, rows = arguments.child
        print(child(job, Path(path), int(rows)))
        return
    kind = "real masks" if arguments.masks.exists() else "rendered masks"
    sizes, masks = arguments.sizes, arguments.masks
    tables = {
        "tracing": (f"skeleton to graph, mosaics of {kind}", lambda: tracing(sizes, masks)),
        "growth": ("mask to road map, read from a file in strips", lambda: growth(sizes, masks)),
        "hard": ("hard images: skeleton to graph", hard),
    }
    for name, (title, rows) in tables.items():
        if arguments.only in (None, name):
            print(f"{title}\n", *rows(), "", sep="\n", flush=True)


if __name__ == "__main__":
    main()
