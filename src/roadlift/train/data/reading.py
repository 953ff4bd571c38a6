"""Labelled images from files to samples: opened together with their labels, cut into parts, stretched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from roadlift.errors import InputError, UsageError
from roadlift.imagery import (
    ImagerySource,
    Pixels,
    Stretch,
    Window,
    blank_areas,
    sample_of_image,
    without_filling,
)
from roadlift.train.data.labels import LabelSource, open_label
from roadlift.train.data.sample import IGNORE, Sample, with_ignore_rim

PART_SIZE = 2048
_MARGIN = 64


@dataclass(frozen=True)
class ReadOptions:
    """How labelled images are read.

    Attributes:
        ground_resolution: Metres per pixel that images are resampled to where theirs is known and differs by more than
            15 %; None leaves every image as it is.
        gsd: Metres per pixel of images without CRS, where it is not known otherwise.
        road_width: Width in metres that lines are drawn with; None takes it from their tags.
        ignore_rim: Pixels either side of label edges to ignore.
        part_size: Images with longer sides are cut into equal parts of at most this many pixels a side.
    """

    ground_resolution: float | None = 1.0
    gsd: float | None = None
    road_width: float | None = None
    ignore_rim: int = 0
    part_size: int = PART_SIZE

    def __post_init__(self) -> None:
        for name in ("ground_resolution", "gsd", "road_width"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} is {value}; metres must be more than 0.")
        if self.part_size < 1:
            raise UsageError(f"part_size is {self.part_size}; it must be at least 1 pixel.")
        if self.ignore_rim < 0:
            raise UsageError(f"ignore_rim is {self.ignore_rim}; it must be 0 or more.")


class LabelledImage:
    """An image and its label, opened for reading on one grid; use it as a context manager.

    Attributes:
        name: Name in the table.
        source: The image.

    Raises:
        InputError: Image or label is missing, cannot be read, or they do not fit each other.
    """

    def __init__(self, row: Mapping[Any, Any], options: ReadOptions, *, with_label: bool = True) -> None:
        """Open the files of a ``row`` of :func:`~roadlift.train.data.list_images`, the label on demand only."""
        self.name = str(row["name"])
        if row["image"] is None:
            raise InputError(f"The label {row['label']} has no image of the same name.")
        if with_label and row["label"] is None:
            raise InputError(f"The image {row['image']} has no mask or other label of the same name.")
        self.source = open_image(row, options)
        self._label: LabelSource | None = None
        try:
            if with_label:
                self._label = open_label(row["label"], self.source, road_width=options.road_width)
        except BaseException:
            self.source.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._label is not None:
            self._label.__exit__(kind, error, trace)
        self.source.close()

    def read(self, window: Window) -> tuple[Pixels, np.ndarray]:
        """Read a window of the working grid.

        Args:
            window: Must lie inside the image.

        Returns:
            Pixels in the file's type, where blank areas are not valid, and the label uint8 (rows, cols): 0 background, 1
            road, 255 where there is no image, no label, or nothing is known.
        """
        padded = window.pad(_MARGIN).clip(self.source.shape)
        pixels = _without_blank(self.source.read(padded))
        inside = window.shift(-padded.row, -padded.col).slices
        pixels = Pixels(pixels.values[:, *inside], pixels.valid[inside])
        label = np.uint8(IGNORE) if self._label is None else self._label.read(window)
        return pixels, np.where(pixels.valid, label, IGNORE).astype(np.uint8)


def open_image(row: Mapping[Any, Any], options: ReadOptions) -> ImagerySource:
    """Open the image of a row at the ground resolution of the options, where its own can be told."""
    nodata = None if row["nodata"] is None or np.isnan(row["nodata"]) else float(row["nodata"])
    source = ImagerySource(row["image"], ground_resolution=None, nodata=nodata)
    gsd = options.gsd if options.gsd is not None else row["gsd_m"]
    known = gsd is not None and not np.isnan(gsd)
    georeferenced = source.native_georef.crs is not None
    if not (georeferenced and options.ground_resolution is not None) and (georeferenced or not known):
        return source
    source.close()
    return ImagerySource(
        row["image"],
        ground_resolution=options.ground_resolution,
        gsd=None if georeferenced else float(gsd),
        nodata=nodata,
    )


def known_resolution(source: ImagerySource) -> float | None:
    """Return metres per pixel of the working grid, or None where they were assumed only."""
    return None if source.notes else source.ground_resolution_m


def read_parts(row: Mapping[Any, Any], options: ReadOptions) -> Iterator[Sample]:
    """Read an image part by part; the stretch is fitted once to the whole image.

    Args:
        row: Row of :func:`~roadlift.train.data.list_images`.
        options: How to read.

    Raises:
        InputError: A file is missing, cannot be read, or they do not fit each other.
    """
    with LabelledImage(row, options) as image:
        windows = equal_parts(image.source.shape, options.part_size)
        stretch = None if len(windows) == 1 else Stretch.fit(sample_of_image(image.source))
        for window in windows:
            pixels, label = image.read(window)
            part = (stretch or Stretch.fit(without_filling(pixels))).apply(pixels)
            name = image.name if len(windows) == 1 else f"{image.name}_{window.row}_{window.col}"
            yield Sample(name, part, with_ignore_rim(label, options.ignore_rim))


def read_sample(image: str | Path, mask: str | Path, *, gsd: float | None = None) -> Sample:
    """Read one image with its label, in one part.

    Args:
        image: Image of any kind that :class:`~roadlift.imagery.ImagerySource` reads.
        mask: Mask of the same size, a probability, which is road from one half, or a file of roads.
        gsd: Metres per pixel of an image without CRS, where it shall be resampled to 1 m.

    Raises:
        InputError: A file cannot be read, or they do not fit each other.
    """
    row = {"name": Path(image).stem, "image": image, "label": mask, "gsd_m": gsd, "nodata": None}
    (sample,) = read_parts(row, ReadOptions(part_size=2**31))
    return sample


def equal_parts(shape: tuple[int, int], size: int) -> list[Window]:
    """Cut a raster into windows of nearly the same size, none with a side longer than ``size``.

    Example:
        >>> [window.width for window in equal_parts((3, 10), 4)]
        [3, 4, 3]
    """
    rows, cols = (np.rint(np.linspace(0, side, -(-side // size) + 1)).astype(int).tolist() for side in shape)
    return [
        Window(top, left, bottom - top, right - left)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(cols)
    ]


def _without_blank(pixels: Pixels) -> Pixels:
    return Pixels(pixels.values, pixels.valid & ~blank_areas(pixels.values))
