"""Labelled images: found in folders, listed in a pandas table, read as stretched pixels with a label and what to ignore."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from roadlift.errors import InputError
from roadlift.imagery import ImagerySource, Pixels, Stretch, Window, read_probability
from roadlift.train.data.sample import IGNORE, Sample, blank_areas

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
IMAGE_FOLDERS = ("images", "sat")
MASK_FOLDERS = ("masks", "labels", "map")
_ROAD = 127


def find_pairs(folder: str | Path) -> pd.DataFrame:
    """List the pairs of image and mask in ``folder``: ``images/`` (or ``sat/``) and ``masks/`` (or ``labels/``, ``map/``).

    Args:
        folder: Folder that holds both folders; files belong together by stem.

    Returns:
        Table sorted by ``stem`` with the columns ``stem``, ``image`` and ``mask`` (paths).

    Raises:
        InputError: A folder is missing, empty, or an image has no mask.
    """
    folder = Path(folder)
    images = _by_stem(_subfolder(folder, IMAGE_FOLDERS))
    masks = _by_stem(_subfolder(folder, MASK_FOLDERS))
    missing = sorted(set(images) - set(masks))
    if missing:
        raise InputError(
            f"{len(missing)} images in {folder} have no mask with the same stem, the first is {missing[0]!r}."
        )
    stems = sorted(images)
    return pd.DataFrame(
        {"stem": stems, "image": [images[stem] for stem in stems], "mask": [masks[stem] for stem in stems]}
    )


def _subfolder(folder: Path, names: tuple[str, ...]) -> Path:
    found = [folder / name for name in names if (folder / name).is_dir()]
    if not found:
        raise InputError(
            f"{folder} has no folder {' or '.join(names)}. Put images in images/ and masks in masks/."
        )
    return found[0]


def _by_stem(folder: Path) -> dict[str, Path]:
    files = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGE_SUFFIXES}
    if not files:
        raise InputError(f"{folder} holds no images. Files read are: {', '.join(IMAGE_SUFFIXES)}.")
    return files


def read_samples(folder: str | Path, *, gsd: float | None = None) -> list[Sample]:
    """Read every pair of ``folder`` (see :func:`find_pairs`) in the order of the stems.

    Args:
        folder: Folder of images and masks.
        gsd: Metres per pixel of the images, where they shall be resampled to 1 m; None leaves them as they are.

    Raises:
        InputError: A file cannot be read, or a mask does not have the size of its image.
    """
    pairs = find_pairs(folder)
    return [
        read_sample(image, mask, gsd=gsd) for image, mask in zip(pairs["image"], pairs["mask"], strict=True)
    ]


def read_sample(image: Path, mask: Path, *, gsd: float | None = None) -> Sample:
    """Read one pair. Blank areas and pixels without data are marked to be ignored.

    Args:
        image: Image of any kind that :class:`~roadlift.imagery.ImagerySource` reads.
        mask: Mask of the same size, or a probability, which is road from one half.
        gsd: Metres per pixel of the image, where it shall be resampled to 1 m.

    Raises:
        InputError: A file cannot be read, or the sizes differ.
    """
    with ImagerySource(image, ground_resolution=None if gsd is None else 1.0, gsd=gsd) as source:
        pixels, native_shape = source.read(Window(0, 0, *source.shape)), source.native_shape
    label, _ = read_probability(mask)
    if label.shape != native_shape:
        raise InputError(
            f"The mask {mask} has {label.shape} pixels, its image {native_shape}; they must agree."
        )
    if label.shape != pixels.valid.shape:
        label = cv2.resize(label, pixels.valid.shape[::-1], interpolation=cv2.INTER_AREA)
    valid = pixels.valid & ~blank_areas(pixels.values)
    pixels = Pixels(pixels.values, valid)
    road = np.where(valid, label >= _ROAD, IGNORE).astype(np.uint8)
    return Sample(image.stem, Stretch.fit(pixels).apply(pixels), road)
