"""What a user may give as imagery: one image, a folder, a list of images, or a STAC document; and the images it names."""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import URLError
from urllib.parse import urljoin, urlsplit

from roadlift.errors import InputError, LimitError
from roadlift.imagery.opening import DRIVERS, is_remote

MAX_IMAGES = 100_000
MAX_DOCUMENTS = 10_000
MAX_DOCUMENT_BYTES = 64 * 2**20
TIMEOUT_S = 60.0
_LISTS, _STAC = (".txt",), (".json", ".geojson")
_PICTURES = frozenset(DRIVERS) - {".vrt"}
_MEDIA_TYPES = ("image/tiff", "image/vnd.stac.geotiff", "image/png", "image/jpeg")
_ASIDE = frozenset({"thumbnail", "overview", "metadata"})


def list_images(where: str | Path) -> tuple[str | Path, ...]:
    """Return the images that an input names, in the order in which they count.

    * An image (also a VRT), or the http(s) URL of one: itself.
    * A folder: the images directly in it, by name; a VRT among them is passed over.
    * A list, ``.txt``: one path or URL per line, relative to the list; lines that are empty or begin with ``#`` are
      passed over.
    * A STAC item, item collection or collection, ``.json`` or an http(s) URL: of each item the asset with the role or
      the name ``visual``, else the only image with the role ``data``, else its only image.

    Args:
        where: The input.

    Raises:
        InputError: It names no image, or cannot be read.
        LimitError: It names more images than allowed, or is itself too large.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "north.tif").write_bytes(b""), (folder / "notes.pdf").write_bytes(b"")
        >>> [image.name for image in list_images(folder)]
        ['north.tif']
    """
    if is_remote(where):
        suffix = PurePosixPath(urlsplit(str(where)).path).suffix.lower()
        return (where,) if suffix in DRIVERS else _checked(where, _stac_images(str(where)))
    path = Path(where)
    if "\0" in str(where) or not _is_there(path):
        return (where,)  # whoever opens it says so
    if path.is_dir():
        return _checked(where, _folder_images(path))
    if path.suffix.lower() in _LISTS:
        return _checked(where, _listed_images(path))
    if path.suffix.lower() in _STAC:
        return _checked(where, _stac_images(path))
    return (where,)


def _is_there(path: Path) -> bool:
    try:
        return path.is_dir() or path.is_file()
    except OSError:
        return False


def _checked(where: str | Path, images: Iterator[str | Path]) -> tuple[str | Path, ...]:
    found: dict[str | Path, None] = {}
    for image in images:
        found[image] = None
        if len(found) > MAX_IMAGES:
            raise LimitError(
                f"{where} names more than {MAX_IMAGES:,} images; that many are allowed. Split it."
            )
    if not found:
        allowed = ", ".join(sorted(_PICTURES))
        raise InputError(f"{where} names no image; images read are {allowed}.")
    return tuple(found)


def _folder_images(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}; check its permissions.") from error
    for entry in entries:
        if entry.suffix.lower() in _PICTURES and not entry.name.startswith(".") and entry.is_file():
            yield entry


def _listed_images(path: Path) -> Iterator[str | Path]:
    try:
        lines = _read(path).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text in UTF-8; write one path or URL per line.") from error
    for line in lines:
        name = line.strip()
        if name and not name.startswith("#"):
            yield name if is_remote(name) else path.parent / name


def _stac_images(where: str | Path) -> Iterator[str | Path]:
    """Walk a STAC document and those that it links to: items, and further pages of items."""
    pending: list[str | Path] = [where]
    seen: set[str | Path] = set()
    while pending:
        document_of = pending.pop(0)
        if document_of in seen:
            continue
        seen.add(document_of)
        if len(seen) > MAX_DOCUMENTS:
            raise LimitError(
                f"{where} leads to more than {MAX_DOCUMENTS:,} documents; that many are read. Split it."
            )
        document = _document(document_of)
        kind = document.get("type")
        if kind == "Feature":
            yield _item_image(document, document_of)
        elif kind == "FeatureCollection":
            for item in _objects(document.get("features")):
                yield _item_image(item, document_of)
            pending += _linked(document, document_of, "next")
        elif kind in ("Collection", "Catalog"):
            pending += _linked(document, document_of, "item") or _linked(document, document_of, "items")
        else:
            raise InputError(
                f"{document_of} is not STAC: its type is {str(kind)[:40]!r}; an item, item collection or collection is "
                "needed."
            )


def _document(where: str | Path) -> dict[str, Any]:
    try:
        document = json.loads(_fetch(str(where)) if is_remote(where) else _read(Path(where)))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {error}. Give an image or a STAC document.") from error
    if not isinstance(document, dict):
        raise InputError(f"{where} is not STAC: it is no JSON object.")
    return document


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_DOCUMENT_BYTES:
            raise LimitError(f"{path} has {size:,} bytes; at most {MAX_DOCUMENT_BYTES:,} are read. Split it.")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _fetch(url: str) -> bytes:
    """Fetch a document over http(s) only, also after a redirect, with a limit on its size and time."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    parts, size, end = [], 0, time.monotonic() + TIMEOUT_S
    try:
        with opener.open(url, timeout=TIMEOUT_S / 2) as answer:
            while part := answer.read1(2**20):
                parts.append(part)
                size += len(part)
                if size > MAX_DOCUMENT_BYTES:
                    raise LimitError(
                        f"{url} is larger than {MAX_DOCUMENT_BYTES:,} bytes, which are read at most."
                    )
                if time.monotonic() > end:
                    raise InputError(f"{url} took longer than {TIMEOUT_S:g} s to arrive; try again.")
    except (URLError, OSError, http.client.HTTPException, ValueError) as error:
        raise InputError(f"{url} cannot be fetched: {error}.") from error
    return b"".join(parts)


def _linked(document: dict[str, Any], where: str | Path, relation: str) -> list[str | Path]:
    return [
        _resolve(link.get("href"), where)
        for link in _objects(document.get("links"))
        if link.get("rel") == relation and link.get("method", "GET") == "GET"
    ]


def _item_image(item: dict[str, Any], where: str | Path) -> str | Path:
    assets = item.get("assets")
    named = (
        {str(key): asset for key, asset in assets.items() if isinstance(asset, dict)}
        if isinstance(assets, dict)
        else {}
    )
    images = {key: asset for key, asset in named.items() if _is_image(asset)}
    choices = (
        [key for key, asset in images.items() if "visual" in _roles(asset)],
        [key for key in images if key == "visual"],
        [key for key, asset in images.items() if "data" in _roles(asset)],
        list(images),
    )
    chosen = next((keys for keys in choices if keys), [])
    if len(chosen) != 1:
        raise InputError(
            f"The STAC item {str(item.get('id'))[:80]!r} of {where} has {len(chosen)} images that may be meant: "
            f"{', '.join(chosen)[:200] or 'none'}. One asset with the role 'visual' or "
            "'data' is needed; give the image itself."
        )
    return _resolve(images[chosen[0]].get("href"), where)


def _is_image(asset: dict[str, Any]) -> bool:
    if _roles(asset) & _ASIDE:
        return False
    if isinstance(media_type := asset.get("type"), str):
        return media_type.lower().startswith(_MEDIA_TYPES)
    return PurePosixPath(urlsplit(str(asset.get("href"))).path).suffix.lower() in _PICTURES


def _roles(asset: dict[str, Any]) -> set[str]:
    roles = asset.get("roles")
    return {str(role) for role in roles} if isinstance(roles, list) else set()


def _resolve(href: Any, where: str | Path) -> str | Path:
    """Return where a link leads: from a document of the web only into the web."""
    if not isinstance(href, str) or not href.strip():
        raise InputError(f"{where} has a link without href; repair it.")
    target = urljoin(str(where), href) if is_remote(where) else href
    if is_remote(target):
        return target
    if is_remote(where) or "://" in href:
        raise InputError(
            f"{where} names {href[:200]}, which is not read; http(s) and files of this machine are."
        )
    return Path(where).parent / href


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
