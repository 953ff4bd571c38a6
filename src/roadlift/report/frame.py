"""Where a report's map lies: one grid of pixels under image, probability and roads, with y down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine

from roadlift.errors import UsageError
from roadlift.imagery import NO_DATA, Georef, Stretch, open_imagery, read_probability
from roadlift.imagery.align import onto_grid
from roadlift.imagery.burn import north_up
from roadlift.network import RoadMap

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import geopandas as gpd
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

MAX_READ = 64_000_000
MAX_SHOWN = 32_000_000
_LONGEST_SIDE = 4000
_MARGIN = 0.05
_STEP_M = 1.0


@dataclass(frozen=True)
class Frame:
    """The grid of a map.

    Attributes:
        georef: Of its pixels.
        shape: (rows, cols).
        metres: Of one pixel's side on the ground; None where that is not known.
    """

    georef: Georef
    shape: tuple[int, int]
    metres: float | None

    def place(self, roads: RoadMap) -> RoadMap:
        """Return the roads in the map's CRS.

        Raises:
            UsageError: One has a CRS, the other has none.
        """
        crs = self.georef.crs
        if (crs is None) != (roads.crs is None):
            which = (
                "roads have a CRS and the image" if roads.crs is not None else "image has a CRS and the roads"
            )
            raise UsageError(
                f"the {which} none, so they cannot be laid over each other; give the image that the roads were found in."
            )
        if crs is None or roads.crs == crs:
            return roads
        return roads.reproject(crs.to_wkt())

    def lines(self, table: gpd.GeoDataFrame) -> NDArray[Any]:
        """Bring the lines of a table in the map's CRS to x = column, y = row of pixel corners; not cut."""

        def corners(points: NDArray[np.float64]) -> NDArray[np.float64]:
            rows, cols = self.georef.to_pixel(points[:, 0], points[:, 1])
            return np.stack([cols + 0.5, rows + 0.5], axis=1)

        return np.asarray(shapely.transform(table.geometry.to_numpy(), corners))


@dataclass(frozen=True)
class Ground:
    """A frame and what lies in it.

    Attributes:
        frame: The grid.
        image: uint8 (rows, cols, 4), red, green, blue, opacity; None where there is no image.
        probability: uint8 (rows, cols), 0..254, 255 no data; None where there is none.
    """

    frame: Frame
    image: Bytes | None
    probability: Bytes | None


def read_ground(
    roads: RoadMap,
    image: str | Path | None,
    probability: str | Path | tuple[Bytes, Georef] | None,
    *,
    reading: Mapping[str, Any] | None = None,
) -> Ground:
    """Read what lies beneath the roads, on the image's grid, else the probability's, else one around the roads.

    Args:
        roads: The network.
        image: Path of the image; read at about 32 million pixels at most.
        probability: Path of the probability raster, or uint8 (rows, cols) with its georeference.
        reading: How the image is read: ``bands``, ``crs``, ``nodata`` of open_imagery.

    Raises:
        InputError: A raster cannot be read, or does not lie on the image.
        UsageError: Image and roads do not go together, or there are no such bands.
    """
    raster = (
        probability
        if isinstance(probability, tuple) or probability is None
        else read_probability(probability)
    )
    if image is not None:
        frame, picture = _read_image(image, roads, reading or {})
    elif raster is not None:
        frame, picture = _frame(raster[1], raster[0].shape, _coarser_step(raster[0].shape), roads), None
    else:
        frame, picture = _around(roads), None
    return Ground(frame, picture, None if raster is None else _onto(frame, *raster))


def _read_image(image: str | Path, roads: RoadMap, reading: Mapping[str, Any]) -> tuple[Frame, Bytes]:
    with open_imagery(image, ground_resolution=None, **reading) as source:
        pixels = source.sample(max_pixels=MAX_READ)
        picture = np.empty((*pixels.valid.shape, 4), np.uint8)
        picture[..., :3] = Stretch.fit(pixels, low_percent=0.5, high_percent=99.5).apply(pixels)
        picture[..., 3] = np.where(pixels.valid, 255, 0)
        georef, shape = source.georef, source.shape
    factor = _coarser_step(picture.shape[:2])
    picture = _averaged(picture, factor)
    step = shape[0] / pixels.valid.shape[0], shape[1] / pixels.valid.shape[1]
    scaled = Georef(georef.crs, georef.transform * Affine.scale(step[1], step[0]))
    frame = _frame(scaled, pixels.valid.shape, factor, roads)
    return Frame(frame.georef, (picture.shape[0], picture.shape[1]), frame.metres), picture


def _coarser_step(shape: tuple[int, ...]) -> int:
    """Return how many pixels become one so that no more than are shown remain."""
    return int(np.ceil(np.sqrt(shape[0] * shape[1] / MAX_SHOWN)))


def _averaged(picture: Bytes, factor: int) -> Bytes:
    """Average blocks of pixels; rows and columns left over are cut off."""
    if factor <= 1:
        return picture
    rows, cols = (size // factor for size in picture.shape[:2])
    blocks = picture[: rows * factor, : cols * factor].reshape(rows, factor, cols, factor, 4)
    return np.asarray(np.rint(blocks.mean(axis=(1, 3), dtype=np.float32)), dtype=np.uint8)


def _frame(georef: Georef, shape: tuple[int, ...], factor: int, roads: RoadMap) -> Frame:
    coarse = Georef(georef.crs, georef.transform * Affine.scale(factor))
    rows, cols = -(-shape[0] // factor), -(-shape[1] // factor)
    return Frame(coarse, (rows, cols), _metres(coarse, (rows, cols), roads))


def _metres(georef: Georef, shape: tuple[int, int], roads: RoadMap) -> float | None:
    """Return metres per pixel: of the CRS, or without one by the roads' lengths on the ground."""
    if georef.crs is not None:
        down, across = georef.ground_resolution(shape)
        return float(np.sqrt(down * across))
    drawn = float(roads.edges.geometry.length.sum())
    if not drawn:
        return None
    return float(roads.edges["length_m"].sum() / drawn * np.sqrt(abs(georef.transform.determinant)))


def _around(roads: RoadMap) -> Frame:
    """Return a frame around the roads: north up in the UTM zone of the place, or their own pixel space."""
    table = roads.edges if len(roads.edges) else roads.issues
    if table.crs is not None and len(table):
        table = table.to_crs(table.estimate_utm_crs())
    west, south, east, north = table.total_bounds if len(table) else (0.0, 0.0, 1000.0, 1000.0)
    longest = max(east - west, north - south, 1.0)
    margin = _MARGIN * longest
    step = max(_STEP_M, longest * (1 + 2 * _MARGIN) / _LONGEST_SIDE)
    rows, cols = (int(np.ceil((size + 2 * margin) / step)) for size in (north - south, east - west))
    if table.crs is None:
        georef = north_up(west - margin, south - margin, step)
    else:
        georef = north_up(west - margin, north + margin, step, crs=table.crs.to_wkt())
    return Frame(georef, (rows, cols), _metres(georef, (rows, cols), roads))


def _onto(frame: Frame, probability: Bytes, georef: Georef) -> Bytes:
    """Bring a probability onto the frame's grid; without a CRS by the transforms, which share the image's pixel space."""
    if georef.crs is not None or frame.georef.crs is not None:
        return onto_grid(probability, georef, frame.georef, frame.shape, name="the probability")
    rows, cols = frame.shape
    x, _ = frame.georef.to_map(np.zeros(cols), np.arange(cols))
    _, y = frame.georef.to_map(np.arange(rows), np.zeros(rows))
    row = np.rint(georef.to_pixel(np.full(rows, x[0]), y)[0]).astype(np.int64)
    col = np.rint(georef.to_pixel(x, np.full(cols, y[0]))[1]).astype(np.int64)
    inside = [(at >= 0) & (at < size) for at, size in zip((row, col), probability.shape, strict=True)]
    result = np.full(frame.shape, NO_DATA, np.uint8)
    result[np.ix_(*inside)] = probability[np.ix_(row[inside[0]], col[inside[1]])]
    return result
