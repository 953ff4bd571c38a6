"""The layouts in which labelled images come: each a function from a folder to a table with one row an image."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from roadlift.errors import InputError, UsageError
from roadlift.export.lines import LINE_SUFFIXES, is_line_file

COLUMNS = ("split", "name", "image", "label", "gsd_m", "nodata")
"""split, name of the image, its file, the file of its label, metres per pixel and no-data value where they are known."""
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".vrt")
MANIFEST = "manifest.csv"
_IMAGES, _LABELS = ("images",), ("masks", "labels")
_SPLITS = {"val": "dev", "valid": "dev", "validation": "dev", "training": "train", "testing": "test"}
_SPACENET_IMAGES = ("PS-RGB", "RGB-PanSharpen")
_SPACENET_ROADS = ("geojson_roads", "geojson_roads_speed", "spacenetroads")
_CHIP = re.compile(r"(AOI_\d+_[A-Za-z]+).*?((?:img|chip)\d+)$")

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Layout:
    """A layout by name.

    Attributes:
        name: Name.
        looks_like: What it looks like, for people.
        find: Returns the rows of a folder, or None where the folder has another layout.
    """

    name: str
    looks_like: str
    find: Callable[[Path], Rows | None]


def list_images(
    data: str | Path, split: str | None = None, *, layout: str | None = None, roads: str | Path | None = None
) -> pd.DataFrame:
    """List labelled images as a table with one row an image. Nothing is decoded.

    Args:
        data: Folder in one of the layouts of :data:`LAYOUTS`; with ``roads`` also any folder of images, or one image.
        split: Only this one: ``train``, ``dev`` or ``test``. ``val``, ``valid`` and ``validation`` are called ``dev``.
        layout: Name of the layout; None recognises it.
        roads: Vector file with the roads of all images, instead of the labels that the folder has.

    Returns:
        Table with the columns :data:`COLUMNS`, sorted by split and name. ``image`` or ``label`` is None where the other
        has no counterpart; ``gsd_m`` and ``nodata`` are NaN where only the file itself can tell.

    Raises:
        InputError: The folder has no layout that is known, is empty, or has no such split.
        UsageError: There is no layout of that name.
    """
    data = Path(data)
    if roads is not None:
        rows = _with_roads(data, Path(roads))
    elif not data.is_dir():
        raise InputError(f"{data} is not a folder; give the folder of a data set, or an image and its roads.")
    else:
        rows = _layout(data, layout).find(data) or []
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"gsd_m": float, "nodata": float})
    table = table.astype(object).where(table.notna(), None).astype({"gsd_m": float, "nodata": float})
    if table.empty:
        raise InputError(f"{data} holds no images. Files read are: {', '.join(IMAGE_SUFFIXES)}.")
    table = table.sort_values(["split", "name"], kind="stable").reset_index(drop=True)
    return table if split is None else _only(table, split, data)


def layout_of(data: str | Path, layout: str | None = None) -> str:
    """Return the name of the layout of a folder.

    Raises:
        InputError: It has none that is known.
        UsageError: There is no layout of the name ``layout``.
    """
    return _layout(Path(data), layout).name


def _layout(data: Path, name: str | None) -> Layout:
    named = {layout.name: layout for layout in LAYOUTS}
    if name is not None and name not in named:
        raise UsageError(f"There is no layout {name!r}; known are {', '.join(named)}.")
    for layout in LAYOUTS if name is None else (named[name],):
        if layout.find(data) is not None:
            return layout
    described = "; ".join(f"{layout.name}: {layout.looks_like}" for layout in LAYOUTS)
    wanted = "a layout that is known" if name is None else f"the layout {name}"
    raise InputError(
        f"{data} does not have {wanted}. Put images in images/ and masks in masks/. Known are {described}."
    )


def _only(table: pd.DataFrame, split: str, data: Path) -> pd.DataFrame:
    chosen = table[table["split"] == _SPLITS.get(split, split)].reset_index(drop=True)
    if chosen.empty:
        have = ", ".join(name or "none" for name in table["split"].unique())
        raise InputError(
            f"{data} has no split {split!r} (splits: {have}). Make one with: roadlift data prepare {data} OUT"
        )
    return chosen


def _row(
    split: str,
    name: str,
    image: Path | None,
    label: Path | None,
    gsd_m: float | None = None,
    nodata: float | None = None,
) -> dict[str, Any]:
    values = (_SPLITS.get(split, split), name, image, label, gsd_m, nodata)
    return dict(zip(COLUMNS, values, strict=True))


def _paired(
    split: str, images: Mapping[str, Path], labels: Mapping[str, Path], **known: float | None
) -> Rows:
    """Return a row for every name that has an image or a label."""
    return [
        _row(split, name, images.get(name), labels.get(name), **known) for name in sorted({*images, *labels})
    ]


def _by_stem(files: Iterable[Path], ending: str = "") -> dict[str, Path]:
    """Return files by their name without suffix and ``ending``."""
    found: dict[str, Path] = {}
    for path in sorted(files):
        stem = _stem(path).removesuffix(ending)
        if stem in found:
            raise InputError(f"{found[stem]} and {path} have the same name {stem!r}; keep one of them.")
        found[stem] = path
    return found


def _stem(path: Path) -> str:
    suffix = next((end for end in LINE_SUFFIXES if path.name.lower().endswith(end)), path.suffix)
    return path.name[: len(path.name) - len(suffix)]


def _images_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]


def _roads_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if is_line_file(path) and path.is_file()]


def _subfolder(folder: Path, names: Iterable[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _places(data: Path, images: Iterable[str]) -> dict[str, Path]:
    """Return the folders that hold a folder of images: the data's own, else those in it by the name of the split."""
    if _subfolder(data, images):
        return {"": data}
    return {path.name: path for path in sorted(data.iterdir()) if path.is_dir() and _subfolder(path, images)}


def _folders(data: Path) -> Rows | None:
    """Images in ``images/``, labels of the same stem in ``masks/`` or ``labels/``, or one file of roads for all."""
    places = _places(data, _IMAGES)
    rows: Rows = []
    for split, place in places.items():
        folder, labels = _subfolder(place, _IMAGES), _subfolder(place, _LABELS)
        images = _by_stem(_images_in(folder)) if folder else {}
        if labels:
            rows += _paired(split, images, _by_stem([*_images_in(labels), *_roads_in(labels)]))
        elif roads := _shared_roads(place) or _shared_roads(data):
            rows += _paired(split, images, dict.fromkeys(images, roads))
        elif place == data:
            return None
        else:
            rows += _paired(split, images, {})
    return _with_manifest(rows, data) if places else None


def _shared_roads(folder: Path) -> Path | None:
    roads = sorted(_roads_in(folder))
    if len(roads) > 1:
        names = ", ".join(path.name for path in roads)
        raise InputError(
            f"{folder} holds several files of roads: {names}. Keep one, or name it with --roads."
        )
    return roads[0] if roads else None


def _with_manifest(rows: Rows, data: Path) -> Rows:
    """Fill in what ``manifest.csv`` in the folder, or in the one above it, says of ``image`` and ``gsd_m``."""
    path = next((folder / MANIFEST for folder in (data, data.parent) if (folder / MANIFEST).is_file()), None)
    if path is None:
        return rows
    try:
        manifest = pd.read_csv(path)
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read as a table: {error}.") from error
    if not {"image", "gsd_m"} <= set(manifest.columns):
        return rows
    gsd = pd.to_numeric(manifest["gsd_m"], errors="coerce")
    known = {
        (path.parent / str(image)).resolve(): value
        for image, value in zip(manifest["image"], gsd, strict=True)
    }
    return [row | {"gsd_m": known.get(row["image"].resolve()) if row["image"] else None} for row in rows]


def _massachusetts(data: Path) -> Rows | None:
    """Return the official folders: ``{train,val,test}/{sat,map}``."""
    places = {
        split: place
        for split, place in _places(data, ("sat",)).items()
        if _subfolder(place, ("map",)) or split == "test"
    }
    rows: Rows = []
    for split, place in places.items():
        maps = place / "map"
        labels = _by_stem(_images_in(maps)) if maps.is_dir() else {}
        rows += _paired(split, _by_stem(_images_in(place / "sat")), labels, gsd_m=1.0)
    return rows or None


def _massachusetts_kaggle(data: Path) -> Rows | None:
    """Return the folders of the copy on Kaggle: ``tiff/train`` and ``tiff/train_labels``."""
    root = _subfolder(data, ("tiff", "png")) or data
    rows: Rows = []
    for labels in sorted(root.glob("*_labels")):
        images = root / labels.name.removesuffix("_labels")
        if images.is_dir() and labels.is_dir():
            rows += _paired(
                images.name, _by_stem(_images_in(images)), _by_stem(_images_in(labels)), gsd_m=1.0
            )
    return rows or None


def _deepglobe(data: Path) -> Rows | None:
    """``NNN_sat.jpg`` beside ``NNN_mask.png``, in the folder itself or in those of its splits."""
    places = {"": data, **{path.name: path for path in sorted(data.iterdir()) if path.is_dir()}}
    rows: Rows = []
    for split, place in places.items():
        files = _images_in(place)
        images = _by_stem([path for path in files if path.stem.endswith("_sat")], "_sat")
        masks = _by_stem([path for path in files if path.stem.endswith("_mask")], "_mask")
        if images:
            rows += _paired(split, images, masks, gsd_m=0.5)
    return rows or None


def _spacenet(data: Path) -> Rows | None:
    """SpaceNet 3 and 5: folders ``AOI_*`` with pan-sharpened RGB GeoTIFFs and GeoJSON centrelines. Black is no data."""
    images = _chips(data, _SPACENET_IMAGES, ".tif")
    if not images:
        return None
    roads = _chips(data, _SPACENET_ROADS, ".geojson")
    rows = []
    for chip in sorted({*images, *roads}):
        image = images.get(chip)
        test = image is not None and "_test_" in str(image.relative_to(data)) and chip not in roads
        rows.append(_row("test" if test else "train", "_".join(chip), image, roads.get(chip), nodata=0.0))
    return rows


def _chips(data: Path, folders: tuple[str, ...], suffix: str) -> dict[tuple[str, str], Path]:
    """Return files by place and chip, as ("AOI_2_Vegas", "img12")."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(data.rglob(f"*{suffix}")):
        match = _CHIP.search(path.stem)
        if path.parent.name not in folders or match is None:
            continue
        chip = match[1], match[2]
        if chip in found:
            raise InputError(
                f"{found[chip]} and {path} are the same chip {' '.join(chip)}; keep one of them."
            )
        found[chip] = path
    return found


def _vector(data: Path) -> Rows | None:
    """Images and one file of roads, side by side."""
    roads, images = sorted(_roads_in(data)), _images_in(data)
    if not images or len(roads) != 1:
        return None
    return _paired("", _by_stem(images), dict.fromkeys(_by_stem(images), roads[0]))


def _with_roads(data: Path, roads: Path) -> Rows:
    """Return the images of a folder or one image, all with the same file of roads."""
    if not is_line_file(roads):
        raise InputError(f"{roads} is not a file of roads; those end in {', '.join(LINE_SUFFIXES)}.")
    if data.is_file():
        return [_row("", data.stem, data, roads)]
    if not data.is_dir():
        raise InputError(f"{data} does not exist; give an image or a folder of images.")
    rows: Rows = []
    for split, place in (_places(data, _IMAGES) or {"": data}).items():
        images = _by_stem(_images_in(_subfolder(place, _IMAGES) or place))
        rows += _paired(split, images, dict.fromkeys(images, roads))
    return rows


LAYOUTS = (
    Layout("massachusetts", "{train,val,test}/{sat,map}", _massachusetts),
    Layout("massachusetts-kaggle", "tiff/train and tiff/train_labels", _massachusetts_kaggle),
    Layout(
        "folders",
        "images/ and masks/ or labels/ of the same stems, or one file of roads beside images/",
        _folders,
    ),
    Layout("deepglobe", "NNN_sat.jpg and NNN_mask.png", _deepglobe),
    Layout("vector", "images and one file of roads in one folder", _vector),
    Layout("spacenet", "AOI_*/PS-RGB/*.tif and AOI_*/geojson_roads/*.geojson", _spacenet),
)
