"""Files on their way in: one file of a form, straight to its place on disk, counted byte by byte."""

from __future__ import annotations

import re
import shutil
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from roadlift.server.options import MEGABYTE
from roadlift.server.problems import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

FIELD: Final = b"file"
LONGEST_NAME: Final = 120
MOST_PARTS: Final = 10
FREE_BYTES: Final = 256 * MEGABYTE
"""Space that an upload leaves on the disk."""
_BEGINNINGS: Final = {
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"II+\0": ".tif",
    b"MM\0+": ".tif",
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
}


async def receive_file(request: Request, path: Path, *, largest: int) -> str:
    """Write the file of a form to ``path`` as it arrives.

    Args:
        request: with a body of type multipart/form-data and a file in the field ``file``.
        path: where to; it is there, perhaps in part, whatever happens.
        largest: bytes that the file may have.

    Returns:
        The name that the user's machine has for it, fit for being shown.

    Raises:
        Problem: The body is no such form, is too large, or the disk is full.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Problem(415, "no_form", "Send the image as multipart/form-data, in a field named file.")
    if shutil.disk_usage(path.parent).free < FREE_BYTES:
        raise _disk_full()
    with path.open("wb") as file:
        try:
            form = _Form(options[b"boundary"], file, largest)
            async for chunk in request.stream():
                form.feed(chunk)
                if len(form.waiting) >= MEGABYTE:
                    await run_in_threadpool(form.write)
            await run_in_threadpool(form.write)
        except FormParserError as error:
            raise Problem(400, "broken_form", "The form is broken; send the image again.") from error
        except OSError as error:
            raise _disk_full() from error
        if not form.complete:
            raise Problem(
                400, "broken_form", "The form ends too early or holds no file; send the image again."
            )
        if not form.size:
            raise Problem(422, "empty_file", "The file is empty; choose an image.")
    return shown_name(form.name)


def _disk_full() -> Problem:
    return Problem(507, "no_space", "The server's disk is full; delete images that are no longer needed.")


class _Form:
    """What is known of a form while it arrives."""

    def __init__(self, boundary: bytes, file: BinaryIO, largest: int) -> None:
        self.name = ""
        self.size = 0
        self.waiting = bytearray()
        self.complete = False
        self._file, self._largest = file, largest
        self._parts, self._found, self._wanted = 0, False, False
        self._field, self._value, self._disposition = b"", b"", b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        if chunk:
            self._parser.write(chunk)

    def write(self) -> None:
        """Write what waits."""
        self._file.write(self.waiting)
        self._file.flush()
        self.waiting.clear()

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise Problem(400, "broken_form", f"The form has more than {MOST_PARTS} parts; send one file.")
        self._disposition, self._wanted = b"", False

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._wanted = options.get(b"name") == FIELD and b"filename" in options and not self._found
        if self._wanted:
            self._found = True
            self.name = options[b"filename"].decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._wanted:
            return
        self.size += end - start
        if self.size > self._largest:
            raise Problem(
                413,
                "too_large",
                f"The file has more than {self._largest / MEGABYTE:,.0f} MiB, which is the most that this server takes. Cut "
                "it into parts, or use the command line: roadlift extract.",
            )
        self.waiting += data[start:end]

    def _end(self) -> None:
        self.complete = self.complete or self._wanted


def shown_name(name: str) -> str:
    r"""Make of a client's file name something to show; it is never used as a path.

    Example:
        >>> shown_name("../../etc/passwd"), shown_name("C:\\pictures\\my town.tif"), shown_name("\t\n")
        ('passwd', 'my town.tif', 'image')
    """
    last = re.split(r"[/\\]", name)[-1]
    clean = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C")
    return clean.strip()[:LONGEST_NAME] or "image"


def suffix_of(path: Path) -> str:
    """Return the suffix of the kind of image that the first bytes tell.

    Raises:
        Problem: It is none that is taken.
    """
    with path.open("rb") as file:
        head = file.read(16)
    for beginning, suffix in _BEGINNINGS.items():
        if head.startswith(beginning):
            return suffix
    raise Problem(
        415,
        "unknown_format",
        "The file is no GeoTIFF, PNG or JPEG image. Convert it first, for example with gdal_translate.",
    )
