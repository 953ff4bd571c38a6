"""The formats of road maps: what each needs. Nothing is written here, and little is imported."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyproj import CRS
from pyproj.exceptions import CRSError

from roadlift.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

WGS84 = "EPSG:4326"


@dataclass(frozen=True)
class Format:
    """What one kind of file needs: packages, and whether it holds WGS 84 only."""

    needs: tuple[str, ...] = ()
    only_wgs84: bool = False


FORMATS: Mapping[str, Format] = {
    ".gpkg": Format(),
    ".geojson": Format(only_wgs84=True),
    ".fgb": Format(),
    ".parquet": Format(needs=("pyarrow",)),
    ".graphml": Format(),
    ".osm": Format(only_wgs84=True),
}


def check_format(path: str | PathLike[str], *, dst_crs: str | None = None, has_crs: bool = True) -> None:
    """Refuse, before any work is done, what `save` would refuse for its format or CRS.

    Args:
        path: file to write later.
        dst_crs: as for `save`.
        has_crs: whether the road map will have a CRS.

    Raises:
        UsageError: the suffix is unknown, a package is missing, the CRS is none, or does not go with the format.

    Example:
        >>> check_format("roads.gpkg", dst_crs="EPSG:32619")
        >>> check_format("roads.geojson", has_crs=False)
        Traceback (most recent call last):
        roadlift.errors.UsageError: the image has no CRS, ...
    """
    chosen = _format_of(path)
    suffix = Path(path).suffix.lower()
    if dst_crs is not None:
        _check_crs(dst_crs)
        if chosen.only_wgs84 and not _is_wgs84(dst_crs):
            message = f"{suffix} files are always in WGS 84; leave --dst-crs out, or write .gpkg"
            raise UsageError(message)
    if not has_crs and (chosen.only_wgs84 or dst_crs is not None):
        message = (
            f"the image has no CRS, so its roads are in pixel coordinates and cannot become {suffix} in "
            f"{dst_crs or WGS84}; write .gpkg without --dst-crs, or give the image a CRS (--crs)"
        )
        raise UsageError(message)


def _check_crs(text: str) -> None:
    try:
        CRS.from_user_input(text)
    except CRSError as error:
        message = f"--dst-crs {text!r} is not a CRS; give for example EPSG:32633"
        raise UsageError(message) from error


def _format_of(path: str | PathLike[str]) -> Format:
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        message = f"{path}: the suffix {suffix or '(none)'} is not a format; use one of {', '.join(FORMATS)}"
        raise UsageError(message)
    for package in FORMATS[suffix].needs:
        if importlib.util.find_spec(package) is None:
            message = f"{suffix} files need the package {package}; run: pip install 'roadlift[parquet]'"
            raise UsageError(message)
    return FORMATS[suffix]


def crs_of_file(path: str | PathLike[str], dst_crs: str | None) -> str | None:
    """Return the CRS that a road map must be brought to for a file; None where it can stay as it is.

    Example:
        >>> crs_of_file("roads.geojson", None)
        'EPSG:4326'
    """
    return WGS84 if _format_of(path).only_wgs84 else dst_crs


def _is_wgs84(crs: str) -> bool:
    return crs.upper() in {WGS84, "OGC:CRS84", "CRS84", "WGS84"}
