"""The memory promise: what a job may hold, and the tile, threads, batch and cache with which it keeps to that.

:func:`make_plan` is arithmetic on a few measured constants; ``python -m benchmarks.memory`` holds them against the peak of
real runs.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from roadlift.errors import LimitError, UsageError
from roadlift.model import available_threads
from roadlift.segment.options import DEFAULT_TILE, PredictOptions, tile_grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from roadlift.model import ModelCard

EXACT_TILE: Final = 2048
"""With the wide margins of exact tiles, large cores waste less; the result does not depend on them."""
SMALLER_TILES: Final = (DEFAULT_TILE, 1024, 512, 256)
GRANTED_SHARE: Final = 0.6
BASE_BYTES: Final = 400_000_000
"""The interpreter, the libraries and the network, ready to run."""
FIRST_TILE_BYTES: Final = 75
"""Bytes for each pixel that the network reads: activations of one tile, tiles that wait, copies."""
MORE_TILES_BYTES: Final = 55
"""The same for each further tile that is computed at the same time."""
FLOAT_FACTOR: Final = 3
"""Activations of 32 bits need so much more than those of 8."""
WARP_BYTES: Final = 70_000_000
STRIP_BYTES: Final = 40_000_000
"""Strips of the raster while it is vectorised; the network's memory stays meanwhile."""
BLOCK_BYTES: Final = 6.5
"""For each pixel of a block that is vectorised, a town all over: its roads on the way from pixels to lines."""
BLOCK_SIDE: Final = 6144
BLOCK_PIXELS: Final = (BLOCK_SIDE + 512) ** 2
"""Largest block, without and with its margin (:mod:`roadlift.network.blocks`)."""
PROCESS_BYTES: Final = 140_000_000
"""A process that draws blocks beside this one, its libraries and strips, before it has a block."""
MOST_CACHE: Final = 256 * 2**20
LEAST_CACHE: Final = 16 * 2**20
_UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True)
class Pixelwise:
    """What of an image counts for memory.

    Attributes:
        shape: (rows, cols) of the working grid.
        native_shape: (rows, cols) of the file, or of one file of several.
        block: (rows, cols) of a block of the file: what is decoded at once.
        pixel_bytes: Bytes of all bands of one pixel.
        warped: Whether pixels are resampled on the way.
    """

    shape: tuple[int, int]
    native_shape: tuple[int, int]
    block: tuple[int, int]
    pixel_bytes: int
    warped: bool


class Storage(Protocol):
    """What a plan needs to know of an open image: :class:`roadlift.imagery.ImagerySource` or ``Mosaic``."""

    shape: tuple[int, int]
    native_shape: tuple[int, int]
    dtype: np.dtype[Any]
    band_count: int
    warped: bool

    @property
    def block_shape(self) -> tuple[int, int]:
        """(rows, cols) of what is decoded at once."""
        ...


@dataclass(frozen=True)
class Plan:
    """How a job keeps within its memory.

    Attributes:
        max_memory: Bytes that it may hold.
        expected_memory: Bytes that it will hold at most, by the planner's arithmetic.
        tile_size: Largest side of a tile's core in pixels.
        core: (rows, cols) of the cores, in pixels.
        halo: Margin around it in pixels.
        threads: Tiles that are computed at the same time.
        batch_size: Tiles handed to the network at once.
        cache: Bytes in which GDAL keeps decoded blocks.
        notes: What the memory costs, in words.
        drawing: Blocks whose roads are drawn at the same time, all but one in processes beside this one.

    Example:
        >>> Plan(2 * 10**9, 640_000_000, 1024, (928, 1024), 64, 2, 1, 256_000_000, ()).render()
        'tiles of 928 x 1024 px with margins of 64 px, 2 at a time, cache 256 MB: at most 640 MB of 2000 MB'
    """

    max_memory: int
    expected_memory: int
    tile_size: int
    core: tuple[int, int]
    halo: int
    threads: int
    batch_size: int
    cache: int
    notes: tuple[str, ...] = ()
    drawing: int = 1

    def render(self) -> str:
        """Return one line of text."""
        drawing = f"roads of {self.drawing} blocks at a time, " if self.drawing > 1 else ""
        return (
            f"tiles of {self.core[0]} x {self.core[1]} px with margins of {self.halo} px, {self.threads} at a time, "
            f"{drawing}cache {self.cache / 1e6:.0f} MB: at most {self.expected_memory / 1e6:.0f} MB of "
            f"{self.max_memory / 1e6:.0f} MB"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that fit into JSON."""
        return asdict(self)


def make_plan(
    image: Pixelwise,
    card: ModelCard,
    options: PredictOptions,
    *,
    max_memory: int,
    threads: int,
    fixed_tile: bool,
    int8: bool = True,
) -> Plan:
    """Choose how to work within some memory.

    What does not change the result goes first: the cache, then blocks drawn at the same time, then tiles computed at the
    same time and in one batch. The tile comes last, and only where it was not asked for: smaller tiles differ from the
    default ones in a few pixels.

    Args:
        image: What is read.
        card: The model's card.
        options: As asked for.
        max_memory: Bytes.
        threads: Tiles that the machine can compute at the same time.
        fixed_tile: Whether the tile size in the options must be taken.
        int8: Whether the network computes in 8 bits.

    Raises:
        LimitError: It cannot be done in that memory; the message says in how much it can.
    """
    plans = list(_plans(image, card, options, max_memory, threads, fixed_tile=fixed_tile, int8=int8))
    for plan in plans:
        if plan.expected_memory <= max_memory:
            return plan
    least = min(plan.expected_memory for plan in plans)
    raise LimitError(
        f"--max-memory {max_memory / 1e6:.0f}MB is too little for this image and model: at least "
        f"{least / 1e6 + 1:.0f}MB is needed{' with this --tile-size' if fixed_tile else ''}. Allow that much"
        f"{', or give a smaller --tile-size' if fixed_tile else ''}."
    )


def plan_source(
    source: Storage,
    card: ModelCard,
    options: PredictOptions,
    *,
    max_memory: str | None = None,
    fixed_tile: bool = False,
    int8: bool = True,
) -> Plan:
    """Plan the work on an open image on this machine, see :func:`make_plan`.

    Args:
        source: The image.
        card: The model's card.
        options: As asked for.
        max_memory: As in ``2GB``; None is ``GRANTED_SHARE`` of what machine or container has.
        fixed_tile: As for :func:`make_plan`.
        int8: As for :func:`make_plan`.

    Raises:
        UsageError: ``max_memory`` is no amount of memory.
        LimitError: It cannot be done in that memory.
    """
    return make_plan(
        Pixelwise(
            shape=source.shape,
            native_shape=source.native_shape,
            block=source.block_shape,
            pixel_bytes=source.band_count * source.dtype.itemsize,
            warped=source.warped,
        ),
        card,
        options,
        max_memory=parse_bytes(max_memory) if max_memory else int(granted_memory() * GRANTED_SHARE),
        threads=available_threads(),
        fixed_tile=fixed_tile,
        int8=int8,
    )


def _plans(
    image: Pixelwise,
    card: ModelCard,
    options: PredictOptions,
    max_memory: int,
    threads: int,
    *,
    fixed_tile: bool,
    int8: bool,
) -> Iterator[Plan]:
    """All ways to work, the best first."""
    activations = 1 if int8 else FLOAT_FACTOR
    for tile in (
        options.tile_size,
        *(() if fixed_tile else (size for size in SMALLER_TILES if size < options.tile_size)),
    ):
        grid = tile_grid(
            image.shape, card, replace(options, tile_size=tile, overlap=_fit(options.overlap, tile))
        )
        pixels = grid.read_shape[0] * grid.read_shape[1]
        useful = _useful_cache(image, grid.read_shape[0])
        reading = pixels * max(0, image.pixel_bytes - 3) * 2 + WARP_BYTES * image.warped
        vectorising = STRIP_BYTES + int(BLOCK_BYTES * min(prod(image.shape), BLOCK_PIXELS))
        blending = 2 * grid.halo * image.shape[1] * 4 if options.blend != "none" else 0
        for batch, at_once in _concurrency(options.batch_size, threads):
            waiting = (batch - 1) * 4 * pixels * 4
            network = pixels * activations * (FIRST_TILE_BYTES + (at_once - 1) * MORE_TILES_BYTES)
            caches = sorted({useful, min(useful, MOST_CACHE), LEAST_CACHE}, reverse=True)
            for drawing, cache in product(range(min(threads, blocks_in(image.shape)), 0, -1), caches):
                # The network's memory is given back before others begin to draw.
                working = max(network, _beside(drawing)) + reading + waiting + blending + vectorising
                yield Plan(
                    max_memory,
                    BASE_BYTES + working + cache,
                    tile,
                    grid.core,
                    grid.halo,
                    at_once,
                    batch,
                    cache,
                    tuple(_notes(tile, options, cache, useful)),
                    drawing,
                )


def blocks_in(shape: tuple[int, int]) -> int:
    """Blocks in which the roads of a raster (rows, cols) are drawn."""
    return prod(-(-side // BLOCK_SIDE) for side in shape)


def drawing_at_once(shape: tuple[int, int]) -> int:
    """Blocks of a raster that this machine can draw at the same time, where nothing but roads is drawn."""
    room = int(granted_memory() * GRANTED_SHARE) - BASE_BYTES - int(BLOCK_BYTES * BLOCK_PIXELS)
    return max(1, min(available_threads(), blocks_in(shape), 1 + room // _beside(2)))


def _beside(drawing: int) -> int:
    """Bytes of the processes that draw beside this one."""
    return (drawing - 1) * (PROCESS_BYTES + int(BLOCK_BYTES * BLOCK_PIXELS))


def _fit(overlap: int | None, tile: int) -> int | None:
    return None if overlap is None else min(overlap, tile)


def _concurrency(batch: int, threads: int) -> Iterator[tuple[int, int]]:
    """Batch and tiles at a time, down to one of each."""
    yield batch, threads
    while batch > 1 or threads > 1:
        batch, threads = (batch // 2, threads) if batch > 1 else (batch, threads // 2)
        yield batch, threads


def _useful_cache(image: Pixelwise, read_rows: int) -> int:
    """Bytes that hold all blocks that a row of tiles needs, where blocks are wider than tiles; else those of a few tiles."""
    scale = max(1.0, image.native_shape[0] / image.shape[0]) if image.warped else 1.0
    rows = int(read_rows * scale) + image.block[0]
    wide = image.block[1] > 2 * read_rows * scale
    columns = image.native_shape[1] if wide else 3 * (int(read_rows * scale) + image.block[1])
    return max(
        LEAST_CACHE,
        min(rows, image.native_shape[0]) * min(columns, image.native_shape[1]) * image.pixel_bytes,
    )


def _notes(tile: int, options: PredictOptions, cache: int, useful: int) -> Iterator[str]:
    if tile != options.tile_size and not options.exact:
        yield (
            f"tiles of {tile} px instead of {options.tile_size} px for want of memory: the result differs from the usual "
            "one in a few pixels"
        )
    if cache < useful:
        yield (
            f"the image is decoded more than once: {useful / 1e6:.0f} MB of cache would hold what neighbouring tiles "
            "share (store it in blocks: gdal_translate -co TILED=YES)"
        )


def parse_bytes(text: str) -> int:
    """Read an amount of memory: a number with kB, MB, GB or TB (powers of 1000) or KiB, MiB, GiB, TiB (of 1024).

    Raises:
        UsageError: It is none.

    Example:
        >>> parse_bytes("2GB"), parse_bytes("512 MiB")
        (2000000000, 536870912)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([kKMGT]?)(i?)[bB]?\s*", text)
    if found is None or float(found[1]) == 0:
        raise UsageError(f"--max-memory {text!r} is no amount of memory; give for example 2GB or 512MiB.")
    unit = _UNITS[found[2].upper()]
    if found[3]:
        unit = 1024 ** list(_UNITS.values()).index(unit)
    return int(float(found[1]) * unit)


def granted_memory(root: Path = Path("/")) -> int:
    """Return the bytes that this process may hold: what its container grants, else what the machine has.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    limits = [_machine_memory(root), *_container_limits(root)]
    return min(limit for limit in limits if limit > 0)


def _machine_memory(root: Path) -> int:
    meminfo = root / "proc/meminfo"
    if meminfo.is_file():
        found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _container_limits(root: Path) -> Iterator[int]:
    """Limits of the control groups (version 2, then 1) that this process is in, and of those above them."""
    groups = root / "proc/self/cgroup"
    for line in groups.read_text().splitlines() if groups.is_file() else ():
        _, controllers, name = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        file = "memory.limit_in_bytes" if controllers else "memory.max"
        below = base / name.lstrip("/")
        for folder in {base, *(at for at in (below, *below.parents) if at.is_relative_to(base))}:
            text = (folder / file).read_text().strip() if (folder / file).is_file() else ""
            if text.isdigit():
                yield int(text)
