"""Tasks of a child process: look at an uploaded image, and make a picture of it for the map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from roadlift.errors import InputError, LimitError
from roadlift.imagery import ImagerySource, Stretch, sample_of_image
from roadlift.imagery.preview import write_preview
from roadlift.model import DEFAULT_MODEL, ModelCard, find_card
from roadlift.preflight import Preflight
from roadlift.preflight import inspect as look
from roadlift.server.layout import PREVIEW, image_file
from roadlift.server.placement import Placement, bounds
from roadlift.server.wording import without_flags

PREVIEW_PIXELS = 150 * 10**6
SHORTEST_SIDE = 32
DEMO_NAME = "demo scene (rendered)"
_DEMO_SEED, _DEMO_SHAPE = 7, (1024, 1024)


def inspect(*, report: Callable[..., None], name: str, suffix: str, max_pixels: int) -> dict[str, Any]:
    """Look at ``image`` + ``suffix`` in the current folder and write its picture.

    Args:
        report: not called.
        name: what the user calls the image.
        suffix: of the file, as its first bytes tell.
        max_pixels: larger images are refused.

    Returns:
        The fields of :class:`~roadlift.server.schema.Image` that do not depend on the server.

    Raises:
        InputError: The image cannot be used.
        LimitError: It is too large.
    """
    del report
    image = Path(image_file(suffix))
    try:
        with ImagerySource(image, ground_resolution=None) as source:
            _check_size(source.native_shape, max_pixels)
            placement = Placement.of(source.native_georef, source.native_shape)
            where = bounds(placement.georef(source.georef), source.native_shape)
        card = find_card(DEFAULT_MODEL)
        gsd = (
            None if placement.shape is None else card.ground_resolution_m
        )  # what jobs take where none is given
        found = look(image, card=card, gsd=gsd)
        _write_picture(image, source.native_shape, card)
    except (InputError, LimitError) as error:
        raise type(error)(str(error).replace(str(image), name)) from error
    return {
        "width": found.native_shape[1],
        "height": found.native_shape[0],
        "bands": found.band_count,
        "dtype": found.dtype,
        "crs": found.crs,
        "ground_resolution_m": _resolution(found) if placement.shape is None else None,
        "bounds": where,
        "georeferenced": placement.shape is None,
        "estimate_s": round(found.expected_seconds, 1),
        "notes": [without_flags(note) for note in _notes(found)],
    }


def demo(*, report: Callable[..., None], max_pixels: int) -> dict[str, Any]:
    """Render the demonstration's scene into the current folder and look at it."""
    from roadlift.imagery.picture import write_image
    from roadlift.scene import render

    scene = render(_DEMO_SEED, shape=_DEMO_SHAPE)
    write_image(image_file(".tif"), scene.image, scene.georef)
    about = inspect(report=report, name=DEMO_NAME, suffix=".tif", max_pixels=max_pixels)
    return about | {"name": DEMO_NAME}


def _check_size(shape: tuple[int, int], max_pixels: int) -> None:
    if shape[0] * shape[1] > max_pixels:
        raise LimitError(
            f"The image has {shape[0] * shape[1] / 1e6:,.1f} megapixels; this server takes {max_pixels / 1e6:,.0f}. Cut it "
            "into parts, or use the command line: roadlift extract."
        )
    if min(shape) < SHORTEST_SIDE:
        raise InputError(
            f"The image has {shape[1]} x {shape[0]} pixels; at least {SHORTEST_SIDE} x {SHORTEST_SIDE} are needed to see a "
            "road."
        )


def _notes(found: Preflight) -> list[str]:
    return [*found.notes, *(f"{problem.what}; {problem.remedy}" for problem in found.problems)]


def _resolution(found: Preflight) -> float | None:
    if found.native_resolution_m is None:
        return None
    down, across = found.native_resolution_m
    return float((down * across) ** 0.5)


def _write_picture(image: Path, shape: tuple[int, int], card: ModelCard) -> None:
    """Write the preview, with fewer pixels where the image has very many."""
    coarse = gsd = None
    with ImagerySource(image, ground_resolution=None) as source:
        placement = Placement.of(source.native_georef, shape)
        step = (shape[0] * shape[1] / PREVIEW_PIXELS) ** 0.5
        if step > 1:
            coarse = step * source.ground_resolution_m
            gsd = None if placement.shape is None else source.ground_resolution_m
    with ImagerySource(image, ground_resolution=coarse, gsd=gsd) as source:
        stretch = Stretch.fit(
            sample_of_image(source),
            low_percent=card.stretch_low_percent,
            high_percent=card.stretch_high_percent,
        )
        write_preview(source, Path(PREVIEW), placement.georef(source.georef), stretch)
