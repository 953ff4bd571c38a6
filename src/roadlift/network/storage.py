"""The door through which a road map reaches files: `export` fills it, `network` knows no formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadlift.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from roadlift.network.roadmap import RoadMap


@dataclass(frozen=True)
class Storage:
    """The two functions that know files."""

    save: Callable[..., None]
    load: Callable[..., RoadMap]


_registered: list[Callable[[], Storage]] = []


def register_storage(provide: Callable[[], Storage]) -> None:
    """Make ``RoadMap.save`` and ``RoadMap.from_file`` use what ``provide`` brings when it is first needed."""
    _registered[:] = [provide]


def registered_storage() -> Storage:
    """Return the functions that were registered.

    Raises:
        UsageError: none were; ``import roadlift.export`` (or anything that saves) does it.
    """
    if not _registered:
        message = "no file formats are loaded; import roadlift.export, which brings them"
        raise UsageError(message)
    return _registered[0]()
