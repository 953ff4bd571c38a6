"""The journal of a long job: what it works on, and which tiles are finished, in a folder beside its output.

The folder appears when the work begins and goes when the output is whole. Whatever ends the process in between, the same
command finds the journal, holds what it is asked for against what was begun, and computes only what is missing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from roadlift.errors import InputError, OutputError, UsageError
from roadlift.imagery.grid import Window
from roadlift.imagery.lost import LOST_SUFFIX
from roadlift.imagery.tilestore import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from roadlift.imagery.scaling import Pixels

FOLDER_SUFFIX: Final = ".roadlift"
_RECORD: Final = "journal.json"
_LOCK: Final = "lock"
_PRODUCTS: Final = "products"
_FORMAT: Final = 1
_PROBES: Final = 4
_PROBE_PIXELS: Final = 64


def journal_folder(output: str | Path) -> Path:
    """Return where the journal of an output lies.

    Example:
        >>> journal_folder("maps/city.gpkg").name
        'city.gpkg.roadlift'
    """
    path = Path(output)
    return path.with_name(path.name + FOLDER_SUFFIX)


@dataclass(frozen=True, eq=False)
class Journal:
    """An open journal, locked against others; use it as a context manager.

    Attributes:
        folder: Where it lies; the tiles lie there too.
        facts: What the work was begun with and must go on with, as the first process found it.
        resumed: Whether it was begun earlier.
    """

    folder: Path
    facts: Mapping[str, Any]
    resumed: bool
    _locks: tuple[int, ...] = ()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others have it."""
        for lock in self._locks:
            with suppress(OSError):
                os.close(lock)

    def remove(self) -> None:
        """Remove the folder: the output is whole, or there is nothing worth keeping."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.parent.name.endswith(FOLDER_SUFFIX):
            with suppress(OSError):
                self.folder.parent.rmdir()

    def note_product(self, path: str | Path) -> None:
        """Note that a file beside the output is whole; whoever goes on may replace it.

        Raises:
            OutputError: The folder cannot be written to.
        """
        try:
            with (self.folder / _PRODUCTS).open("a") as file:
                file.write(json.dumps(str(Path(path).absolute())) + "\n")
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be written to: {error.strerror or error}.") from error


def noted_products(folder: Path) -> frozenset[Path]:
    """Return the files that unfinished work has written beside its output."""
    try:
        lines = (folder / _PRODUCTS).read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(Path(json.loads(line)) for line in lines if line.endswith('"'))


def open_journal(
    folder: str | Path,
    identity: Mapping[str, Any],
    facts: Mapping[str, Any],
    *,
    restart: bool = False,
    shard: str | None = None,
) -> Journal:
    """Begin a journal, or go on with one that was begun for the same work.

    Args:
        folder: Where it lies or will lie.
        identity: What decides the result, as nested JSON values: input, model, options.
        facts: What to go on with; where the journal was begun earlier its own facts hold.
        restart: Throw away what is there.
        shard: Name of the share of the work that this process does; others may do other shares at the same time.

    Raises:
        UsageError: It was begun for other work (the message names the difference), or another process has it.
        OutputError: The folder cannot be written to.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "city.gpkg.roadlift"
        >>> open_journal(folder, {"model": {"name": "a"}}, {"core": 64}).close()
        >>> open_journal(folder, {"model": {"name": "b"}}, {"core": 64})
        Traceback (most recent call last):
        roadlift.errors.UsageError: ... model name was 'a' and is 'b' ...
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        locks = _locked(folder, shared=shard is not None and not restart, shard=shard)
        try:
            record, resumed = _record(folder, identity, facts, restart=restart)
            check_same(folder, record, identity)
        except BaseException:
            _release(locks)
            raise
    except OSError as error:
        if read_record(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise OutputError(
            f"{folder} cannot be written to: {error.strerror or error}. The unfinished work is kept there; choose an "
            "output in a folder with room and the right to write."
        ) from error
    return Journal(folder, record["facts"], resumed, locks)


def _record(
    folder: Path, identity: Mapping[str, Any], facts: Mapping[str, Any], *, restart: bool
) -> tuple[dict[str, Any], bool]:
    """Return the record of a journal, and whether it was there before; write it where it was not."""
    if restart:
        _empty(folder)
    record = read_record(folder)
    if record is not None:
        return record, True
    _write_once(folder, {"format": _FORMAT, "identity": identity, "facts": facts})
    return read_record(folder) or {}, False


def check_same(folder: Path, record: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    """Refuse to go on with what was begun for other work.

    Args:
        folder: Of the journal.
        record: What :func:`read_record` found there.
        identity: As for :func:`open_journal`.

    Raises:
        UsageError: They differ; the message says in what.
    """
    differences = list(_differences(record.get("identity"), json.loads(json.dumps(identity))))
    if record.get("format") != _FORMAT:
        differences = [f"the format of its journal is {record.get('format')}, this version's is {_FORMAT}"]
    if differences:
        raise UsageError(
            f"{folder} holds unfinished work of another kind: {'; '.join(differences[:4])}. Repeat the command it was "
            "begun with, or begin anew with --restart."
        )


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return what a journal was begun with: ``identity`` and ``facts``; None where there is none."""
    try:
        found: dict[str, Any] = json.loads((folder / _RECORD).read_text())
    except OSError:
        return None  # who is to write there finds out why
    except ValueError:
        return {}
    return found


def fingerprint(source: Any) -> dict[str, Any]:
    """Return what tells an image from another: its files' sizes and times, and a hash of pixels from all over it.

    Args:
        source: An :class:`~roadlift.imagery.ImagerySource`, or what has the same face.

    Raises:
        InputError: A file is gone.
    """
    digest = hashlib.sha256()
    for window in _probes(source.shape):
        try:
            pixels: Pixels = source.read(window)
        except InputError:
            digest.update(b"damaged")
        else:
            digest.update(pixels.values.tobytes())
            digest.update(pixels.valid.tobytes())
    files = [(Path(file).name, Path(file).stat()) for file in source.files]
    listed = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in files]
    return {
        "files": len(files),
        "bytes": sum(stat.st_size for _, stat in files),
        "modified": max((stat.st_mtime_ns for _, stat in files), default=0),
        "listing": hashlib.sha256(json.dumps(listed).encode()).hexdigest(),
        "shape": list(source.shape),
        "pixels": digest.hexdigest(),
    }


def _probes(shape: tuple[int, int]) -> Iterator[Window]:
    """Small windows on a lattice over the raster."""
    side = tuple(min(extent, _PROBE_PIXELS) for extent in shape)
    rows, cols = (
        sorted({round(place) for place in np.linspace(0, extent - length, _PROBES)})
        for extent, length in zip(shape, side, strict=True)
    )
    yield from (Window(row, col, *side) for row in rows for col in cols)


def _locked(folder: Path, *, shared: bool, shard: str | None) -> tuple[int, ...]:
    """Lock the folder, for oneself or together with other shards, and one's own shard."""
    locks = [_lock(folder / _LOCK, shared=shared)]
    if shard is not None:
        try:
            locks.append(_lock(folder / f"{shard}.{_LOCK}", shared=False))
        except UsageError:
            _release(locks)
            raise
    return tuple(locks)


def _lock(path: Path, *, shared: bool) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise UsageError(
            f"another process is at work in {path.parent}; wait for it, or choose another output."
        ) from error
    except OSError:
        pass  # a network drive without locks: the caller sees to it that nothing runs twice
    return descriptor


def _release(locks: tuple[int, ...] | list[int]) -> None:
    for lock in locks:
        os.close(lock)


def _empty(folder: Path) -> None:
    finished = (path for suffix in (SUFFIX, LOST_SUFFIX, ".begun") for path in folder.glob(f"*{suffix}"))
    for path in [folder / _RECORD, folder / _PRODUCTS, *finished]:
        path.unlink(missing_ok=True)


def _write_once(folder: Path, record: Mapping[str, Any]) -> None:
    """Write the record whole, unless another shard has just done so."""
    temporary = folder / f".{os.getpid()}-{os.urandom(4).hex()}"
    try:
        temporary.write_text(json.dumps(record, indent=1))
        try:
            os.link(temporary, folder / _RECORD)
        except FileExistsError:
            pass
        except OSError:  # a drive without hard links
            temporary.replace(folder / _RECORD)
    finally:
        temporary.unlink(missing_ok=True)


def _differences(begun: Any, asked: Any, name: str = "") -> Iterator[str]:
    """Name every value that is not the same in two nested JSON values."""
    if isinstance(begun, dict) and isinstance(asked, dict):
        for key in sorted(begun.keys() | asked.keys()):
            yield from _differences(begun.get(key), asked.get(key), f"{name} {key}".strip())
    elif begun != asked:
        yield f"{name} was {begun!r} and is {asked!r}"
