"""One-byte flips of a small tiled GeoTIFF: each must end in pixels or in an error of ours, soon and small.

python -m benchmarks.fuzz [FLIPS]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio import Affine

from roadlift.errors import RoadliftError
from roadlift.imagery import ImagerySource, Window

FLIPS = 2000
MAX_SECONDS, MAX_SECONDS_EACH, MAX_MEMORY_MB = 120.0, 2.0, 400.0
_SIDE = 256


@dataclass(frozen=True)
class Fuzzed:
    """What came of the flips.

    Attributes:
        outcomes: How often pixels were read, and how often each error was raised.
        seconds: Processor time of all.
        slowest: Processor time of the slowest.
    """

    outcomes: Counter[str]
    seconds: float
    slowest: float


def write_image(path: Path) -> None:
    """Write the image, about 6 KB: tiles, three bands, a mask, an overview."""
    pixels = np.random.default_rng(0).integers(10, 200, (3, 40, 44)).astype(np.uint8)
    profile = {
        "driver": "GTiff", "count": 3, "height": 40, "width": 44, "dtype": "uint8", "crs": "EPSG:32619",
        "transform": Affine(1, 0, 300_000, 0, -1, 4_700_000), "compress": "deflate", "tiled": True,
        "blockxsize": 16, "blockysize": 16,
    }  # fmt: skip
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"), rasterio.open(path, "w", **profile) as file:
        file.write(pixels)
        file.write_mask(pixels[0] > 12)
        file.build_overviews([2])


def fuzz(path: Path, flips: int, *, seed: int = 0) -> Fuzzed:
    """Flip one byte of the image at ``path`` at a time and read it; an error that is not ours comes through."""
    content, generator = path.read_bytes(), np.random.default_rng(seed)
    outcomes, slowest, started = Counter[str](), 0.0, time.process_time()
    for place in generator.integers(0, len(content), flips):
        changed = bytearray(content)
        changed[place] ^= int(generator.integers(1, 256))
        path.write_bytes(changed)
        begun = time.process_time()
        outcomes[_outcome(path)] += 1
        slowest = max(slowest, time.process_time() - begun)
    return Fuzzed(outcomes, time.process_time() - started, slowest)


def _outcome(path: Path) -> str:
    try:
        with ImagerySource(path) as source:
            source.sample(10_000)
            source.read(Window(0, 0, *source.shape).intersect(Window(0, 0, _SIDE, _SIDE)))
    except RoadliftError as error:
        return type(error).__name__
    return "read"


def main() -> None:
    """Print the table; end with an error where a limit is broken."""
    flips = int(sys.argv[1]) if len(sys.argv) > 1 else FLIPS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.tif"
        write_image(path)
        size = path.stat().st_size
        found = fuzz(path, flips)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"{flips} flips of one byte in a GeoTIFF of {size:,} bytes")
    for name, count in found.outcomes.most_common():
        print(f"  {name:<12} {count:>6}")
    print(f"  all          {found.seconds:6.1f} s of processor time (limit {MAX_SECONDS:g})")
    print(f"  slowest      {found.slowest:6.2f} s (limit {MAX_SECONDS_EACH:g})")
    print(f"  peak memory  {memory:6.0f} MB (limit {MAX_MEMORY_MB:g})")
    if found.seconds > MAX_SECONDS or found.slowest > MAX_SECONDS_EACH or memory > MAX_MEMORY_MB:
        sys.exit(1)


if __name__ == "__main__":
    main()
