"""Finished tiles on disk: appended to one file by each writer, read back window by window, never rewritten.

A record is a head (magic, tile, flags, chunks, length), the lengths of its chunks, the chunks of ``CHUNK_ROWS`` rows
each, compressed by zlib at its quickest, and the CRC-32 of all that. A writer that is killed leaves at most one torn
record at the end of its own file, which no reader takes for a tile; writers that come later begin files of their own.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from roadlift.errors import OutputError
from roadlift.imagery.grid import Grid, Tile, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    UInt8 = NDArray[np.uint8]

CHUNK_ROWS: Final = 64
SUFFIX: Final = ".tiles"
_HEAD: Final = struct.Struct("<4sIHHI")
_CRC: Final = struct.Struct("<I")
_MAGIC: Final = b"RLT1"
_SKIPPED: Final = 1


@dataclass(frozen=True)
class _Record:
    """Where a tile lies: file, first byte of its chunks, and where each chunk begins and the last ends."""

    path: Path
    start: int
    bounds: tuple[int, ...]
    skipped: bool


@dataclass(eq=False)
class TileStore:
    """The finished tiles of one grid, in a folder that several writers may share.

    Attributes:
        folder: Where the files are.
        grid: The tiles.
        whole_reads: Whether a tile is kept with its margins (to be blended) or as its core only.

    Example:
        >>> import tempfile
        >>> store = TileStore(Path(tempfile.mkdtemp()), Grid((40, 50), core=(32, 32), halo=0))
        >>> with store.writer("run") as writer:
        ...     for tile in store.grid:
        ...         writer.write(tile, np.full(store.kept(tile).shape, tile.index, np.uint8))
        >>> store.read(Window(30, 30, 4, 4)).tolist()
        [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    """

    folder: Path
    grid: Grid
    whole_reads: bool = False
    _records: dict[int, _Record] = field(default_factory=dict)
    _scanned: dict[Path, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.refresh()

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols) of the raster."""
        return self.grid.shape

    @property
    def finished(self) -> frozenset[int]:
        """Indices of the tiles that are there."""
        return frozenset(self._records)

    @property
    def skipped(self) -> tuple[int, ...]:
        """Indices of the tiles that could not be computed and were left out on request."""
        return tuple(sorted(index for index, record in self._records.items() if record.skipped))

    def missing(self) -> list[int]:
        """Return the indices of the tiles that are not there, in order."""
        return [index for index in range(len(self.grid)) if index not in self._records]

    def kept(self, tile: Tile) -> Window:
        """Return the part of the raster that is kept of a tile."""
        return (tile.read if self.whole_reads else tile.core).clip(self.grid.shape)

    def refresh(self) -> None:
        """Take up what other writers have finished since.

        Raises:
            OutputError: The folder cannot be read.
        """
        try:
            for path in sorted(self.folder.glob(f"*{SUFFIX}")):
                for index, record, end in _records_of(path, self._scanned.get(path, 0)):
                    self._add(index, record, end)
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be read: {error.strerror or error}.") from error

    def writer(self, name: str) -> TileWriter:
        """Begin a file of one's own.

        Args:
            name: Of the writer, for people; a number makes it unique.

        Raises:
            OutputError: The folder cannot be written to.
        """
        return TileWriter(self, name)

    def read_tile(self, tile: Tile) -> UInt8:
        """Return all that is kept of a tile."""
        return self._rows(tile, 0, self.kept(tile).height)

    def read(self, window: Window) -> UInt8:
        """Read a window inside the raster from the tiles' cores: uint8 (rows, cols).

        Raises:
            OutputError: A tile is missing, or a file is damaged.
        """
        values = np.empty(window.shape, np.uint8)
        for tile in tiles_in(self.grid, window):
            part, kept = tile.core.intersect(window), self.kept(tile)
            rows = self._rows(tile, part.row - kept.row, part.row - kept.row + part.height)
            columns = slice(part.col - kept.col, part.col - kept.col + part.width)
            values[part.shift(-window.row, -window.col).slices] = rows[:, columns]
        return values

    def _rows(self, tile: Tile, start: int, stop: int) -> UInt8:
        """Rows ``start`` to ``stop`` of what is kept of a tile."""
        record = self._records.get(tile.index)
        if record is None:
            raise OutputError(f"tile {tile.index} is not in {self.folder}; run the same command again.")
        first, last = start // CHUNK_ROWS, -(-stop // CHUNK_ROWS)
        begin, bounds = record.start + record.bounds[first], record.bounds
        try:
            with record.path.open("rb") as file:
                file.seek(begin)
                packed = memoryview(file.read(bounds[last] - bounds[first]))
            parts = [
                zlib.decompress(packed[bounds[chunk] - bounds[first] : bounds[chunk + 1] - bounds[first]])
                for chunk in range(first, last)
            ]
        except (OSError, zlib.error) as error:
            raise OutputError(
                f"{record.path} cannot be read back: {error}. Begin anew with --restart."
            ) from error
        values: UInt8 = np.frombuffer(b"".join(parts) if len(parts) > 1 else parts[0], np.uint8)
        rows = values.reshape(-1, self.kept(tile).width)
        return rows[start - first * CHUNK_ROWS : stop - first * CHUNK_ROWS]

    def _add(self, index: int, record: _Record, end: int) -> None:
        self._records[index] = record
        self._scanned[record.path] = end


class TileWriter:
    """Appends finished tiles to a file of its own; use it as a context manager.

    A tile counts as finished once its record is in the file, so that a process may end at any moment.
    """

    def __init__(self, store: TileStore, name: str) -> None:
        self._store, self._name = store, name
        self._descriptor: int | None = None
        self._path = store.folder
        self._end = 0

    def __enter__(self) -> TileWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a full disk may only tell now.

        Raises:
            OutputError: What was written did not arrive.
        """
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            try:
                os.close(descriptor)
            except OSError as error:
                raise self._cannot_write(error) from error

    def write(self, tile: Tile, values: UInt8, *, skipped: bool = False) -> None:
        """Append a tile.

        Args:
            tile: Of the store's grid.
            values: uint8 (rows, cols) over ``store.kept(tile)``.
            skipped: Whether it could not be computed and is all no data.

        Raises:
            OutputError: The disk is full or gone.
        """
        lines = np.ascontiguousarray(values)
        chunks = [
            zlib.compress(lines[row : row + CHUNK_ROWS].data, 1) for row in range(0, len(lines), CHUNK_ROWS)
        ]
        lengths = [len(chunk) for chunk in chunks]
        body = b"".join([struct.pack(f"<{len(lengths)}I", *lengths), *chunks])
        flags = _SKIPPED if skipped else 0
        head = _HEAD.pack(_MAGIC, tile.index, flags, len(chunks), len(body))
        record = b"".join([head, body, _CRC.pack(zlib.crc32(body, zlib.crc32(head)))])
        try:
            self._append(record)
        except OSError as error:
            raise self._cannot_write(error) from error
        begin = self._end + _HEAD.size + 4 * len(lengths)
        self._end += len(record)
        place = _Record(self._path, begin, _bounds(lengths), skipped)
        self._store._add(tile.index, place, self._end)

    def _append(self, record: bytes) -> None:
        if self._descriptor is None:
            self._path, self._descriptor = _new_file(self._store.folder, self._name)
        rest = memoryview(record)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _cannot_write(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self._store.folder} cannot be written to: {error.strerror or error}. {len(self._store.finished)} of "
            f"{len(self._store.grid)} tiles are safe there; make room and run the same command again, it goes on "
            "from there."
        )


def tiles_in(grid: Grid, window: Window) -> Iterator[Tile]:
    """Tiles whose cores touch a window inside the raster, row by row."""
    rows, cols = grid.core
    for down in range(window.row // rows, -(-(window.row + window.height) // rows)):
        for across in range(window.col // cols, -(-(window.col + window.width) // cols)):
            yield grid[down * grid.tiles_across + across]


def _new_file(folder: Path, name: str) -> tuple[Path, int]:
    """Create the next file of a writer."""
    number = 1
    while True:
        path = folder / f"{name}-{number:04}{SUFFIX}"
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            number += 1


def _records_of(path: Path, position: int) -> Iterator[tuple[int, _Record, int]]:
    """Whole records from a position on, each with where it ends; what follows a torn one is not looked at."""
    with path.open("rb") as file:
        file.seek(position)
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            magic, index, flags, chunks, length = _HEAD.unpack(head)
            body, crc = (file.read(length), file.read(_CRC.size)) if magic == _MAGIC else (b"", b"")
            if len(crc) != _CRC.size or zlib.crc32(body, zlib.crc32(head)) != _CRC.unpack(crc)[0]:
                return
            lengths = struct.unpack_from(f"<{chunks}I", body)
            begin = position + _HEAD.size + 4 * chunks
            position += _HEAD.size + length + _CRC.size
            yield index, _Record(path, begin, _bounds(lengths), bool(flags & _SKIPPED)), position


def _bounds(lengths: Sequence[int]) -> tuple[int, ...]:
    return (0, *accumulate(lengths))
