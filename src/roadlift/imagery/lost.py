"""Parts of images that cannot be read, remembered beside the finished tiles: whoever goes on counts them too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from roadlift.errors import OutputError
from roadlift.imagery.grid import Window

LOST_SUFFIX: Final = ".lost"


@dataclass(frozen=True)
class Lost:
    """A part of an image that cannot be read and was given as no data.

    Attributes:
        image: Its absolute path, or URL.
        row, col, height, width: Window of the image's working grid.
    """

    image: str
    row: int
    col: int
    height: int
    width: int

    @property
    def window(self) -> Window:
        """The part as a window."""
        return Window(self.row, self.col, self.height, self.width)


class LostNotes:
    """Appends what is lost to a file of its own in a folder that others may write to as well.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> LostNotes(folder).note([Lost("/city.tif", 0, 128, 128, 128)])
        >>> noted_lost(folder)
        frozenset({Lost(image='/city.tif', row=0, col=128, height=128, width=128)})
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{os.getpid()}-{os.urandom(4).hex()}{LOST_SUFFIX}"
        self._noted = noted_lost(folder)

    def note(self, lost: Iterable[Lost]) -> None:
        """Write down what nobody has so far.

        Raises:
            OutputError: The folder cannot be written to.
        """
        new = frozenset(lost) - self._noted
        if not new:
            return
        try:
            with self._path.open("a") as file:
                file.writelines(json.dumps(asdict(one)) + "\n" for one in new)
        except OSError as error:
            raise OutputError(
                f"{self._path.parent} cannot be written to: {error.strerror or error}."
            ) from error
        self._noted |= new


def noted_lost(folder: Path) -> frozenset[Lost]:
    """Return what all have written down; a line that was torn is left out."""
    try:
        lines = [line for path in folder.glob(f"*{LOST_SUFFIX}") for line in path.read_text().splitlines()]
    except OSError as error:
        raise OutputError(f"{folder} cannot be read: {error.strerror or error}.") from error
    return frozenset(Lost(**json.loads(line)) for line in lines if line.endswith("}"))
