"""Opening rasters safely: an allow-list of formats, limits before the first read, nothing that points elsewhere."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from roadlift.errors import InputError, LimitError
from roadlift.imagery.virtual import vrt_sources

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
MAX_PICTURE_PIXELS = 10**9
"""PNG and JPEG can only be decoded from the top, so that tiles of a large one take forever."""
MAX_BLOCK_BYTES = 64 * 2**20
_BEGINNINGS = {
    "GTiff": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
}
_SHOWN = 200
_SIDECARS = (".ovr", ".OVR", ".msk", ".MSK")
_SETTINGS = {
    "GDAL_CACHEMAX": 256 * 2**20,  # rasterio takes bytes
    "GDAL_NUM_THREADS": "2",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",  # sidecar files by their exact names only
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_VERSION": "2",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "VSI_CACHE": "TRUE",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",  # else the missing part of a cut JPEG is grey
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",  # else that of a cut PNG is black
}
_NOTHING_REMOTE = {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}"}


def set_cache(size: int) -> None:
    """Set the memory in which GDAL keeps decoded blocks, one for the whole process.

    Args:
        size: Bytes.
    """
    _SETTINGS["GDAL_CACHEMAX"] = size


def gdal_settings(*, only_url: str | None = None) -> rasterio.Env:
    """Return the GDAL settings that roadlift reads and writes with, as a context.

    Args:
        only_url: GDAL name of the one remote file that may be opened; None: nothing remote.
    """
    reach = _NOTHING_REMOTE
    if only_url is not None:
        reach = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_ALLOWED_FILENAME": only_url}
    return rasterio.Env(**(_SETTINGS | reach))


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


def absolute(name: str | Path) -> str:
    """Return a path as it is called from any folder; what is none stays as it is.

    Example:
        >>> absolute("https://example.org/a.tif")
        'https://example.org/a.tif'
    """
    return str(Path(name).resolve()) if not is_remote(name) and _exists(Path(name)) else str(name)


def _exists(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.exists()
    except OSError:
        return False


def open_raster(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> rasterio.DatasetReader:
    """Open a raster of an allowed format.

    The suffix tells the one driver that may open the file. A VRT must be local, hold nothing but images put together,
    and each of these is checked like an image of its own; so are overviews and masks in files beside the image.

    Args:
        path: Local file, or http(s) URL of a GeoTIFF, PNG or JPEG.
        max_pixels: Larger rasters are refused.

    Returns:
        The open dataset; its size and blocks are within the limits.

    Raises:
        InputError: The file does not exist, is no regular file, has another format, or cannot be opened.
        LimitError: It has more bands or pixels, or larger blocks, than allowed.
    """
    if is_remote(path):
        return _open_checked(path, f"/vsicurl/{path}", _driver(path), max_pixels, remote=True)
    file, driver = _existing_file(path), _driver(path)
    _check_content(path, file, driver, max_pixels, (), set())
    return _open_checked(path, str(file), driver, max_pixels)


def _driver(path: str | Path) -> str:
    suffix = Path(urlsplit(str(path)).path if is_remote(path) else path).suffix.lower()
    if suffix not in DRIVERS:
        allowed = ", ".join(sorted(DRIVERS))
        raise InputError(
            f"{shown(path)} ends in {suffix[:20] or 'nothing'!r}; images read are {allowed}. Convert it with gdal_translate."
        )
    if is_remote(path) and DRIVERS[suffix] == "VRT":
        raise InputError(f"{path} is a remote VRT, which is refused. Download it, or give its GeoTIFF.")
    return DRIVERS[suffix]


def shown(path: str | Path) -> str:
    """Return a path as messages show it: one line, not without end."""
    text = " ".join(str(path).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _existing_file(path: str | Path) -> Path:
    """Return the resolved path of a regular file: no name that GDAL would take for anything else."""
    path = Path(path)
    try:
        exists = "\0" not in str(path) and path.exists()
    except OSError as error:  # a name too long, a loop of links
        raise InputError(
            f"{shown(path)} cannot be looked at: {error.strerror}; give the path of an image."
        ) from error
    if not exists:
        raise InputError(f"{shown(path)} does not exist; give the path of an image or an http(s) URL.")
    if not path.is_file():
        raise InputError(f"{path} is not a regular file; give the path of an image.")
    return path.resolve()


def _check_content(
    path: str | Path, file: Path, driver: str, max_pixels: int, parents: tuple[Path, ...], done: set[Path]
) -> None:
    """Look into a local file before GDAL does: its first bytes, what a VRT names, files beside it."""
    if driver == "VRT":
        _check_sources(path, file, max_pixels, (*parents, file), done)
        return
    _check_beginning(path, file, driver)
    for beside in (Path(f"{file}{end}") for end in _SIDECARS):
        if beside.exists():
            _check_beginning(beside, _existing_file(beside), "GTiff")
            _open_checked(beside, str(beside), "GTiff", max_pixels).close()


def _check_sources(
    path: str | Path, file: Path, max_pixels: int, parents: tuple[Path, ...], done: set[Path]
) -> None:
    for source in vrt_sources(file):
        try:
            found, driver = _existing_file(source), _driver(source)
            if found in parents:
                raise InputError(f"{source} is made of itself.")
            if found in done:
                continue
            done.add(found)
            _check_content(source, found, driver, max_pixels, parents, done)
            if driver != "VRT":
                _open_checked(source, str(found), driver, max_pixels).close()
        except (InputError, LimitError) as error:
            raise type(error)(
                f"{path} is made of {shown(source)}, which is refused: {error} "
                "A VRT may name images of this machine only."
            ) from error


def _check_beginning(path: str | Path, file: Path, driver: str) -> None:
    try:
        with file.open("rb") as opened:
            found = opened.read(8)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check its permissions.") from error
    if not found:
        raise InputError(f"{path} is empty; get an intact copy.")
    if not found.startswith(_BEGINNINGS[driver]):
        raise InputError(
            f"{path} cannot be opened as {driver}: it begins with {found!r}, so its name does not say what it is. "
            "Convert it with gdal_translate."
        )


def _open_checked(
    path: str | Path, name: str, driver: str, max_pixels: int, *, remote: bool = False
) -> rasterio.DatasetReader:
    try:
        with gdal_opening(only_url=name if remote else None):
            dataset = rasterio.open(name, driver=driver)
    except (RasterioError, CPLE_BaseError, ValueError) as error:
        raise InputError(f"{path} cannot be opened as {driver}: {error}.") from error
    try:
        with damage_named(path):
            _check_references(dataset, path)
            _check_limits(dataset, path, max_pixels)
    except Exception:
        dataset.close()
        raise
    return dataset


def _check_references(dataset: rasterio.DatasetReader, path: str | Path) -> None:
    """Refuse tags that would make GDAL read another file or URL (the TIFF tag OVERVIEW_FILE)."""
    if "OVERVIEW_FILE" in dataset.tags(ns="OVERVIEWS"):
        raise InputError(
            f"{path} names another file as its overviews, which is refused. Copy it with gdal_translate first."
        )


def _check_limits(dataset: rasterio.DatasetReader, path: str | Path, max_pixels: int) -> None:
    if dataset.count > MAX_BANDS:
        raise LimitError(f"{path} has {dataset.count:,} bands; at most {MAX_BANDS} are allowed.")
    if dataset.count == 0:
        raise InputError(f"{path} holds no band; give an image of one band or more.")
    check_pixels(dataset.shape, path, max_pixels)
    if dataset.driver in ("PNG", "JPEG"):
        check_pixels(dataset.shape, path, MAX_PICTURE_PIXELS, remedy="Convert it to a tiled GeoTIFF.")
    _check_blocks(dataset, path)


def _check_blocks(dataset: rasterio.DatasetReader, path: str | Path) -> None:
    """Refuse blocks that take much memory to read one pixel of."""
    interleaved = dataset.count if dataset.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL" else 1
    for (block_rows, cols), dtype in zip(dataset.block_shapes, dataset.dtypes, strict=True):
        rows = dataset.height if _is_one_strip(dataset) else block_rows
        size = rows * cols * _bytes(dtype) * interleaved
        if size > MAX_BLOCK_BYTES:
            raise LimitError(
                f"{path} has blocks of {rows:,} x {cols:,} pixels, {size / 2**20:,.0f} MiB; at most "
                f"{MAX_BLOCK_BYTES // 2**20} MiB are allowed. Rewrite it with gdal_translate -co TILED=YES."
            )


def _is_one_strip(dataset: rasterio.DatasetReader) -> bool:
    """Whether a GeoTIFF is one compressed strip, which GDAL shows row by row and decodes from the top."""
    first, second = (dataset.get_tag_item(f"BLOCK_OFFSET_0_{row}", "TIFF", bidx=1) for row in (0, 1))
    rows = dataset.block_shapes[0][0]
    return dataset.driver == "GTiff" and rows == 1 < dataset.height and first is not None and second is None


def check_pixels(
    shape: tuple[int, int], path: str | Path, max_pixels: int, *, remedy: str | None = None
) -> None:
    """Refuse rasters of too many pixels.

    Raises:
        LimitError: There are more than ``max_pixels``.
    """
    if math.prod(shape) > max_pixels:
        raise LimitError(
            f"{path} has {math.prod(shape):,} pixels; at most {max_pixels:,} are allowed. "
            + (remedy or "Cut it into parts, or raise --max-pixels.")
        )


def _bytes(dtype: str) -> int:
    return 4 if dtype == "complex_int16" else np.dtype(dtype).itemsize


@contextmanager
def damage_named(path: str | Path) -> Iterator[None]:
    """Turn what GDAL says about a broken file into an error of ours.

    Raises:
        InputError: GDAL could not read what it was asked for.
    """
    try:
        yield
    except (RasterioError, CPLE_BaseError) as error:
        raise InputError(f"{path} is damaged: {reasons(error)}. Get an intact copy.") from error


def is_alpha(dataset: rasterio.DatasetReader, band: int) -> bool:
    """Whether the band (counted from 1) holds opacity."""
    return bool(dataset.colorinterp[band - 1] == ColorInterp.alpha)


def reasons(error: BaseException) -> str:
    """Return what GDAL said about an error, from the outermost cause on: which band, which block, why.

    Example:
        >>> try:
        ...     raise ValueError("Read failed.") from OSError("band 1: block 2")
        ... except ValueError as error:
        ...     reasons(error)
        'band 1: block 2'
    """
    said = []
    cause = error.__cause__
    while cause is not None:
        said.append(str(cause).strip())
        cause = cause.__cause__
    distinct = [
        text for text in dict.fromkeys(said) if not any(text != other and text in other for other in said)
    ]
    return "; ".join(distinct) or str(error)
