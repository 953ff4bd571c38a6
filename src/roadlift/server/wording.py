"""What other rooms say, made fit for the page: they name flags of the command line, which the page does not have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

REMEDIES: Final[Mapping[str, str]] = {
    "max-pixels": "cut it into parts",
    "gsd": "give its metres per pixel",
    "crs": "write its CRS into the file (gdal_edit -a_srs)",
    "bands": "keep the bands for red, green and blue, or one for grey (gdal_translate -b)",
    "nodata": "mark what is no data in the file (gdal_edit -a_nodata)",
    "model": "choose another model",
    "restart": "extract the image once more",
}
"""What to do on the page, or to the file, where the command line has a flag."""
ELSEWHERE: Final = "the command line can do that: roadlift extract --help"
_FLAG = re.compile(r"(?<!\w)--([a-z][a-z-]*[a-z])")
_ASIDE = re.compile(r" ?\([^()]*--[a-z][^()]*\)")
_BETWEEN = re.compile(r"(; |\. |: (?=[a-z]))")


def without_flags(message: str) -> str:
    """Replace each part of a message that names a flag by what is to be done instead; the other parts stay.

    Example:
        >>> without_flags("town.tif has 9 pixels; at most 4 are allowed. Cut it into parts, or raise --max-pixels.")
        'town.tif has 9 pixels; at most 4 are allowed. Cut it into parts.'
        >>> without_flags("no CRS: 1 m per pixel assumed (set it with --gsd)")
        'no CRS: 1 m per pixel assumed'
    """
    pieces = _BETWEEN.split(_ASIDE.sub("", message))
    return "".join(_replaced(piece) if _FLAG.search(piece) else piece for piece in pieces)


def _replaced(part: str) -> str:
    """Return what stands for a part that names flags, begun and ended as it was."""
    words = ", or ".join(dict.fromkeys(REMEDIES.get(flag, ELSEWHERE) for flag in _FLAG.findall(part)))
    begun = words[0].upper() + words[1:] if part[:1].isupper() else words
    return begun + "." * part.endswith(".")
