"""Write a file so that it is either complete or not there: a temporary one beside it is put in its place."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from roadlift.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary path with the same suffix in the same folder; on a clean exit it becomes ``path``.

    The file is flushed to disk before it replaces the old one (a symbolic link is replaced, not followed). On
    any error the temporary folder goes and an existing file stays as it was.

    Raises:
        OutputError: the file exists and ``overwrite`` is false, its folder is missing, or it cannot be
        written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with replacing(folder / "a.txt", overwrite=False) as temporary:
        ...     _ = temporary.write_text("whole")
        >>> (folder / "a.txt").read_text()
        'whole'
    """
    target = Path(path)
    try:
        _check_target(target, overwrite=overwrite)
        with tempfile.TemporaryDirectory(prefix=f".{target.stem[:40]}.", dir=target.parent) as folder:
            temporary = Path(folder) / f"writing{target.suffix}"
            yield temporary
            _flush(temporary)
            temporary.replace(target)
        _flush(target.parent)
    except OSError as error:
        message = (
            f"cannot write {target}: {error.strerror or error}; free some space or choose another folder"
        )
        raise OutputError(message) from error


def _check_target(target: Path, *, overwrite: bool) -> None:
    if not target.parent.is_dir():
        message = f"the folder {target.parent} does not exist; create it or choose another output path"
        raise OutputError(message)
    if target.is_dir():
        message = f"{target} is a folder; give the path of a file"
        raise OutputError(message)
    if target.exists() and not overwrite:
        message = (
            f"{target} exists already; choose another name, or replace it with --overwrite (overwrite=True)"
        )
        raise OutputError(message)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
