"""Writes TIFF files tag by tag, so that they can lie about themselves."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

SHORT, LONG, DOUBLE, ASCII = 3, 4, 12, 2
_FORMATS = {SHORT: "H", LONG: "I", DOUBLE: "d", ASCII: "s"}
UTM_KEYS = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32619)
Tags = Mapping[int, tuple[int, Sequence[float] | bytes]]


def tiff(
    width: int,
    height: int,
    *,
    bands: int = 3,
    bits: int = 8,
    sample_format: int = 1,
    compression: int = 1,
    photometric: int = 2,
    planar: int = 1,
    tile: int | None = None,
    rows_per_strip: int | None = None,
    offsets: Sequence[int] | None = None,
    counts: Sequence[int] | None = None,
    scale: tuple[float, float] = (1.0, 1.0),
    origin: tuple[float, float] = (300_000.0, 4_700_000.0),
    data: bytes = b"",
    extra: Tags | None = None,
) -> bytes:
    """Return a little-endian TIFF in UTM zone 19N; the pixels are ``data``, one block after the header.

    ``offsets`` None points at ``data``; ``counts`` None is its length.
    """
    tags: dict[int, tuple[int, Sequence[float] | bytes]] = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [bits] * min(bands, 4)),
        259: (SHORT, [compression]),
        262: (SHORT, [photometric]),
        277: (SHORT, [bands]),
        284: (SHORT, [planar]),
        339: (SHORT, [sample_format] * min(bands, 4)),
        33550: (DOUBLE, [*scale, 0.0]),
        33922: (DOUBLE, [0.0, 0.0, 0.0, *origin, 0.0]),
        34735: (SHORT, UTM_KEYS),
    }
    if bands > 4:
        del tags[258], tags[339]  # one value stands for all
        tags |= {258: (SHORT, [bits]), 338: (SHORT, [0])}
    if tile is not None:
        tags |= {322: (LONG, [tile]), 323: (LONG, [tile])}
    else:
        tags[278] = (LONG, [height if rows_per_strip is None else rows_per_strip])
    places, sizes = (273, 279) if tile is None else (324, 325)
    tags[places] = (LONG, [0] if offsets is None else offsets)
    tags[sizes] = (LONG, [len(data)] if counts is None else counts)
    tags |= extra or {}
    if offsets is None:
        tags[places] = (LONG, [8 + _length(tags)])
    return b"II*\0" + struct.pack("<I", 8) + _directory(tags) + data


def _packed(kind: int, values: Sequence[float] | bytes) -> bytes:
    if isinstance(values, bytes):
        return values
    return struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)


def _length(tags: Tags) -> int:
    beside = (len(_packed(kind, values)) for kind, values in tags.values())
    return 2 + 12 * len(tags) + 4 + sum(size + size % 2 for size in beside if size > 4)


def _directory(tags: Tags) -> bytes:
    entries, beside = b"", b""
    start = 8 + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        content = _packed(kind, values)
        entries += struct.pack("<HHI", tag, kind, len(values))
        if len(content) > 4:
            entries += struct.pack("<I", start + len(beside))
            beside += content + b"\0" * (len(content) % 2)
        else:
            entries += content.ljust(4, b"\0")
    return struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + beside
