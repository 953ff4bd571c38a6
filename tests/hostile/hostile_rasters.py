"""Rasters that are bombs, broken, of another kind, or no files at all."""

from __future__ import annotations

import os
import socket
import struct
import zlib

import numpy as np
import rasterio
from kinds import INPUT, LIMIT, Place, kind
from tiffs import LONG, tiff

# Bombs: little to store, much to read


@kind(LIMIT, r"2,199,023,255,552 pixels; at most 20,000,000,000")
def strip_of_2048_by_a_billion(place: Place) -> list[str]:
    return place.extract(place.file("image.tif", tiff(2048, 2**30, data=b"x")))


@kind(LIMIT, r"65,535 bands; at most 64")
def bands_65535(place: Place) -> list[str]:
    return place.extract(place.file("image.tif", tiff(10, 10, bands=65535, photometric=1, data=b"x")))


@kind(LIMIT, r"65,535 bands; at most 64")
def bands_65535_one_by_one(place: Place) -> list[str]:
    content = tiff(10, 10, bands=65535, photometric=1, planar=2, data=b"x")
    return place.extract(place.file("image.tif", content))


@kind(LIMIT, r"blocks of 32,768 x 32,768 pixels, 3,072 MiB; at most 64")
def block_of_32768(place: Place) -> list[str]:
    return place.extract(place.file("image.tif", tiff(32768, 32768, tile=32768, data=b"x")))


@kind(LIMIT, r"blocks of 30,000 x 30,000 pixels, 858 MiB; at most 64")
def one_compressed_strip(place: Place) -> list[str]:
    data = zlib.compress(bytes(30_000 * 30_000 // 100), 1)
    content = tiff(30_000, 30_000, bands=1, photometric=1, compression=8, data=data)
    return place.extract(place.file("image.tif", content))


@kind(LIMIT, r"1 x 100,000,000 pixels, 286 MiB")
def one_row_without_end(place: Place) -> list[str]:
    many = [300] * 20
    content = tiff(100_000_000, 20, rows_per_strip=1, compression=8, data=b"x", offsets=many, counts=many)
    return place.extract(place.file("image.tif", content))


@kind(LIMIT, r"40,000,000,000 pixels; at most 20,000,000,000")
def sparse_200000(place: Place) -> list[str]:
    return place.extract(place.file("image.tif", tiff(200_000, 200_000, tile=256, offsets=[0], counts=[0])))


@kind(LIMIT, r"10,000,000,000 pixels; at most 1,000,000,000")
def sparse_100000_over_a_limit_of_ones_own(place: Place) -> list[str]:
    path = place.file("image.tif", tiff(100_000, 100_000, tile=256, offsets=[0], counts=[0]))
    return place.extract(path, "--max-pixels", "1e9")


def _png(width: int, height: int, rows: bytes, *, check: int = 0) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data) ^ check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


@kind(LIMIT, r"3,600,000,000 pixels; at most 1,000,000,000.*GeoTIFF")
def png_of_60000(place: Place) -> list[str]:
    return place.extract(place.file("image.png", _png(60_000, 60_000, bytes(1000))))


# Broken


def _cut(percent: int) -> None:
    @kind(INPUT, r"image\.tif (cannot be opened|is damaged|is empty)", f"cut_at_{percent}_percent")
    def cut(place: Place) -> list[str]:
        path = place.image()
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * percent // 100])
        return place.extract(path)


for _percent in (1, 25, 50, 75, 99):
    _cut(_percent)


@kind(INPUT, r"image\.tif is damaged: rows \d+-\d+, columns \d+-\d+ of bands 1, 2, 3 cannot be read")
def one_block_overwritten(place: Place) -> list[str]:
    path = place.image()
    with rasterio.open(path) as file:
        start = int(file.get_tag_item("BLOCK_OFFSET_1_2", "TIFF", bidx=1))
    content = bytearray(path.read_bytes())
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    return place.extract(path)


@kind(INPUT, r"image\.tif is damaged: .*23% of the pixels or more are lost; at most 5%")
def more_damage_than_allowed(place: Place) -> list[str]:
    one_block_overwritten(place)
    return place.extract("image.tif", "--on-read-error", "nodata")


def _garbage(name: str, compression: int) -> None:
    @kind(INPUT, r"image\.tif (is damaged|cannot be opened)", f"tif_of_{name}_garbage")
    def garbage(place: Place) -> list[str]:
        data = np.random.default_rng(1).integers(0, 256, 2000).astype(np.uint8).tobytes()
        return place.extract(place.file("image.tif", tiff(64, 64, compression=compression, data=data)))


for _name, _compression in {
    "lzw": 5,
    "jpeg": 7,
    "deflate": 8,
    "zstd": 50000,
    "lerc": 34887,
    "webp": 50001,
}.items():
    _garbage(_name, _compression)


def _broken(name: str, says: str, content: bytes, suffix: str = ".tif") -> None:
    @kind(INPUT, says, name)
    def broken(place: Place) -> list[str]:
        return place.extract(place.file(f"image{suffix}", content))


_NOT_OPENED = r"image\.\w+ (cannot be opened as|is damaged|is empty)"
_broken("only_a_header", _NOT_OPENED, b"II*\0\x08\0\0\0")
_broken("directory_beyond_the_end", _NOT_OPENED, b"II*\0\xff\xff\xff\x7f" + bytes(100))
_broken("directory_inside_the_header", _NOT_OPENED, b"II*\0\0\0\0\0" + bytes(100))
_broken(
    "big_tiff_with_a_huge_directory",
    _NOT_OPENED,
    b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**60) + bytes(64),
)
_broken("no_columns", _NOT_OPENED, tiff(0, 10, data=bytes(10)))
_broken("no_rows", _NOT_OPENED, tiff(10, 0, rows_per_strip=1, data=bytes(10)))
_broken("no_bands", _NOT_OPENED, tiff(10, 10, bands=0, data=bytes(300)))
_broken("tiles_of_nothing", _NOT_OPENED, tiff(10, 10, tile=0, data=bytes(300)))
_broken("strips_beyond_the_end", _NOT_OPENED, tiff(10, 10, offsets=[2**31], counts=[300]))
_broken("strips_larger_than_the_file", _NOT_OPENED, tiff(1000, 1000, data=bytes(10), counts=[3_000_000]))
_broken("strips_without_length", _NOT_OPENED, tiff(100, 100, compression=8, data=b"", counts=[2**32 - 1]))
_broken("unknown_compression", _NOT_OPENED, tiff(10, 10, compression=65000, data=bytes(300)))
_broken("unknown_sample_format", _NOT_OPENED, tiff(10, 10, bits=24, sample_format=9, data=bytes(900)))
_broken("a_hundred_thousand_bits", _NOT_OPENED, tiff(10, 10, bits=65535, data=bytes(300)))
_broken("tags_that_overlap", _NOT_OPENED, tiff(10, 10, data=bytes(300), extra={258: (LONG, [2**32 - 1] * 3)}))
_broken("png_of_garbage", _NOT_OPENED, b"\x89PNG\r\n\x1a\n" + bytes(100), ".png")
_broken("png_without_columns", _NOT_OPENED, _png(0, 10, bytes(10)), ".png")
_broken("png_with_wrong_sums", _NOT_OPENED, _png(40, 40, bytes(40 * 121), check=1), ".png")
_broken("png_cut_short", _NOT_OPENED, _png(300, 300, bytes(300 * 30)), ".png")
_broken("jpeg_of_garbage", _NOT_OPENED, b"\xff\xd8\xff\xe0" + bytes(100), ".jpg")
_broken("jpeg_cut_short", _NOT_OPENED, b"\xff\xd8\xff", ".jpeg")


# Pixels that are no image


def _pixels(name: str, says: str, content: bytes) -> None:
    @kind(INPUT, says, name)
    def pixels(place: Place) -> list[str]:
        return place.extract(place.file("image.tif", content))


_pixels(
    "complex_pixels",
    "complex64 pixels",
    tiff(8, 8, bands=1, photometric=1, bits=64, sample_format=6, data=bytes(512)),
)
_pixels(
    "complex_integers",
    "complex_int16 pixels",
    tiff(8, 8, bands=1, photometric=1, bits=32, sample_format=5, data=bytes(256)),
)
_pixels("one_bit_pixels", "1-bit pixels", tiff(16, 16, bands=1, photometric=1, bits=1, data=bytes(32)))
_pixels("printers_colours", "CMYK", tiff(8, 8, bands=4, photometric=5, data=bytes(256)))


@kind(INPUT, "only an alpha band")
def nothing_but_alpha(place: Place) -> list[str]:
    path = place.image(count=1, photometric="MINISBLACK")
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [rasterio.enums.ColorInterp.alpha]
    return place.extract(path)


@kind(2, r"--nodata 300 is no value of uint8")
def nodata_outside_the_type(place: Place) -> list[str]:
    return place.extract(place.image(), "--nodata", "300")


@kind(2, r"--bands 1,2,9 does not fit")
def bands_that_are_not_there(place: Place) -> list[str]:
    return place.extract(place.image(), "--bands", "1,2,9")


# Other files under the name of an image

_NOT_A_TIFF = r"image\.tif cannot be opened as GTiff: it begins with .* name does not say what it is"
_broken("a_web_page", _NOT_A_TIFF, b"<!DOCTYPE html><html>Sign in</html>")
_broken("an_archive", _NOT_A_TIFF, b"PK\x03\x04" + bytes(50))
_broken("a_png_called_tif", _NOT_A_TIFF, _png(10, 10, bytes(310)))
_broken("an_empty_tif", r"image\.tif is empty", b"")
_broken("an_empty_png", r"image\.png is empty", b"", ".png")
_broken(
    "a_gif_called_png", r"cannot be opened as PNG: it begins with b'GIF89a", b"GIF89a" + bytes(50), ".png"
)
_broken("a_text_called_jpg", r"cannot be opened as JPEG: it begins with b'hello", b"hello, world", ".jpg")
_broken("a_format_that_is_not_read", r"ends in '\.hdf'; images read are \.jpeg, .*\.tif", b"\x89HDF", ".hdf")
_broken("no_suffix", r"ends in 'nothing'; images read are", b"II*\0", "")


# No files


@kind(INPUT, "not a regular file")
def a_pipe(place: Place) -> list[str]:
    os.mkfifo(place.folder / "image.tif")
    return place.extract(place.folder / "image.tif")


@kind(INPUT, "not a regular file")
def a_socket(place: Place) -> list[str]:
    os.chdir(place.folder)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("image.tif")
    return place.extract("image.tif")


@kind(INPUT, "not a regular file")
def a_device(place: Place) -> list[str]:
    (place.folder / "image.tif").symlink_to("/dev/zero")
    return place.extract("image.tif")


@kind(INPUT, "names no image; images read are")
def a_folder_called_tif(place: Place) -> list[str]:
    (place.folder / "image.tif").mkdir()
    return place.extract("image.tif")


@kind(INPUT, r"image\.tif (does not exist|cannot be looked at)")
def a_link_to_itself(place: Place) -> list[str]:
    (place.folder / "image.tif").symlink_to("image.tif")
    return place.extract("image.tif")


@kind(INPUT, "does not exist")
def a_link_to_nothing(place: Place) -> list[str]:
    (place.folder / "image.tif").symlink_to("gone.tif")
    return place.extract("image.tif")


@kind(INPUT, "does not exist|cannot be looked at")
def a_name_too_long(place: Place) -> list[str]:
    return place.extract("a" * 5000 + ".tif")
