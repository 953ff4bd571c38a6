"""Every kind of hostile input, made here: how it is built, what it must end in, and what the message must say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
from rasterio import Affine

USAGE, INPUT, LIMIT, MODEL = 2, 3, 4, 5
PROFILE = {
    "driver": "GTiff", "count": 3, "dtype": "uint8", "crs": "EPSG:32619",
    "transform": Affine(1, 0, 300_000, 0, -1, 4_700_000), "compress": "deflate", "tiled": True,
    "blockxsize": 64, "blockysize": 64,
}  # fmt: skip
SECRET = "TOP-SECRET"


@dataclass(frozen=True)
class Place:
    """Where a case is built: its own folder, with a secret beside it that nothing may show."""

    folder: Path
    address: str
    model: Path

    def file(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def image(self, name: str = "image.tif", size: int = 200, **profile: object) -> Path:
        """Write a small image of noise."""
        chosen = {**PROFILE, "width": size, "height": size, **profile}
        shape = (chosen["count"], size, size)
        pixels = np.random.default_rng(0).integers(1, 200, shape).astype(chosen["dtype"])
        with rasterio.open(self.folder / name, "w", **chosen) as file:
            file.write(pixels)
        return self.folder / name

    @cached_property
    def secret(self) -> Path:
        path = self.folder.parent / "secret.txt"
        path.write_text(SECRET * 2000)
        return path

    def extract(self, image: str | Path, *options: str) -> list[str]:
        """Return the command that would turn an image into roads."""
        return ["extract", str(image), "roads.gpkg", "--model", str(self.model), *options]


@dataclass(frozen=True)
class Kind:
    """One kind of hostile input.

    Attributes:
        name: of the kind.
        code: The exit code that it must end in.
        says: What the message must match.
        build: Writes the files and returns the command line.
    """

    name: str
    code: int
    says: str
    build: Callable[[Place], list[str]]


KINDS: dict[str, Kind] = {}


def kind(
    code: int, says: str, name: str | None = None
) -> Callable[[Callable[[Place], list[str]]], Callable[[Place], list[str]]]:
    """Register a builder under its own name, or under the one given."""

    def register(build: Callable[[Place], list[str]]) -> Callable[[Place], list[str]]:
        chosen = name or build.__name__
        if chosen in KINDS:
            raise KeyError(chosen)
        KINDS[chosen] = Kind(chosen, code, says, build)
        return build

    return register


def all_kinds() -> dict[str, Kind]:
    """Return all kinds by name."""
    import hostile_georefs  # noqa: F401
    import hostile_models  # noqa: F401
    import hostile_rasters  # noqa: F401
    import hostile_references  # noqa: F401
    import hostile_vectors  # noqa: F401

    return KINDS
