"""Which runtime is fastest here: MPx/s of the bare network on OpenVINO (f32, bf16, int8) and ONNX Runtime (f32, int8).

Usage: python benchmarks/runtimes.py [MODEL] [--tile 1280] [--tiles 8] [--rounds 3] [--threads N]

MODEL is the name of a built-in model or the path of an .onnx file with a card. Each runtime computes the same
seeded random tiles; the best round counts. The last column is the largest difference to the first row, in
steps of 1/254.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np

from roadlift.errors import RoadliftError
from roadlift.model import DEFAULT_MODEL, Model, load_model

if TYPE_CHECKING:
    from collections.abc import Iterator

CANDIDATES = (
    ("openvino", "f32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
    ("onnxruntime", "f32"),
    ("onnxruntime", "int8"),
)


def main() -> None:
    """Print one row for each runtime and precision."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default=DEFAULT_MODEL)
    parser.add_argument("--tile", type=int, default=1280)
    parser.add_argument("--tiles", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    shape = (options.tiles, options.tile, options.tile, 3)
    tiles = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    titles = ("threads", "load s", "first s", "MPx/s", "differs")
    print(f"{'runtime':12} {'precision':10}", *(f"{title:>8}" for title in titles))
    reference = None
    for name, precision in CANDIDATES:
        started = time.perf_counter()
        try:
            model = load_model(options.model, runtime=name, precision=precision, threads=options.threads)
        except RoadliftError as error:
            print(f"{name:12} {precision:10} {error}")
            continue
        loaded = time.perf_counter() - started
        first, best, result = measure(model, tiles, options.rounds)
        reference = result if reference is None else reference
        differs = int(np.abs(result.astype(np.int16) - reference).max())
        rate = tiles.size / 3e6 / best
        threads = model.runtime.threads
        print(f"{name:12} {precision:10} {threads:8d} {loaded:8.2f} {first:8.2f} {rate:8.2f} {differs:8d}")


def measure(model: Model, tiles: np.ndarray, rounds: int) -> tuple[float, float, np.ndarray]:
    """Seconds for the first tile (with compilation), best seconds for all tiles, and their result."""
    started = time.perf_counter()
    model.predict(tiles[:1])
    first = time.perf_counter() - started
    times, results = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        results = list(model.predict_many(_one_by_one(tiles)))
        times.append(time.perf_counter() - started)
    return first, min(times), np.concatenate(results)


def _one_by_one(tiles: np.ndarray) -> Iterator[np.ndarray]:
    for index in range(len(tiles)):
        yield tiles[index : index + 1]


if __name__ == "__main__":
    main()
