"""Opening rasters safely: an allow-list of formats, limits before the first read, nothing that points elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from roadlift.errors import InputError, LimitError

DRIVERS = {
    ".tif": "GTiff",
    ".tiff": "GTiff",
    ".vrt": "VRT",
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
}
MAX_BANDS = 64
MAX_PIXELS = 2 * 10**10
MAX_BLOCK_BYTES = 64 * 2**20
MAX_VRT_BYTES = 64 * 2**20
_SETTINGS = {
    "GDAL_CACHEMAX": 256 * 2**20,  # rasterio takes bytes
    "GDAL_NUM_THREADS": "2",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_VERSION": "2",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "VSI_CACHE": "TRUE",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",  # else the missing part of a cut JPEG is grey
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",  # else that of a cut PNG is black
}
_NOTHING_REMOTE = {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}"}


def gdal_settings(*, only_url: str | None = None) -> rasterio.Env:
    """Return the GDAL settings that roadlift reads and writes with, as a context.

    Args:
        only_url: GDAL name of the one remote file that may be opened; None: nothing remote.
    """
    reach = _NOTHING_REMOTE
    if only_url is not None:
        reach = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_ALLOWED_FILENAME": only_url}
    return rasterio.Env(**_SETTINGS, **reach)


@contextmanager
def gdal_opening(*, only_url: str | None = None) -> Iterator[None]:
    """Open or create files with these settings, without the warning that an image has no georeference.

    Args:
        only_url: As in :func:`gdal_settings`.
    """
    with gdal_settings(only_url=only_url), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # plain pictures are normal here
        yield


def is_remote(path: str | Path) -> bool:
    """Whether ``path`` is an http or https URL."""
    return isinstance(path, str) and urlsplit(path).scheme in ("http", "https")


def open_raster(path: str | Path) -> rasterio.DatasetReader:
    """Open a raster of an allowed format.

    Args:
        path: Local file, or http(s) URL of a GeoTIFF.

    Returns:
        The open dataset; its size and blocks are within the limits.

    Raises:
        InputError: The file does not exist, is no regular file, has another format, or cannot be opened.
        LimitError: It has more bands or pixels, or larger blocks, than allowed.
    """
    remote = is_remote(path)
    name = f"/vsicurl/{path}" if remote else str(_existing_file(path))
    suffix = Path(urlsplit(str(path)).path if remote else path).suffix.lower()
    if suffix not in DRIVERS:
        allowed = ", ".join(sorted(DRIVERS))
        raise InputError(
            f"{path} ends in {suffix or 'nothing'!r}; images read are {allowed}. Convert it with gdal_translate."
        )
    if DRIVERS[suffix] == "VRT":
        _check_vrt(path, remote=remote)
    try:
        with gdal_opening(only_url=name if remote else None):
            dataset = rasterio.open(name, driver=DRIVERS[suffix])
    except (RasterioError, ValueError) as error:
        raise InputError(f"{path} cannot be opened as {DRIVERS[suffix]}: {error}.") from error
    try:
        _check_limits(dataset, path)
        _check_references(dataset, path)
    except Exception:
        dataset.close()
        raise
    return dataset


def _existing_file(path: str | Path) -> Path:
    path = Path(path)
    if "\0" in str(path) or not path.exists():
        raise InputError(f"{path} does not exist; give the path of an image or an http(s) URL.")
    if not path.is_file():
        raise InputError(f"{path} is not a regular file; give the path of an image.")
    return path.resolve()


def _check_vrt(path: str | Path, *, remote: bool) -> None:
    """Refuse virtual rasters that could show any file: remote ones, and those that read raw bytes."""
    if remote:
        raise InputError(f"{path} is a remote VRT, which is refused. Download it, or give its GeoTIFF.")
    size = Path(path).stat().st_size
    if size > MAX_VRT_BYTES:
        raise LimitError(f"{path} has {size:,} bytes; a VRT may have {MAX_VRT_BYTES:,}. Split it.")
    if b"vrtrawrasterband" in Path(path).read_bytes().lower():
        raise InputError(f"{path} reads raw bytes of another file (VRTRawRasterBand), which is refused.")


def _check_limits(dataset: rasterio.DatasetReader, path: str | Path) -> None:
    if dataset.count > MAX_BANDS:
        raise LimitError(f"{path} has {dataset.count} bands; at most {MAX_BANDS} are allowed.")
    pixels = dataset.width * dataset.height
    if pixels > MAX_PIXELS:
        raise LimitError(
            f"{path} has {pixels:,} pixels; at most {MAX_PIXELS:,} are allowed. Cut it into parts."
        )
    for (rows, cols), dtype in zip(dataset.block_shapes, dataset.dtypes, strict=True):
        size = rows * cols * _bytes(dtype)
        if size > MAX_BLOCK_BYTES and (rows, cols) != (1, dataset.width):
            raise LimitError(
                f"{path} has blocks of {rows} x {cols} pixels, {size / 2**20:.0f} MiB; at most "
                f"{MAX_BLOCK_BYTES // 2**20} MiB are allowed. Rewrite it with gdal_translate -co TILED=YES."
            )


def _bytes(dtype: str) -> int:
    return 16 if "complex" in dtype else int("".join(c for c in dtype if c.isdigit()) or 8) // 8


def _check_references(dataset: rasterio.DatasetReader, path: str | Path) -> None:
    """Refuse tags that would make GDAL read another file or URL (the TIFF tag OVERVIEW_FILE)."""
    if "OVERVIEW_FILE" in dataset.tags(ns="OVERVIEWS"):
        raise InputError(
            f"{path} names another file as its overviews, which is refused. Copy it with gdal_translate first."
        )


def is_alpha(dataset: rasterio.DatasetReader, band: int) -> bool:
    """Whether the band (counted from 1) holds opacity."""
    return bool(dataset.colorinterp[band - 1] == ColorInterp.alpha)
