"""Whether there is room on the disk for what will be written, before it is computed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Final

from roadlift.errors import OutputError
from roadlift.pipeline.work import Work

TILE_BYTES: Final = 1 / 17
"""Of a finished tile, for each pixel that is kept of it; as measured on real imagery (docs/scale.md)."""
NETWORK_BYTES: Final = 0.03
"""Of the network, for each pixel of a town all over: 2.7 kB for each kilometre of road."""
PROBABILITY_BYTES: Final = 0.25
MASK_BYTES: Final = 0.05
"""Of rasters: as they are written, and once more with overviews."""
SLACK: Final = 1.2


def check_room(work: Work, tiles: int, products: Mapping[str | Path, float]) -> None:
    """Refuse work whose results would not find room.

    Args:
        work: The image.
        tiles: How many will be computed.
        products: Files that will be written, each with its bytes for a pixel of the image.

    Raises:
        OutputError: A disk has too little room; the message says how much is needed and how much is free.
    """
    kept = prod(work.store.kept(work.grid[len(work.grid) // 2]).shape) * TILE_BYTES
    needs = [(work.journal.folder, tiles * kept)]
    needs += [(Path(path).absolute().parent, prod(work.grid.shape) * each) for path, each in products.items()]
    disks: dict[int, tuple[Path, float]] = {}
    for folder, needed in needs:
        disk = folder.stat().st_dev
        first, so_far = disks.get(disk, (folder, 0.0))
        disks[disk] = (first, so_far + needed)
    for folder, wanted in disks.values():
        free, needed = shutil.disk_usage(folder).free, round(wanted * SLACK)
        if needed > free:
            raise OutputError(
                f"{folder} has too little room: about {needed:,} bytes are needed and {free:,} are free. Make room, or "
                "choose an output on another disk."
            )
