"""One job shared by processes that know nothing of each other: each does its share, and one merges what they left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadlift.errors import UsageError
from roadlift.imagery import journal_folder, read_record
from roadlift.pipeline.jobs import extract, predict
from roadlift.pipeline.options import ExtractOptions
from roadlift.pipeline.room import check_room
from roadlift.pipeline.work import Progress, Work, compute_here, open_work
from roadlift.segment import PredictStats

if TYPE_CHECKING:
    from roadlift.network import RoadMap

RASTERS = (".tif", ".tiff")


@dataclass(frozen=True)
class Shard:
    """One of several equal shares of the tiles: neighbours in rows, so that what is decoded is shared.

    Attributes:
        number: Which one, counted from 1.
        count: How many there are.

    Raises:
        UsageError: There is no such share.

    Example:
        >>> [list(Shard(number, 3).tiles(8)) for number in (1, 2, 3)]
        [[0, 1], [2, 3, 4], [5, 6, 7]]
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise UsageError(f"there is no shard {self.number}/{self.count}; they count from 1/{self.count}.")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``3/16``.

        Raises:
            UsageError: It is no shard.
        """
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if found is None:
            raise UsageError(f"--shard {text!r} is no share of the work; give for example 3/16.")
        return cls(int(found[1]), int(found[2]))

    @property
    def name(self) -> str:
        """Of its files in the journal."""
        return f"shard-{self.number}-of-{self.count}"

    def tiles(self, total: int) -> range:
        """Return the indices of its tiles out of ``total``."""
        return range((self.number - 1) * total // self.count, self.number * total // self.count)


def compute_shard(
    image: str | Path,
    output: str | Path,
    options: ExtractOptions,
    shard: Shard,
    *,
    restart: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compute one share of an image's tiles into the journal of an output, for :func:`merge_shards`.

    Shards may run at the same time, on machines that see the folder of the output, and be killed and run again.

    Args:
        image: As for extract.
        output: The file that will be merged; the journal lies beside it.
        options: As for extract, the same for all shards.
        shard: Which share.
        restart: Throw away unfinished work on the output, of all shards.
        progress: Called as ``progress(done_tiles, all_tiles)`` of this shard.

    Returns:
        Figures: tiles of the shard, and how many of them were finished earlier.

    Raises:
        UsageError, InputError, LimitError, ModelError, OutputError: As extract.
    """
    with open_work(image, options, journal_folder(output), restart=restart, shard=shard.name) as work:
        own = shard.tiles(len(work.grid))
        missing = [index for index in own if index not in work.store.finished]
        if missing:
            check_room(work, len(missing), {})
            compute_here(work, missing, progress, name=shard.name)
        return {"tiles": len(own), "finished_earlier": len(own) - len(missing)}


def merge_shards(
    output: str | Path,
    *,
    dst_crs: str | None = None,
    save_probability: str | Path | None = None,
    save_mask: str | Path | None = None,
    overlay: str | Path | None = None,
    overwrite: bool = False,
) -> RoadMap | dict[str, Any]:
    """Make the output of which all shards are finished; the network does not run.

    Args:
        output: As it was given to the shards.
        dst_crs: As for extract.
        save_probability: As for extract.
        save_mask: As for extract.
        overlay: As for extract.
        overwrite: As for extract.

    Returns:
        What extract returns; for a raster what predict returns.

    Raises:
        UsageError: There are no shards, or some are not finished; the message names them.
        InputError, ModelError, OutputError: As extract.
    """
    record = read_record(journal_folder(output))
    if not record or "facts" not in record:
        raise UsageError(
            f"there is no {journal_folder(output)}; run roadlift extract IMAGE {output} --shard 1/N first."
        )
    facts = record["facts"]
    options = ExtractOptions.from_json(facts["options"])
    if Path(output).suffix.lower() in RASTERS:
        return predict(facts["image"], output, options, overwrite=overwrite, compute=_refuse)
    return extract(
        facts["image"],
        options,
        output=output,
        dst_crs=dst_crs,
        save_probability=save_probability,
        save_mask=save_mask,
        overlay=overlay,
        overwrite=overwrite,
        compute=_refuse,
    )


def _refuse(work: Work, tiles: Sequence[int], _progress: Progress | None) -> PredictStats:
    """Say which shards are missing."""
    counts = {
        int(path.name.split("-of-")[1].split(".")[0]) for path in work.journal.folder.glob("shard-*.lock")
    }
    wanted = set(tiles)
    unfinished = [
        f"{number}/{count}"
        for count in sorted(counts)
        for number in range(1, count + 1)
        if not wanted.isdisjoint(Shard(number, count).tiles(len(work.grid)))
    ]
    named = ", ".join(unfinished[:20]) + (", ..." if len(unfinished) > 20 else "")
    raise UsageError(
        f"{len(tiles)} of {len(work.grid)} tiles are missing: --shard {named or '1/1'} is not finished. Run it (again), "
        "then merge."
    )
