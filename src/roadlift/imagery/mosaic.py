"""Several images as one: on one grid, where they overlap the first in order that has data there."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roadlift.errors import InputError, UsageError
from roadlift.imagery.face import Imagery
from roadlift.imagery.georef import Georef
from roadlift.imagery.grid import Window
from roadlift.imagery.inputs import list_images
from roadlift.imagery.lost import Lost
from roadlift.imagery.opening import MAX_PIXELS, absolute, check_pixels, is_remote
from roadlift.imagery.placement import common_lattice, place, window_on
from roadlift.imagery.scaling import Pixels
from roadlift.imagery.source import ImagerySource

MAX_OPEN = 32
"""Images that are open at the same time."""
_BLOCK = (512, 512)
_FAR_APART = "Do the images lie far apart? Split them, or raise --max-pixels."


def open_imagery(
    where: str | Path,
    *,
    bands: Sequence[int] | None = None,
    ground_resolution: float | None = 1.0,
    gsd: float | None = None,
    crs: str | None = None,
    nodata: float | None = None,
    max_pixels: int = MAX_PIXELS,
    on_read_error: str = "fail",
) -> ImagerySource | Mosaic:
    """Open an image, or a folder, list or STAC document as one mosaic.

    Args:
        where: What :func:`~roadlift.imagery.inputs.list_images` reads.
        bands: As for :class:`ImagerySource`.
        ground_resolution: As for :class:`ImagerySource`.
        gsd: As for :class:`ImagerySource`.
        crs: As for :class:`ImagerySource`.
        nodata: As for :class:`ImagerySource`.
        max_pixels: As for :class:`ImagerySource`.
        on_read_error: As for :class:`ImagerySource`.

    Raises:
        InputError: It names no image, or an image cannot be used.
        LimitError: It is larger than allowed.
        UsageError: Options contradict an image.

    Example:
        >>> with open_imagery("tiles/") as source:                               # doctest: +SKIP
        ...     pixels = source.read(Window(0, 0, 256, 256))
    """
    options: dict[str, Any] = {
        "bands": bands,
        "ground_resolution": ground_resolution,
        "crs": crs,
        "nodata": nodata,
        "max_pixels": max_pixels,
        "on_read_error": on_read_error,
    }
    images = list_images(where)
    if len(images) == 1:
        return ImagerySource(images[0], gsd=gsd, **options)
    if gsd is not None:
        raise UsageError(
            f"--gsd is for an image without CRS; {where} names {len(images)} images, which need one."
        )
    return Mosaic(images, path=where, **options)


@dataclass(frozen=True)
class _Part:
    """An image of a mosaic and where it lies, in pixels from the mosaic's origin."""

    path: str | Path
    window: Window


@dataclass(frozen=True)
class _Look:
    """What one image is, by itself."""

    path: str | Path
    georef: Georef
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    bands: tuple[int, int, int]
    band_count: int
    colours: tuple[str, ...]


class Mosaic(Imagery):
    """Several images that are read like one :class:`ImagerySource`; use it as a context manager.

    The images lie on one grid, see :func:`~roadlift.imagery.placement.common_lattice`: their own where all share it and it
    fits the ground resolution, else each is warped. Where images overlap, the first in order that has data counts, pixel
    by pixel. All must have a CRS and one type of pixels. At most 32 are open at a time.

    What it tells about itself is listed at :class:`~roadlift.imagery.face.Imagery`.

    Attributes:
        images: The images in order.

    Raises:
        InputError: An image cannot be used, has no CRS or another type of pixels.
        LimitError: The mosaic is larger than allowed.

    Example:
        >>> with Mosaic(["north.tif", "south.tif"]) as source:                   # doctest: +SKIP
        ...     pixels = source.read(Window(0, 0, 256, 256))
    """

    def __init__(
        self,
        images: Sequence[str | Path],
        *,
        path: str | Path = "mosaic",
        ground_resolution: float | None = 1.0,
        max_pixels: int = MAX_PIXELS,
        **options: Any,
    ) -> None:
        """Look at all images and lay them out.

        Args:
            images: Paths and URLs in order of importance.
            path: How messages call the mosaic.
            ground_resolution: Metres per pixel to work at; None keeps the resolution of the first image.
            max_pixels: Larger mosaics are refused.
            options: ``bands``, ``crs``, ``nodata`` and ``on_read_error`` of :class:`ImagerySource`, for each image.
        """
        self.path, self.images = path, tuple(images)
        self._options = {**options, "max_pixels": max_pixels}
        looks = [self._look(image) for image in self.images]
        first = looks[0]
        _check_types(looks)
        self._lattice = common_lattice([(look.georef, look.shape) for look in looks], ground_resolution)
        grids = [
            place(look.georef, look.shape, None, lattice=self._lattice, name=look.path) for look in looks
        ]
        windows = [window_on(self._lattice, grid.georef, grid.shape) for grid in grids]
        frame = _frame(windows)
        check_pixels(frame.shape, f"{path}, a mosaic of {len(looks)} images,", max_pixels, remedy=_FAR_APART)
        self.shape, self.georef = frame.shape, self._lattice.at(frame)
        self._parts = [
            _Part(look.path, window.shift(-frame.row, -frame.col))
            for look, window in zip(looks, windows, strict=True)
        ]
        self._places = np.array(
            [[w.row, w.col, w.row + w.height, w.col + w.width] for w in (part.window for part in self._parts)]
        )
        self.ground_resolution_m = grids[0].ground_resolution_m
        self.warped = any(grid.warp is not None for grid in grids)
        self.native_shape, self.native_georef = first.shape, first.georef
        self.dtype, self.bands, self.band_count = first.dtype, first.bands, first.band_count
        self.colours = first.colours
        self._lock = threading.RLock()
        self._open: OrderedDict[int, ImagerySource] = OrderedDict()
        self._lost: frozenset[Lost] = frozenset()

    @property
    def block_shape(self) -> tuple[int, int]:
        """(rows, cols) of a block of an image as a planner may assume it: images are not looked into."""
        return _BLOCK

    @property
    def files(self) -> tuple[Path, ...]:
        """Files of this machine that the pixels come from."""
        return tuple(Path(image) for image in self.images if not is_remote(image))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed or left out, in words."""
        rule = f"a mosaic of {len(self.images)} images: where they overlap, the first in order that has data counts"
        if not self.unreadable_pixels:
            return (rule,)
        return (
            rule,
            f"{self.path}: {self.unreadable_pixels:,} pixels of damaged images cannot be read and are no data",
        )

    @property
    def lost(self) -> frozenset[Lost]:
        """What of all images was found damaged so far and given as no data."""
        with self._lock:
            return self._lost.union(*(source.lost for source in self._open.values()))

    def take_up(self, lost: Iterable[Lost]) -> None:
        """Count what was found damaged earlier; it is not read again.

        Raises:
            InputError: More of an image is lost than may be.
        """
        with self._lock:
            self._lost |= frozenset(lost)
            damaged = {one.image for one in self._lost}
            for index, part in enumerate(self._parts):
                if absolute(part.path) in damaged:
                    self._source(index).take_up(self._lost)

    def close(self) -> None:
        """Close the images."""
        with self._lock:
            while self._open:
                self._close_oldest()

    def read(self, window: Window) -> Pixels:
        """Read a window of the working grid.

        Args:
            window: Must lie inside the raster.

        Returns:
            Values (3, rows, cols) in the images' type, 0 where there is no image, and what of them is valid.

        Raises:
            UsageError: The window sticks out of the raster.
            InputError: An image is damaged there.
        """
        if window.clip(self.shape) != window or min(window.shape) < 1:
            raise UsageError(f"The window {window} does not lie inside the raster of {self.shape}.")
        mosaic = Pixels(np.zeros((3, *window.shape), self.dtype), np.zeros(window.shape, bool))
        with self._lock:
            for index in self._meeting(window):
                place_of = self._parts[index].window
                common = window.intersect(place_of)
                here = common.shift(-window.row, -window.col).slices
                if not mosaic.valid[here].all():
                    part = self._source(index).read(common.shift(-place_of.row, -place_of.col))
                    _lay_under(mosaic, here, part)
        return mosaic

    def sample(self, max_pixels: int = 2**20) -> Pixels:
        """Read the whole raster at every n-th pixel, for statistics; values are picked, not averaged.

        Args:
            max_pixels: About how many pixels to read at most.
        """
        step = max(1.0, (math.prod(self.shape) / max_pixels) ** 0.5)
        shape = (max(1, round(self.shape[0] / step)), max(1, round(self.shape[1] / step)))
        steps = (self.shape[0] / shape[0], self.shape[1] / shape[1])
        centres = [(np.arange(side) + 0.5) * step for side, step in zip(shape, steps, strict=True)]
        mosaic = Pixels(np.zeros((3, *shape), self.dtype), np.zeros(shape, bool))
        with self._lock:
            for index, part in enumerate(self._parts):
                window = part.window
                rows = _inside(centres[0], window.row, window.height)
                cols = _inside(centres[1], window.col, window.width)
                here = (
                    (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
                    if rows.size and cols.size
                    else None
                )
                if here is None or mosaic.valid[here].all():
                    continue
                coarse = self._source(index).sample(max(1, rows.size * cols.size))
                down = ((centres[0][rows] - window.row) / window.height * coarse.valid.shape[0]).astype(int)
                across = ((centres[1][cols] - window.col) / window.width * coarse.valid.shape[1]).astype(int)
                picked = np.ix_(down, across)
                _lay_under(mosaic, here, Pixels(coarse.values[(slice(None), *picked)], coarse.valid[picked]))
        return mosaic

    def _meeting(self, window: Window) -> list[int]:
        """Return the images that meet a window, in order."""
        top, left, bottom, right = self._places.T
        meets = (top < window.row + window.height) & (bottom > window.row)
        meets &= (left < window.col + window.width) & (right > window.col)
        return [int(index) for index in np.flatnonzero(meets)]

    def _source(self, index: int) -> ImagerySource:
        """Return an image, opened; those used last stay open."""
        if index not in self._open:
            while len(self._open) >= MAX_OPEN:
                self._close_oldest()
            self._open[index] = ImagerySource(self._parts[index].path, lattice=self._lattice, **self._options)
            self._open[index].take_up(self._lost)
        self._open.move_to_end(index)
        return self._open[index]

    def _close_oldest(self) -> None:
        _, source = self._open.popitem(last=False)
        self._lost |= source.lost
        source.close()

    def _look(self, image: str | Path) -> _Look:
        with ImagerySource(image, ground_resolution=None, **self._options) as source:
            if source.native_georef.crs is None:
                raise InputError(
                    f"{image} has no CRS, so there is no telling where it lies among the images of {self.path}. Give it "
                    "one with gdal_edit -a_srs, or leave it out."
                )
            return _Look(
                image,
                source.native_georef,
                source.native_shape,
                source.dtype,
                source.bands,
                source.band_count,
                source.colours,
            )


def _check_types(looks: Sequence[_Look]) -> None:
    first = looks[0]
    for look in looks:
        if look.dtype != first.dtype:
            raise InputError(
                f"{look.path} has {look.dtype} pixels, {first.path} {first.dtype}; the images of a mosaic must have one "
                "type. Convert them with gdal_translate -ot."
            )


def _frame(windows: Sequence[Window]) -> Window:
    """Return the smallest window around all."""
    row, col = min(window.row for window in windows), min(window.col for window in windows)
    bottom = max(window.row + window.height for window in windows)
    right = max(window.col + window.width for window in windows)
    return Window(row, col, bottom - row, right - col)


def _inside(centres: np.ndarray, first: int, length: int) -> np.ndarray:
    """Return the indexes of the places that lie in ``first`` .. ``first + length``."""
    return np.flatnonzero((centres >= first) & (centres < first + length))


def _lay_under(mosaic: Pixels, here: tuple[slice, slice], part: Pixels) -> None:
    """Fill what is not valid yet."""
    new = part.valid & ~mosaic.valid[here]
    values = mosaic.values[(slice(None), *here)]
    values[:, new] = part.values[:, new]
    mosaic.valid[here] |= new
