"""Samples that are there when they are drawn: in memory as far as they fit, the others in files that are mapped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np

from roadlift.errors import InputError, LimitError, OutputError
from roadlift.train.data.layouts import list_images
from roadlift.train.data.reading import ReadOptions, read_parts
from roadlift.train.data.sample import Sample

MEMORY_BYTES = 2 * 2**30
"""Memory that the images of a training run take at most; the images that it is selected on take a quarter of it."""
_BYTES_PER_PIXEL = 4
_FORMAT = 1
"""Part of every name in a cache: to be counted up when what is read from the same files changes."""


@dataclass(frozen=True)
class StoredSample:
    """A sample whose image and label lie in ``.npy`` files."""

    name: str
    image: Path
    label: Path

    def load(self) -> Sample:
        """Map the files; only what is looked at is read, and nothing of it stays in memory once the sample is gone."""
        image, label = (np.asarray(np.load(path, mmap_mode="r")) for path in (self.image, self.label))
        return Sample(self.name, image, label)

    @classmethod
    def at(cls, name: str, path: Path) -> StoredSample:
        """Return the sample whose files begin with ``path``."""
        return cls(name, *(path.with_name(f"{path.name}.{part}.npy") for part in ("image", "label")))


class Samples(Sequence[Sample]):
    """A sequence of samples, of which some may lie in files.

    Example:
        >>> dark = Sample("dark", np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8))
        >>> len(Samples([dark]) + [dark])
        2
    """

    def __init__(self, items: Iterable[Sample | StoredSample], *, folder: Any = None) -> None:
        """Take samples in memory or in files; ``folder`` is kept as long as this lives."""
        self._items = tuple(items)
        self._folder = folder

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Samples: ...

    def __getitem__(self, index: int | slice) -> Sample | Samples:
        if isinstance(index, slice):
            return Samples(self._items[index], folder=self._folder)
        item = self._items[index]
        return item if isinstance(item, Sample) else item.load()

    def __add__(self, others: Sequence[Sample]) -> Samples:
        """Return these samples and then the others, without reading any."""
        items = others._items if isinstance(others, Samples) else tuple(others)
        folders = (self._folder, others._folder if isinstance(others, Samples) else None)
        return Samples((*self._items, *items), folder=folders)

    @property
    def in_memory(self) -> int:
        """How many of them are held in memory."""
        return sum(isinstance(item, Sample) for item in self._items)


def read_samples(
    data: str | Path,
    split: str | None = None,
    *,
    layout: str | None = None,
    gsd: float | None = None,
    ground_resolution: float | None = 1.0,
    road_width: float | None = None,
    ignore_rim: int = 0,
    memory: int = MEMORY_BYTES,
    cache: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Samples:
    """Read every labelled image of a data set once, and keep it where it can be drawn from again and again.

    Samples are kept in memory, in the order of the table, until ``memory`` is used up. The others are written to
    ``cache`` as arrays that are mapped when they are drawn, so that memory does not grow with the data set.

    Args:
        data: Data set in one of the layouts of :func:`~roadlift.train.data.list_images`.
        split: Only this split; None reads all.
        layout: Name of the layout; None recognises it.
        gsd: Metres per pixel of images without CRS.
        ground_resolution: Metres per pixel that images are resampled to where theirs is known; None leaves them.
        road_width: Width in metres that lines are drawn with; None takes it from their tags.
        ignore_rim: Pixels either side of label edges to ignore.
        memory: Bytes that samples in memory may take.
        cache: Folder for the others; what an earlier call wrote there is used again, if the files are still the same.
            None means a temporary folder that goes with the samples.
        progress: Called with the number of images read and of all.

    Returns:
        The samples in the order of the table. Images with sides over 2048 px are several samples.

    Raises:
        InputError: The data set or a file in it cannot be used.
        LimitError: The disk is too small for what does not fit into memory.
        OutputError: The cache cannot be written.
    """
    options = ReadOptions(ground_resolution, gsd, road_width, ignore_rim)
    table = list_images(data, split, layout=layout)
    _check_pairs(table.to_dict("records"), data)
    store = _Store(memory, cache)
    items: list[Sample | StoredSample] = []
    for number, row in enumerate(table.to_dict("records"), 1):
        items += store.take(row, options)
        if progress is not None:
            progress(number, len(table))
    return Samples(items, folder=store.temporary)


def _check_pairs(rows: Sequence[Mapping[Any, Any]], data: str | Path) -> None:
    missing = [row["name"] for row in rows if row["label"] is None]
    if missing:
        raise InputError(
            f"{len(missing)} images in {data} have no mask with the same stem, the first is {missing[0]!r}. "
            f"See: roadlift data inspect {data}"
        )


class _Store:
    """Where samples go: into memory until it is used up, then into files."""

    def __init__(self, memory: int, cache: str | Path | None) -> None:
        self._left, self._cache = memory, cache
        self.temporary: _TemporaryFolder | None = None

    def take(self, row: Mapping[Any, Any], options: ReadOptions) -> list[Sample | StoredSample]:
        """Keep the samples of a row; a label without an image gives none."""
        if row["image"] is None:
            return []
        return self._in_memory(row, options) or self._in_files(row, options)

    def _in_memory(self, row: Mapping[Any, Any], options: ReadOptions) -> list[Sample | StoredSample]:
        """Return the samples of a row, or none where they do not fit: from then on nothing does."""
        kept: list[Sample | StoredSample] = []
        for sample in read_parts(row, options) if self._left > 0 else ():
            self._left -= sample.label.size * _BYTES_PER_PIXEL
            if self._left < 0:
                return []
            kept.append(sample)
        return kept

    def _in_files(self, row: Mapping[Any, Any], options: ReadOptions) -> list[Sample | StoredSample]:
        """Write the samples of a row, unless they lie there already; the list of them is written last."""
        index = self._folder() / f"{_fingerprint(row, options)}.json"
        if not index.exists():
            names = []
            for number, sample in enumerate(read_parts(row, options)):
                _write(StoredSample.at(sample.name, index.with_name(f"{index.stem}-{number}")), sample)
                names.append(sample.name)
            _replace(index, partial(_save_names, names))
        return [
            StoredSample.at(name, index.with_name(f"{index.stem}-{number}"))
            for number, name in enumerate(json.loads(index.read_text()))
        ]

    def _folder(self) -> Path:
        if self._cache is not None:
            folder = Path(self._cache)
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"The cache {folder} cannot be made: {error.strerror}.") from error
            return folder
        if self.temporary is None:
            self.temporary = _TemporaryFolder()
        return self.temporary.path


class _TemporaryFolder:
    """A folder that is removed with the last samples that lie in it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="roadlift-samples-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _write(stored: StoredSample, sample: Sample) -> None:
    needed = sample.label.size * _BYTES_PER_PIXEL
    free = shutil.disk_usage(stored.image.parent).free
    if free < 2 * needed:
        raise LimitError(
            f"The data set does not fit into memory, and {stored.image.parent} has only {free / 1e6:.0f} MB free for it. "
            "Make room, allow more memory, or take a part of the data."
        )
    _replace(stored.image, partial(_save, sample.image))
    _replace(stored.label, partial(_save, sample.label))


def _save(array: np.ndarray, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _save_names(names: Sequence[str], path: Path) -> None:
    path.write_text(json.dumps(names))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {error.strerror}; see that the disk has room."
        ) from error


def _fingerprint(row: Mapping[Any, Any], options: ReadOptions) -> str:
    """Return a name for what is read from these files with these options."""
    files = [(str(Path(row[part]).resolve()), *_state(Path(row[part]))) for part in ("image", "label")]
    told = [files, row["name"], str(row["gsd_m"]), str(row["nodata"]), asdict(options), _FORMAT]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:24]


def _state(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    return state.st_size, state.st_mtime_ns
