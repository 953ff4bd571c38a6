"""Refusals before any work is done."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from roadlift import export
from roadlift.errors import OutputError, UsageError
from roadlift.imagery.inputs import list_images
from roadlift.imagery.opening import is_remote
from roadlift.model import find_card
from roadlift.pipeline.options import ExtractOptions


def check_result(
    images: Sequence[str | Path], output: str | Path, options: ExtractOptions, *, dst_crs: str | None = None
) -> None:
    """Refuse, before the network runs, a result that could not be saved for its format or CRS.

    Raises:
        UsageError: Format and CRS do not go together.
        InputError: An image cannot be used.
    """
    export.check_format(output, dst_crs=dst_crs)
    card = find_card(options.model)
    for image in images:
        with options.open(image, card) as source:
            export.check_format(output, dst_crs=dst_crs, has_crs=source.native_georef.crs is not None)


def check_targets(
    paths: Sequence[str | Path | None],
    *,
    overwrite: bool,
    ours: frozenset[Path] = frozenset(),
    inputs: Sequence[str | Path] = (),
) -> None:
    """Refuse, before any work is done, what could not be written afterwards.

    Args:
        paths: Files to write; None are passed over.
        overwrite: Whether files that exist may be replaced.
        ours: Files that may be replaced anyway: unfinished work has written them.
        inputs: What is read: images, or what names them.

    Raises:
        OutputError: A target exists and may not be replaced, or its folder does not exist.
        UsageError: Two targets are the same file, or a target is read.
    """
    targets = [Path(path) for path in paths if path is not None]
    if len({target.resolve() for target in targets}) < len(targets):
        raise UsageError("Two of the outputs are the same file; give each its own name.")
    for target in targets:
        if not target.parent.is_dir():
            raise OutputError(f"The folder {target.parent} does not exist; create it first.")
        if target.exists() and not overwrite and target.absolute() not in ours:
            raise OutputError(f"{target} exists; choose another name or allow --overwrite.")
    read = {place for where in inputs for place in _places_read(where)}
    for target in targets:
        if os.path.realpath(target) in read:
            raise UsageError(f"{target} is read, so it cannot be written too; choose another name.")


def _places_read(where: str | Path) -> Iterator[str]:
    """Files of this machine that an input names, and itself; what an address names is not asked for."""
    if not is_remote(where):
        for file in (where, *list_images(where)):
            if not is_remote(file) and "\0" not in str(file):
                yield os.path.realpath(file)
