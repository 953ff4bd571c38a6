"""The rendered scene: a picture, its exact roads and the georeference that joins them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry import LineString, MultiPolygon

from roadlift.errors import UsageError
from roadlift.export.atomic import replacing
from roadlift.imagery.burn import burn, north_up
from roadlift.imagery.picture import write_image
from roadlift.scene.frame import Frame, Texture
from roadlift.scene.ground import ground, survey
from roadlift.scene.layout import SEASONS, Layout, plan
from roadlift.scene.paving import pave
from roadlift.scene.relief import Sun, cover_with_trees, light, plant, raise_boxes
from roadlift.scene.sensor import Camera, expose
from roadlift.scene.streets import lines_of

if TYPE_CHECKING:
    from roadlift.imagery.georef import Georef

_Geometry = TypeVar("_Geometry", LineString, MultiPolygon)
_CRS = "EPSG:32619"
_APRON_M = 18.0


@dataclass(frozen=True)
class Centreline:
    """One stretch of road between two nodes, in map coordinates."""

    geometry: LineString
    width_m: float
    surface: str
    kind: str


@dataclass(frozen=True)
class Scene:
    """A rendered aerial scene with its truth.

    Attributes:
        image: uint8 (rows, cols, 3), red, green, blue.
        mask: bool (rows, cols), the paved or unpaved road surface, also where trees hide it.
        centrelines: every road between two nodes; they share end points at junctions and meet nowhere else.
        surface: the road surface as polygons in map coordinates, whose pixels are ``mask``.
        georef: georeference of image and mask.
        seed: the seed it was rendered from.
    """

    image: np.ndarray
    mask: np.ndarray
    centrelines: tuple[Centreline, ...]
    surface: MultiPolygon
    georef: Georef
    seed: int

    def roads(self) -> gpd.GeoDataFrame:
        """Tabulate the roads: geometry, width_m, surface, kind.

        Example:
            >>> sorted(render(1, shape=(96, 96)).roads().columns)
            ['geometry', 'kind', 'surface', 'width_m']
        """
        lines = self.centrelines
        return gpd.GeoDataFrame(
            {
                "width_m": [line.width_m for line in lines],
                "surface": [line.surface for line in lines],
                "kind": [line.kind for line in lines],
            },
            geometry=[line.geometry for line in lines],
            crs=self.georef.crs,
        )

    def label(self, *, width_m: float = 7.0) -> np.ndarray:
        """Draw every centreline with one width, as hand-made road labels are: uint8 (rows, cols) of 0 and 1.

        Example:
            >>> label = render(1, shape=(96, 96)).label(width_m=7.0)
            >>> label.dtype, int(label.max())
            (dtype('uint8'), 1)
        """
        lines = np.array([line.geometry for line in self.centrelines], dtype=object)
        return burn(shapely.buffer(lines, width_m / 2), self.mask.shape, self.georef)

    def save(self, folder: str | Path, stem: str, *, overwrite: bool = False) -> tuple[Path, Path, Path]:
        """Write ``STEM.tif``, ``STEM_mask.tif`` (0 and 1) and ``STEM_roads.gpkg`` and return their paths.

        Args:
            folder: made when it is not there.
            stem: how the names begin.
            overwrite: replace existing files.

        Raises:
            OutputError: a file exists, or cannot be written.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        image, mask, roads = (folder / f"{stem}{tail}" for tail in (".tif", "_mask.tif", "_roads.gpkg"))
        write_image(image, self.image, self.georef, overwrite=overwrite)
        write_image(mask, self.mask.astype(np.uint8), self.georef, overwrite=overwrite)
        with replacing(roads, overwrite=overwrite) as temporary:
            self.roads().to_file(temporary, layer="roads", driver="GPKG")
        return image, mask, roads


def render(
    seed: int = 0,
    *,
    shape: tuple[int, int] = (1024, 1024),
    ground_resolution_m: float = 1.0,
    season: str | None = None,
    quality: int | None = None,
) -> Scene:
    """Render an aerial scene whose roads are known exactly.

    The same arguments give the same bytes. The layout depends on the seed and the extent in metres only:
    the same ground at another resolution has the same roads.

    Args:
        seed: any non-negative integer.
        shape: rows, columns in pixels.
        ground_resolution_m: metres per pixel, 0.1 to 5; made for 0.3 to 2.
        season: ``"spring"`` (bare woods), ``"summer"`` or ``"dry"``; by default the seed chooses.
        quality: 1 to 100 adds artefacts of lossy compression; None adds none.

    Raises:
        UsageError: an argument is out of range.

    Example:
        >>> scene = render(7, shape=(64, 96), ground_resolution_m=0.5)
        >>> scene.image.shape, scene.mask.shape, str(scene.georef.crs)
        ((64, 96, 3), (64, 96), 'EPSG:32619')
    """
    _check(seed, shape, ground_resolution_m, season, quality)
    rows, cols = shape
    layout = plan(seed, (cols * ground_resolution_m, rows * ground_resolution_m), season=season)
    image = _picture(seed, layout, shape, ground_resolution_m, quality)
    left, top = _origin(seed)
    georef = north_up(left, top, ground_resolution_m, crs=_CRS)
    surface = _to_map(layout.surface, left, top)
    mask = burn(surface.geoms, shape, georef).astype(bool)
    return Scene(image, mask, _centrelines(layout, left, top), surface, georef, seed)


def _check(
    seed: int, shape: tuple[int, int], ground_resolution_m: float, season: str | None, quality: int | None
) -> None:
    if seed < 0:
        raise UsageError(f"seed is {seed}; give an integer of 0 or more")
    if min(shape) < 16:
        raise UsageError(f"shape is {shape}; a scene has at least 16 rows and 16 columns")
    if not 0.1 <= ground_resolution_m <= 5:
        raise UsageError(
            f"ground_resolution_m is {ground_resolution_m}; scenes are drawn at 0.1 to 5 m per pixel"
        )
    if season is not None and season not in SEASONS:
        raise UsageError(f"season is {season!r}; choose one of {', '.join(SEASONS)}")
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"quality is {quality}; give 1 to 100, or None for no compression")


def _origin(seed: int) -> tuple[float, float]:
    """Choose the upper left corner in UTM zone 19 north, somewhere in southern New England."""
    rng = np.random.default_rng([seed, 5])
    return 280_000.0 + 10 * float(rng.integers(0, 8000)), 4_640_000.0 + 10 * float(rng.integers(0, 8000))


def _to_map(geometry: _Geometry, left: float, top: float) -> _Geometry:
    return shapely.transform(geometry, lambda points: points * (1, -1) + (left, top))


def _centrelines(layout: Layout, left: float, top: float) -> tuple[Centreline, ...]:
    """Cut the layout's roads to the scene's extent, in map coordinates."""
    extent = shapely.box(0, 0, *layout.size_m)
    return tuple(
        Centreline(_to_map(part, left, top), road.width_m, road.surface, road.kind)
        for road in layout.roads
        for part in lines_of(road.line.intersection(extent))
        if part.length > 0.05
    )


def _picture(
    seed: int, layout: Layout, shape: tuple[int, int], ground_resolution_m: float, quality: int | None
) -> np.ndarray:
    """Draw the layout with an apron around it, so that nothing changes at the edge, and photograph it."""
    rng = np.random.default_rng([seed, 23])
    finer = int(np.ceil(ground_resolution_m - 1e-9)) if ground_resolution_m > 1 else 1
    step = ground_resolution_m / finer
    apron = int(np.ceil(_APRON_M / ground_resolution_m))
    rows, cols = ((size + 2 * apron) * finer for size in shape)
    frame = Frame((rows, cols), step, -apron * ground_resolution_m, -apron * ground_resolution_m)
    radiance = _radiance(rng, frame, layout)
    inner = radiance[apron * finer : -apron * finer, apron * finer : -apron * finer]
    coarse = inner.reshape(shape[0], finer, shape[1], finer, 3).mean(axis=(1, 3))
    return expose(rng, coarse, Camera.draw(rng, quality=quality))


def _radiance(rng: np.random.Generator, frame: Frame, layout: Layout) -> np.ndarray:
    sun = Sun.draw(rng)
    texture = Texture.make(rng, frame)
    land = survey(frame, layout, texture)
    canvas = ground(rng, frame, layout, land, texture)
    pave(rng, canvas, frame, layout, land, texture)
    relief = raise_boxes(rng, canvas, frame, layout, sun, texture)
    for shrubs in (True, False):
        crowns = plant(rng, frame, layout, land, texture, shrubs=shrubs)
        relief = cover_with_trees(rng, canvas, frame, layout, relief, crowns, sun, texture)
    return light(canvas, relief, sun, frame.ground_resolution_m)
