"""Memory and speed of drawing training crops from a data set that is larger than the memory it may use.

python -m benchmarks.streaming --images 180 --side 3000 --memory-gb 2
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from roadlift.scene import render

_TILE = 1000
_BYTES_PER_PIXEL = 4


@dataclass(frozen=True)
class Measured:
    """What drawing took: peak resident memory of the process, and the rate of crops, both also before drawing."""

    in_memory: int
    samples: int
    read_seconds: float
    start_mb: float
    read_mb: float
    peak_mb: float
    crops_per_second: float


def make_data(folder: Path, images: int, side: int) -> None:
    """Write ``images`` labelled JPEGs of ``side`` pixels, made of turned and mirrored parts of one rendered scene."""
    scene = render(7, shape=(_TILE, _TILE))
    label = scene.label() * np.uint8(255)
    repeats = -(-side // _TILE)
    for number in range(images):
        rng = np.random.default_rng(number)
        turned = [np.rot90(np.dstack([scene.image, label]), rng.integers(4)) for _ in range(repeats**2)]
        rows = [np.hstack(turned[row * repeats : (row + 1) * repeats]) for row in range(repeats)]
        whole = np.vstack(rows)[:side, :side]
        for name, pixels, suffix in (("images", whole[..., 2::-1], "jpg"), ("masks", whole[..., 3], "png")):
            path = folder / "train" / name / f"{number:04}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.ascontiguousarray(pixels))


def measure(data: Path, *, memory: int, batches: int) -> Measured:
    """Read the data set and draw ``batches`` of 8 crops of 320 pixels."""
    from roadlift.train.batches import BatchStream, sampling_weights
    from roadlift.train.data import read_samples

    start_mb, started = _peak_mb(), time.perf_counter()
    samples = read_samples(data, "train", memory=memory)
    weights = sampling_weights(samples, [], small_image_boost=1.0, scene_share=0.0)
    read_seconds, read_mb = time.perf_counter() - started, _peak_mb()
    stream = BatchStream(samples, weights, 8, 320, seed=0)
    started = time.process_time()
    for step in range(batches):
        stream.batch(step)
    rate = 8 * batches / (time.process_time() - started)
    return Measured(samples.in_memory, len(samples), read_seconds, start_mb, read_mb, _peak_mb(), rate)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Make the data, then measure in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, help="a data set that is there already")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--side", type=int, default=1500)
    parser.add_argument("--memory-gb", type=float, default=0.0)
    parser.add_argument("--batches", type=int, default=50)
    arguments = parser.parse_args()
    if arguments.data is not None:
        _report(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder), arguments.images, arguments.side)
        options = ["--memory-gb", str(arguments.memory_gb), "--batches", str(arguments.batches)]
        subprocess.run([sys.executable, "-m", "benchmarks.streaming", "--data", folder, *options], check=True)


def _report(arguments: argparse.Namespace) -> None:
    found = measure(arguments.data, memory=int(arguments.memory_gb * 1e9), batches=arguments.batches)
    print(f"samples {found.samples}, of which in memory {found.in_memory}")
    print(f"reading {found.read_seconds:.0f} s")
    print(
        f"peak memory {found.start_mb:.0f} MB at the start, {found.read_mb:.0f} MB once read, {found.peak_mb:.0f} MB in all"
    )
    print(f"{found.crops_per_second:.0f} crops/s of processor time")


if __name__ == "__main__":
    main()
