"""A look at a data set before it is trained on: what is in it, what is wrong with it, and what it looks like."""

from __future__ import annotations

import filecmp
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS, Transformer

from roadlift.errors import InputError
from roadlift.imagery import ImagerySource, Stretch, Window, sample_of_image, without_filling
from roadlift.report.sheet import Cell, contact_sheet
from roadlift.train.data.layouts import layout_of, list_images
from roadlift.train.data.reading import (
    LabelledImage,
    ReadOptions,
    equal_parts,
    known_resolution,
)
from roadlift.train.data.sample import IGNORE

PROBLEM_COLUMNS = ("problem", "split", "file", "detail")
MEASURES = ("rows", "cols", "dtype", "crs", "ground_resolution_m", "blank_share", "road_share")
_COARSE = 4.0
"""Metres of a coarse pixel, in which pictures are compared; pixels where metres are not known."""
_PART_SIZE = 2048
_PICTURE_SIDE = 220
_BLUR = 1.0
"""Of coarse pictures, in their pixels: without it the same place looks different half a pixel on."""
_THUMBNAIL = 32
_ALIKE = 0.98
"""Correlation of two thumbnails that show the same place."""
_FOUND = 0.9
"""Correlation of a part of an image with its place in another one."""
_PERHAPS = 0.8
"""The same at half the resolution, where pixels lie less alike: below it the exact search is spared."""
_FLAT = 8.0
"""Standard deviation, of 255, below which a part shows too little to be recognised."""
_MIN_SIDE = 60
"""Coarse pixels along the sides of an image below which its middle is too small to be recognised."""
_SEARCH_BUDGET = 4 * 10**9
"""Coarse pixels of all pairs of images that are searched for a common place: about half a minute."""
_OVERLAP_SHARE = 0.01
_MOSTLY_ROAD = 0.75


@dataclass(frozen=True)
class Picture:
    """A small picture of a labelled image.

    Attributes:
        row: Number of the row in the table.
        pixels: uint8 (rows, cols, 3).
        label: uint8 (rows, cols): 0 background, 1 road, 255 unknown.
    """

    row: int
    pixels: np.ndarray
    label: np.ndarray


@dataclass(frozen=True)
class Inspection:
    """What was found in a data set.

    Attributes:
        data: Its folder.
        layout: Name of its layout.
        images: Table of :func:`~roadlift.train.data.list_images` and, as far as files could be read, rows, cols, dtype,
            crs, ground_resolution_m, blank_share (of all pixels) and road_share (of those with a label).
        problems: Table with a row for each problem: what it is, split, file, detail. Empty where all is well.
        notes: What was not looked for, in words.
        pictures: Pictures of the images that could be read.
    """

    data: Path
    layout: str
    images: pd.DataFrame
    problems: pd.DataFrame
    notes: tuple[str, ...]
    pictures: tuple[Picture, ...]

    def splits(self) -> pd.DataFrame:
        """Return a table with a row for each split: images, megapixels, shares of blank and road, problems."""
        table = self.images.assign(pixels=self.images["rows"] * self.images["cols"])
        table["blank"] = table["pixels"] * table["blank_share"]
        table["known"] = table["pixels"] - table["blank"]
        table["road"] = table["known"] * table["road_share"]
        sums = table.groupby("split")[["pixels", "blank", "road"]].sum()
        labelled = table[table["road_share"].notna()].groupby("split")["known"].sum().reindex(sums.index)
        found = self.problems.groupby("split").size().reindex(sums.index, fill_value=0)
        return pd.DataFrame(
            {
                "images": table.groupby("split").size(),
                "megapixels": sums["pixels"] / 1e6,
                "blank_share": sums["blank"] / sums["pixels"],
                "road_share": sums["road"] / labelled,
                "problems": found,
            }
        )

    def to_json(self) -> str:
        """Return tables and notes as JSON text; what is not known is null."""
        tables = {"images": self.images, "problems": self.problems, "splits": self.splits().reset_index()}
        records = {
            name: json.loads(_as_text(table).to_json(orient="records")) for name, table in tables.items()
        }
        told = {"data": str(self.data), "layout": self.layout, "notes": list(self.notes), **records}
        return json.dumps(told, indent=2, ensure_ascii=False)


def inspect_data(
    data: str | Path,
    *,
    layout: str | None = None,
    roads: str | Path | None = None,
    gsd: float | None = None,
    road_width: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Read every image and label of a data set, measure them, and look for what would spoil training or scores.

    Problems are: images without label and labels without image; files that cannot be read; labels that do not fit; images
    that are all blank; labels that are mostly road; the same or nearly the same image twice; and a place that is in two
    splits, by georeference or by its pixels.

    Args:
        data: Data set in one of the layouts of :func:`~roadlift.train.data.list_images`.
        layout: Name of the layout; None recognises it.
        roads: File with the roads of all images, instead of the labels that the data set has.
        gsd: Metres per pixel of images without CRS.
        road_width: Width in metres that lines are drawn with; None takes it from their tags.
        progress: Called with the number of images read and of all.

    Returns:
        Tables, notes and pictures.

    Raises:
        InputError: The data set has no layout that is known, or is empty.
    """
    table = list_images(data, layout=layout, roads=roads)
    options = ReadOptions(ground_resolution=None, gsd=gsd, road_width=road_width)
    looks = []
    for number, row in enumerate(table.to_dict("records"), 1):
        looks.append(_look(number - 1, row, options))
        if progress is not None:
            progress(number, len(table))
    measures = pd.DataFrame([look.measures for look in looks], columns=list(MEASURES), index=table.index)
    images = pd.concat([table, measures], axis=1)
    found = [problem for look in looks for problem in look.problems]
    seen = [look for look in looks if look.coarse is not None]
    twice, notes = _same_places(seen)
    problems = pd.DataFrame([*found, *twice], columns=list(PROBLEM_COLUMNS))
    name = layout_of(data, layout) if roads is None else "vector"
    pictures = tuple(look.picture for look in looks if look.picture is not None)
    return Inspection(Path(data), name, images, problems, notes, pictures)


@dataclass
class _Look:
    """What is known of one row while its data set is looked at."""

    row: Mapping[Any, Any]
    measures: dict[str, Any]
    problems: list[tuple[str, str, str, str]]
    picture: Picture | None = None
    coarse: np.ndarray | None = None
    footprint: Any = None

    def add(self, problem: str, file: Any, detail: str) -> None:
        self.problems.append((problem, str(self.row["split"]), str(file), detail))


def _look(number: int, row: Mapping[Any, Any], options: ReadOptions) -> _Look:
    look = _Look(row, {}, [])
    if row["image"] is None:
        look.add("no image", row["label"], "no image has the same name")
        return look
    if row["label"] is None:
        look.add("no label", row["image"], "no mask or file of roads has the same name")
    try:
        with LabelledImage(row, options, with_label=False) as image:
            _describe(look, image.source)
    except InputError as error:
        look.add("cannot be read", row["image"], str(error))
        return look
    with_label = row["label"] is not None and _label_fits(look, row, options)
    try:
        with LabelledImage(row, options, with_label=with_label) as image:
            _measure(look, image, number, with_label=with_label)
    except InputError as error:
        look.add("cannot be read", row["image"], str(error))
    return look


def _label_fits(look: _Look, row: Mapping[Any, Any], options: ReadOptions) -> bool:
    try:
        LabelledImage(row, options).__exit__(None, None, None)
    except InputError as error:
        look.add("label does not fit", row["label"], str(error))
        return False
    return True


def _describe(look: _Look, source: ImagerySource) -> None:
    crs = source.native_georef.crs
    look.measures = {
        "rows": source.native_shape[0],
        "cols": source.native_shape[1],
        "dtype": str(source.dtype),
        "crs": None if crs is None else crs.to_string(),
        "ground_resolution_m": known_resolution(source),
    }
    if crs is not None:
        look.footprint = _footprint(source)


def _footprint(source: ImagerySource) -> Any:
    """Return the outline of the image in longitude and latitude."""
    rows, cols = (np.array([-0.5, extent - 0.5]) for extent in source.native_shape)
    x, y = source.native_georef.to_map(rows[[0, 0, 1, 1]], cols[[0, 1, 1, 0]])
    crs = source.native_georef.crs
    if crs is None:
        return None
    to_degrees = Transformer.from_crs(CRS(crs.to_wkt()), "OGC:CRS84", always_xy=True)
    return shapely.Polygon(np.column_stack(to_degrees.transform(x, y)))


def _measure(look: _Look, image: LabelledImage, number: int, *, with_label: bool) -> None:
    """Measure shares, and draw the image: in coarse pixels of the ground to compare it, and small to look at it."""
    shape = image.source.shape
    windows = equal_parts(shape, _PART_SIZE)
    stretch = None if len(windows) == 1 else Stretch.fit(sample_of_image(image.source))
    coarse = _Canvas(shape, _COARSE / (known_resolution(image.source) or 1.0))
    small = _Canvas(shape, max(shape) / _PICTURE_SIDE)
    valid = known = road = 0
    for window in windows:
        pixels, label = image.read(window)
        valid += int(pixels.valid.sum())
        known += int((label != IGNORE).sum())
        road += int((label == 1).sum())
        part = (stretch or Stretch.fit(without_filling(pixels))).apply(pixels)
        coarse.draw(window, part, label)
        small.draw(window, part, label)
    look.measures["blank_share"] = 1 - valid / (shape[0] * shape[1])
    look.measures["road_share"] = road / known if with_label and known else None
    look.coarse = cv2.GaussianBlur(cv2.cvtColor(coarse.pixels, cv2.COLOR_RGB2GRAY), (0, 0), _BLUR)
    look.picture = Picture(number, small.pixels, small.label)
    if valid == 0:
        look.add("all blank", look.row["image"], "there is no pixel to learn from")
    elif known and road / known > _MOSTLY_ROAD:
        look.add("mostly road", look.row["label"], f"{road / known:.0%} of it is road; is the mask inverted?")


class _Canvas:
    """An image that is drawn part by part, ``step`` times smaller, never larger."""

    def __init__(self, shape: tuple[int, int], step: float) -> None:
        self._step = max(1.0, step)
        self.pixels = np.zeros((*self._shrunk(*shape), 3), np.uint8)
        self.label = np.full(self.pixels.shape[:2], IGNORE, np.uint8)

    def draw(self, window: Window, pixels: np.ndarray, label: np.ndarray) -> None:
        """Draw the pixels uint8 (rows, cols, 3) and the label uint8 (rows, cols) of a window of the image."""
        top, left = int(window.row / self._step), int(window.col / self._step)
        bottom, right = self._shrunk(window.row + window.height, window.col + window.width)
        place = (slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1)))
        size = self.label[place].shape[::-1]
        self.pixels[place] = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        self.label[place] = _coarse_label(label, size)

    def _shrunk(self, rows: int, cols: int) -> tuple[int, int]:
        return max(1, int(rows / self._step)), max(1, int(cols / self._step))


def _coarse_label(label: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Shrink a label to a size (cols, rows): road where a quarter of it is road, unknown where most of it is."""
    road, unknown = (
        cv2.resize((label == value).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        for value in (1, IGNORE)
    )
    return np.where(unknown > 0.5, IGNORE, road > 0.25).astype(np.uint8)


def _same_places(looks: Sequence[_Look]) -> tuple[list[tuple[str, str, str, str]], tuple[str, ...]]:
    """Return problems for images that show the same place, and notes on what was not compared."""
    found: dict[tuple[int, int], str] = {}
    for pair, detail in (*_alike(looks), *_overlapping(looks)):
        found.setdefault(pair, detail)
    pairs, notes = _pairs_to_search(looks)
    coarse = [look.coarse for look in looks if look.coarse is not None]
    halves = [cv2.resize(one, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for one in coarse]
    for first, second in pairs:
        perhaps = _likeness(halves[first], halves[second]) > _PERHAPS
        if perhaps and _likeness(coarse[first], coarse[second]) > _FOUND:
            found.setdefault((first, second), "shows a part of")
    problems = []
    for (first, second), detail in sorted(found.items()):
        one, other = looks[first].row, looks[second].row
        leak = one["split"] != other["split"]
        where = f" of split {other['split']!r}" if leak else ""
        kind = "leak between splits" if leak else "duplicate"
        problems.append((kind, str(one["split"]), str(one["image"]), f"{detail} {other['image']}{where}"))
    return problems, notes


def _alike(looks: Sequence[_Look]) -> Iterator[tuple[tuple[int, int], str]]:
    """Find images that look the same as a whole."""
    vectors = np.array([_thumbnail(look.coarse) for look in looks if look.coarse is not None], np.float32)
    if not vectors.size:
        return
    for first in range(len(looks)):
        for offset in np.flatnonzero(vectors[first + 1 :] @ vectors[first] > _ALIKE):
            second = first + 1 + int(offset)
            same = filecmp.cmp(looks[first].row["image"], looks[second].row["image"], shallow=False)
            yield (first, second), "is the same file as" if same else "looks the same as"


def _thumbnail(coarse: np.ndarray) -> np.ndarray:
    """Return float32 (1024,) of length 1 whose products are correlations; zeros where there is nothing to compare."""
    small = (
        cv2.resize(coarse, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    )
    small -= small.mean()
    return small / np.linalg.norm(small) if small.std() >= _FLAT else np.zeros_like(small)


def _overlapping(looks: Sequence[_Look]) -> Iterator[tuple[tuple[int, int], str]]:
    """Find georeferenced images of different splits that overlap on the ground."""
    numbers = [number for number, look in enumerate(looks) if look.footprint is not None]
    outlines = np.array([looks[number].footprint for number in numbers], object)
    tree = shapely.STRtree(outlines)
    for one, other in tree.query(outlines, predicate="intersects").T if len(outlines) else ():
        first, second = numbers[one], numbers[other]
        if first >= second or looks[first].row["split"] == looks[second].row["split"]:
            continue
        common = shapely.area(shapely.intersection(outlines[one], outlines[other]))
        share = common / min(outlines[one].area, outlines[other].area)
        if share > _OVERLAP_SHARE:
            yield (first, second), f"shares {share:.0%} of its ground with"


def _pairs_to_search(looks: Sequence[_Look]) -> tuple[list[tuple[int, int]], tuple[str, ...]]:
    """Return the pairs of images of different splits in which a common part can be searched, and why not all are."""
    shapes = [(0, 0) if look.coarse is None else look.coarse.shape for look in looks]
    pairs = [
        (first, second)
        for first, second in combinations(range(len(looks)), 2)
        if looks[first].row["split"] != looks[second].row["split"]
    ]
    large = [pair for pair in pairs if min(min(shapes[number]) for number in pair) >= _MIN_SIDE]
    notes = []
    if len(large) < len(pairs):
        notes.append(
            f"{sum(min(shape) < _MIN_SIDE for shape in shapes)} images are smaller than {_MIN_SIDE * _COARSE:.0f} m (or "
            "pixels, where metres are not known): they were not searched for in images of other splits"
        )
    if sum(max(np.prod(shapes[number]) for number in pair) for pair in large) > _SEARCH_BUDGET:
        notes.append(
            f"{len(large)} pairs of images of different splits are too many to be searched for parts of the same place; "
            "whole images and georeferences were compared"
        )
        large = []
    return large, tuple(notes)


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return how well the middle of the smaller picture is found in the larger one, as a correlation."""
    small, large = sorted((one, other), key=lambda picture: picture.size)
    rows, cols = small.shape
    middle = small[rows // 4 : rows - rows // 4, cols // 4 : cols - cols // 4]
    if middle.std() < _FLAT or any(np.array(middle.shape) > large.shape):
        return 0.0
    return float(cv2.matchTemplate(large, middle, cv2.TM_CCOEFF_NORMED).max())


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with paths as text."""
    table = table.copy()
    for name in {"image", "label"} & set(table.columns):
        table[name] = [None if path is None else str(path) for path in table[name]]
    return table


def draw_sheet(inspection: Inspection, path: str | Path, *, most: int = 60, overwrite: bool = False) -> Path:
    """Draw a contact sheet of a data set: images with problems first, the others picked evenly from all splits.

    Args:
        inspection: What was found.
        path: ``.png`` file to write.
        most: Pictures to draw at most.
        overwrite: Replace an existing file.

    Raises:
        InputError: No image could be read.
        OutputError: The file exists, or cannot be written.
    """
    if not inspection.pictures:
        raise InputError(f"No image of {inspection.data} could be read, so there is nothing to draw.")
    wrong = _problems_of(inspection)
    first = [picture for picture in inspection.pictures if picture.row in wrong]
    others = [picture for picture in inspection.pictures if picture.row not in wrong]
    places = np.unique(np.linspace(0, len(others) - 1, max(0, most - len(first[:most]))).astype(int))
    shown = [*first[:most], *(others[place] for place in places if others)]
    splits = ", ".join(
        f"{name or 'no split'} {count}" for name, count in inspection.splits()["images"].items()
    )
    return contact_sheet(
        [_cell(picture, inspection, wrong.get(picture.row, "")) for picture in shown],
        path,
        title=f"{inspection.data.resolve().name}: {len(inspection.images)} images ({splits})",
        subtitle=f"{len(shown)} shown; road orange, unknown blue, problems framed in red: {len(inspection.problems)} found",
        overwrite=overwrite,
    )


def _problems_of(inspection: Inspection) -> dict[int, str]:
    """Return the first problem of each row of the table that has one."""
    images, labels = (inspection.images[name].astype(str).tolist() for name in ("image", "label"))
    rows = {file: row for files in (labels, images) for row, file in enumerate(files)}
    problems = inspection.problems[["file", "problem"]].astype(str).to_numpy().tolist()
    return {rows[file]: problem for file, problem in reversed(problems)}


def _cell(picture: Picture, inspection: Inspection, problem: str) -> Cell:
    row: dict[Any, Any] = inspection.images.loc[picture.row].to_dict()
    known = "? m" if pd.isna(row["ground_resolution_m"]) else f"{row['ground_resolution_m']:.3g} m"
    road = "road unknown" if pd.isna(row["road_share"]) else f"road {row['road_share']:.1%}"
    caption = f"{row['cols']:.0f} x {row['rows']:.0f} px, {known}\nblank {row['blank_share']:.1%}, {road}"
    split = "" if str(row["name"]).startswith(row["split"]) else f"{row['split']}/"
    return Cell(picture.pixels, picture.label, f"{split}{row['name']}", caption, problem)
