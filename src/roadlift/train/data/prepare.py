"""From any recognised data set to one that is ready for training: splits by place, one ground resolution, tiles."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from pyproj import CRS, Transformer

from roadlift.errors import InputError, OutputError, UsageError
from roadlift.imagery import Georef, ImagerySource, Window
from roadlift.imagery.picture import write_image
from roadlift.train.data.layouts import MANIFEST, list_images
from roadlift.train.data.reading import LabelledImage, ReadOptions, equal_parts, known_resolution
from roadlift.train.data.sample import IGNORE

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}
"""Shares of the splits that are made where a data set has none."""
TILE_SIZE = 1024
BLOCK_M = 2000.0
MANIFEST_COLUMNS = (
    "split", "image", "label", "rows", "cols", "gsd_m", "blank_share", "road_share", "place", "source", "row", "col",
)  # fmt: skip
_EQUAL_AREA = "EPSG:6933"
_OVERLAP_SHARE = 0.01


@dataclass(frozen=True)
class Prepared:
    """What was written.

    Attributes:
        folder: Where to.
        manifest: Table with a row for each tile, as it lies in ``manifest.csv``.
        left_out: Table of what was not taken: file and reason.
    """

    folder: Path
    manifest: pd.DataFrame
    left_out: pd.DataFrame


@dataclass(frozen=True)
class _Tile:
    """A part of an image on its way into a split."""

    row: int
    name: str
    window: Window
    place: str
    outline: Any
    split: str = ""


def prepare_data(
    data: str | Path,
    out: str | Path,
    *,
    layout: str | None = None,
    roads: str | Path | None = None,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
    ground_resolution: float | None = 1.0,
    gsd: float | None = None,
    road_width: float | None = None,
    tile_size: int = TILE_SIZE,
    block_m: float = BLOCK_M,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Write a data set anew as ``OUT/SPLIT/images`` and ``OUT/SPLIT/masks`` with a manifest. The data set stays as it is.

    Images keep their pixel type, their georeference and what of them is valid; masks hold 0 background, 1 road, 255
    unknown. Splits that the data set has are kept, unless ``shares`` are given. New ones are made by place: tiles of
    georeferenced images whose centres lie in the same square of ``block_m`` go to the same split, and a tile that overlaps
    with one of another split is left out; tiles of other images stay with their image.

    Args:
        data: Data set in one of the layouts of :func:`~roadlift.train.data.list_images`.
        out: Folder to write; it must not exist, and not lie within ``data``.
        layout: Name of the layout; None recognises it.
        roads: File with the roads of all images, instead of the labels that the data set has.
        shares: Shares of the pixels by split, as ``{"train": 0.9, "dev": 0.1}``; None keeps splits, or takes
            :data:`SHARES` where there are none.
        seed: Seed of the choice of splits.
        ground_resolution: Metres per pixel to resample to, where those of an image are known; None leaves them.
        gsd: Metres per pixel of images without CRS.
        road_width: Width in metres that lines are drawn with; None takes it from their tags.
        tile_size: Images are cut into equal tiles of at most this many pixels a side.
        block_m: Side of the squares of ground that are not divided between splits, in metres.
        progress: Called with the number of images written and of all.

    Returns:
        Manifest, and what was left out and why.

    Raises:
        UsageError: Options without sense.
        InputError: The data set or a file in it cannot be used, or has too few places for the splits.
        OutputError: ``out`` exists or cannot be written. Nothing is left behind.
    """
    data, out = Path(data), Path(out)
    _check_output(data, out)
    options = ReadOptions(ground_resolution, gsd, road_width, part_size=tile_size)
    if not block_m > 0:
        raise UsageError(f"block_m is {block_m}; metres must be more than 0.")
    table, left_out = _usable(list_images(data, layout=layout, roads=roads))
    tiles = [
        tile
        for number, row in enumerate(table.to_dict("records"))
        for tile in _tiles(number, row, options, block_m)
    ]
    tiles = _with_splits(tiles, table, shares, seed)
    tiles, overlapping = _without_overlaps(tiles)
    left_out += [
        (str(table["image"][tile.row]), f"tile {tile.name}: overlaps with a tile of another split")
        for tile in overlapping
    ]
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        rows, empty = _write(partial, table, tiles, options, progress)
        manifest = pd.DataFrame(rows, columns=list(MANIFEST_COLUMNS))
        manifest.to_csv(partial / MANIFEST, index=False)
        partial.rename(out)
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written: {error.strerror or error}. Nothing was left behind."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Prepared(out, manifest, pd.DataFrame([*left_out, *empty], columns=["file", "reason"]))


def _check_output(data: Path, out: Path) -> None:
    if out.exists():
        raise OutputError(f"{out} exists; nothing is written over. Give a new folder.")
    if data.is_dir() and out.resolve().is_relative_to(data.resolve()):
        raise OutputError(
            f"{out} lies within {data}, which is not to be changed. Give a folder outside of it."
        )


def _usable(table: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Return the rows with image and label, under names that occur once, and the files of the others."""
    whole = table["image"].notna() & table["label"].notna()
    left_out = [
        (str(row["label"]), "has no image") if row["image"] is None else (str(row["image"]), "has no label")
        for row in table[~whole].to_dict("records")
    ]
    table = table[whole].reset_index(drop=True)
    if table.empty:
        raise InputError(
            f"None of the {len(left_out)} files is an image with a label; see: roadlift data inspect DATA"
        )
    if table["name"].duplicated().any():
        table["name"] = table["split"] + "_" + table["name"]
    return table, left_out


def _tiles(number: int, row: Mapping[Any, Any], options: ReadOptions, block_m: float) -> Iterator[_Tile]:
    with LabelledImage(row, options, with_label=False) as image:
        windows = equal_parts(image.source.shape, options.part_size)
        for window in windows:
            name = image.name if len(windows) == 1 else f"{image.name}_{window.row}_{window.col}"
            outline = _outline(image.source, window)
            place = image.name if outline is None else _block(outline, block_m)
            yield _Tile(number, name, window, place, outline)


def _outline(source: ImagerySource, window: Window) -> Any:
    """Return the outline of a window in an equal-area projection of the world, metres; None without CRS."""
    georef: Georef = source.georef.at(window)
    if georef.crs is None:
        return None
    rows, cols = (np.array([-0.5, extent - 0.5]) for extent in window.shape)
    x, y = georef.to_map(rows[[0, 0, 1, 1]], cols[[0, 1, 1, 0]])
    transformer = Transformer.from_crs(CRS(georef.crs.to_wkt()), _EQUAL_AREA, always_xy=True)
    return shapely.Polygon(np.column_stack(transformer.transform(x, y)))


def _block(outline: Any, block_m: float) -> str:
    centre = outline.centroid
    return f"{centre.x // block_m:.0f}_{centre.y // block_m:.0f}"


def _with_splits(
    tiles: Sequence[_Tile], table: pd.DataFrame, shares: Mapping[str, float] | None, seed: int
) -> list[_Tile]:
    if shares is None and (table["split"] != "").all():
        splits = [str(table["split"][tile.row]) for tile in tiles]
    else:
        sizes = [tile.window.height * tile.window.width for tile in tiles]
        splits = choose_splits(
            [tile.place for tile in tiles], sizes, SHARES if shares is None else shares, seed=seed
        )
    return [
        _Tile(tile.row, tile.name, tile.window, tile.place, tile.outline, split)
        for tile, split in zip(tiles, splits, strict=True)
    ]


def choose_splits(
    places: Sequence[str], sizes: Sequence[float], shares: Mapping[str, float], *, seed: int = 0
) -> list[str]:
    """Divide things between splits so that what lies in one place stays together, and each split has about its share.

    Places are taken in random order; each goes to the split that lacks most. No split stays empty.

    Args:
        places: Place of each thing.
        sizes: Size of each thing.
        shares: Share of the sizes by split; they add up to 1.
        seed: Seed of the order.

    Returns:
        The split of each thing.

    Raises:
        UsageError: The shares do not add up to 1, or are not positive.
        InputError: There are fewer places than splits.

    Example:
        >>> choose_splits(["a", "a", "b", "c"], [1, 1, 1, 1], {"train": 0.75, "dev": 0.25})
        ['train', 'train', 'dev', 'train']
    """
    if not shares or min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise UsageError(
            f"The shares of the splits are {dict(shares)}; they must be positive and add up to 1."
        )
    totals = pd.Series(sizes, index=list(places), dtype=float).groupby(level=0).sum()
    if len(totals) < len(shares):
        raise InputError(
            f"The data set has {len(totals)} places for {len(shares)} splits. Give smaller blocks of ground, fewer splits, "
            "or more images."
        )
    lacking = {split: share * totals.sum() for split, share in shares.items()}
    empty = set(shares)
    chosen: dict[str, str] = {}
    for left, place in zip(
        range(len(totals), 0, -1), np.random.default_rng(seed).permutation(totals.index), strict=True
    ):
        candidates = empty if len(empty) == left else set(shares)
        split = max(sorted(candidates), key=lambda name: lacking[name])
        lacking[split] -= totals[place]
        empty.discard(split)
        chosen[place] = split
    return [chosen[place] for place in places]


def _without_overlaps(tiles: Sequence[_Tile]) -> tuple[list[_Tile], list[_Tile]]:
    """Take away tiles that share ground with another split: of each pair the one of the larger split."""
    counts = pd.Series([tile.split for tile in tiles]).value_counts()
    placed = [number for number, tile in enumerate(tiles) if tile.outline is not None]
    outlines = np.array([tiles[number].outline for number in placed], object)
    tree = shapely.STRtree(outlines)
    dropped: set[int] = set()
    for one, other in tree.query(outlines, predicate="intersects").T if placed else ():
        first, second = placed[one], placed[other]
        if first >= second or tiles[first].split == tiles[second].split or {first, second} & dropped:
            continue
        if (
            shapely.area(shapely.intersection(outlines[one], outlines[other]))
            > _OVERLAP_SHARE * outlines[one].area
        ):
            dropped.add(max(first, second, key=lambda number: counts[tiles[number].split]))
    return [tile for number, tile in enumerate(tiles) if number not in dropped], [
        tiles[n] for n in sorted(dropped)
    ]


def _write(
    folder: Path,
    table: pd.DataFrame,
    tiles: Sequence[_Tile],
    options: ReadOptions,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Write the tiles of all images; return the rows of the manifest and what had nothing to learn from."""
    rows: list[dict[str, Any]] = []
    empty: list[tuple[str, str]] = []
    tiles_of: dict[int, list[_Tile]] = {}
    for tile in tiles:
        tiles_of.setdefault(tile.row, []).append(tile)
    for number, record in enumerate(table.to_dict("records")):
        with LabelledImage(record, options) as image:
            for tile in tiles_of.get(number, ()):
                written = _write_tile(folder, image, tile)
                if written is None:
                    empty.append(
                        (str(record["image"]), f"tile {tile.name}: blank, or nothing is known of it")
                    )
                else:
                    rows.append(written | {"source": str(record["image"])})
        if progress is not None:
            progress(number + 1, len(table))
    return rows, empty


def _write_tile(folder: Path, image: LabelledImage, tile: _Tile) -> dict[str, Any] | None:
    pixels, label = image.read(tile.window)
    known = label != IGNORE
    if not known.any():
        return None
    georef = image.source.georef.at(tile.window)
    files = {
        name: f"{tile.split}/{kind}/{tile.name}.tif"
        for name, kind in (("image", "images"), ("label", "masks"))
    }
    for file in files.values():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
    write_image(folder / files["image"], np.moveaxis(pixels.values, 0, 2), georef, valid=pixels.valid)
    write_image(folder / files["label"], label, georef, nodata=IGNORE)
    return {
        "split": tile.split,
        **files,
        "rows": label.shape[0],
        "cols": label.shape[1],
        "gsd_m": known_resolution(image.source),
        "blank_share": round(1 - float(pixels.valid.mean()), 6),
        "road_share": round(float((label == 1).sum() / known.sum()), 6),
        "place": tile.place,
        "row": tile.window.row,
        "col": tile.window.col,
    }
