"""Predictions against truths: the table of all scores, per image and in total, and what it says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from roadlift.errors import InputError, UsageError
from roadlift.evaluate.causes import Causes
from roadlift.evaluate.metrics import METRICS, Metric, Scores
from roadlift.evaluate.pairs import RASTER_SUFFIXES, VECTOR_SUFFIXES, WIDTH_M, load_pair
from roadlift.export import replacing
from roadlift.network.pictures import draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Progress = Callable[[int, int], None]

RESAMPLES = 1000
_SEED = 0
_LOW, _HIGH = 2.5, 97.5
_ROLE_ENDINGS = ("_prob", "_mask", "_roads", "_sat", "_map", "_gt", "_truth", "_labels", "_label", "_pred")


@dataclass(frozen=True)
class PairSource:
    """Where a pair comes from.

    Attributes:
        name: What tables call it.
        prediction: As for `evaluate`.
        truth: As for `evaluate`.
        image: As for `evaluate`.
    """

    name: str
    prediction: Any
    truth: Any
    image: Any = None


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """All scores of a set of images.

    A score of the total is an attribute too, and ``apls`` is short for ``apls_spacenet``.

    Attributes:
        names: What tables call the images.
        scores: All scores of each image.
        sources: Where each pair came from.
        options: Threshold and other options, as given.
        notes: What was assumed, in words.

    Example:
        >>> truth = np.zeros((200, 300), bool)
        >>> truth[96:103] = True
        >>> result = evaluate(np.roll(truth, 2, axis=0), truth)
        >>> round(result.iou, 3), result.relaxed_recall, round(result.apls, 3)
        (0.556, 1.0, 1.0)
    """

    names: tuple[str, ...]
    scores: tuple[Scores, ...]
    sources: tuple[PairSource, ...]
    options: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> float:
        name = "apls_spacenet" if name == "apls" else name
        if name.startswith("_") or name not in {metric.name for metric in METRICS}:
            raise AttributeError(f"an Evaluation has no {name!r}")
        return float(self.total["value"].to_dict()[name])

    def __repr__(self) -> str:
        return (
            f"Evaluation({len(self.names)} images, IoU {self.iou:.3f}, APLS {self.apls:.3f}, "
            f"TOPO F1 {self.topo_f1:.3f})"
        )

    @cached_property
    def images(self) -> pd.DataFrame:
        """One row per image and one column per score; undefined is NaN, and ``reasons`` says why."""
        rows = {metric.name: metric.value(self._parts(metric)) for metric in METRICS}
        table = pd.DataFrame(rows, index=pd.Index(self.names, name="image"))
        return table.assign(reasons=["; ".join(scores.reasons) for scores in self.scores])

    @cached_property
    def total(self) -> pd.DataFrame:
        """One row per score: ``value`` of the set, ``low`` and ``high`` of the 95 % interval, ``images`` that have it.

        Pixel, relaxed, centreline and network scores are of the summed counts (micro), clDice, graph scores, offset and
        widths are means over the images where they are defined. The interval is the bootstrap over images (1000 resamples of
        the images, percentiles); NaN with fewer than two images.
        """
        count = len(self.scores)
        draws = np.random.default_rng(_SEED).multinomial(count, np.full(count, 1 / count), RESAMPLES)
        rows = []
        for metric in METRICS:
            parts = self._parts(metric)
            low, high = _interval(metric.value(draws @ parts)) if count > 1 else (np.nan, np.nan)
            value = float(metric.value(parts.sum(axis=0, keepdims=True))[0])
            known = int(np.isfinite(metric.value(parts)).sum())
            rows.append((metric.name, metric.group, metric.better, value, low, high, known))
        columns = ["score", "group", "better", "value", "low", "high", "images"]
        return pd.DataFrame(rows, columns=columns).set_index("score")

    @property
    def causes(self) -> Causes:
        """What costs the score, summed over the images."""
        return reduce(add, (scores.causes for scores in self.scores), Causes())

    def explain(self) -> str:
        """Say in words what costs the score, each sentence with its number."""
        return "\n".join(self.causes.words()) or "Nothing costs the score."

    def worst(self, count: int) -> list[int]:
        """Return the numbers of the images that lower the IoU of the set most: by their wrong pixels."""
        wrong = [s.confusion.false_positive + s.confusion.false_negative for s in self.scores]
        return sorted(range(len(wrong)), key=lambda index: -wrong[index])[:count]

    def render(self) -> str:
        """Return the table of the total as text."""
        lines = []
        for group, rows in self.total.groupby("group", sort=False):
            lines.append(str(group))
            for name, row in rows.iterrows():
                interval = f"{row['low']:.3f} .. {row['high']:.3f}" if np.isfinite(row["low"]) else ""
                value = f"{row['value']:.3f}" if np.isfinite(row["value"]) else "-"
                lines.append(f"  {name:<24}{value:>8}   {interval:<18}{row['images']:>5}")
        head = f"{'score':<26}{'value':>8}   {'95 % interval':<18}{'images':>5}"
        reasons = sorted({reason for scores in self.scores for reason in scores.reasons})
        return "\n".join([head, *lines, *(f"note: {note}" for note in (*self.notes, *reasons))])

    def plot(self, ax: Any = None, *, label: str | None = None) -> Any:
        """Draw the scores with their intervals; see `roadlift.report.plots.plot_scores`.

        Args:
            ax: matplotlib axes to draw on, also those of another evaluation; None: new ones.
            label: Name of this evaluation where several are compared.

        Returns:
            The axes.
        """
        return draw("plot_scores", self, ax, label=label)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that fit into JSON; undefined is None."""
        return {
            "options": dict(self.options),
            "total": _plain(self.total.reset_index()),
            "images": _plain(self.images.reset_index()),
            "causes": {name: _number(value) for name, value in vars(self.causes).items()},
            "explanation": self.causes.words(),
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_csv(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write one row per image and a last one, ``(total)``, with the scores of the set.

        Raises:
            OutputError: The file exists, or cannot be written.
        """
        total = self.total["value"].to_frame("(total)").T.rename_axis("image")
        table = pd.concat([self.images, total])
        with replacing(Path(path), overwrite=overwrite) as temporary:
            table.to_csv(temporary)

    def _parts(self, metric: Metric) -> Floats:
        return np.array([metric.parts(scores) for scores in self.scores], np.float64)


def evaluate(
    prediction: Any,
    truth: Any,
    *,
    images: Any = None,
    threshold: float = 0.5,
    gsd: float | None = None,
    width_m: float = WIDTH_M,
    progress: Progress | None = None,
) -> Evaluation:
    """Score predictions against truths with every road metric.

    Args:
        prediction: A probability or mask (file or array), roads (file, RoadMap, GeoDataFrame, NetworkX graph), a folder of
            such files, or a list of any of these.
        truth: The same; folders pair by the stems of their files, lists by order. A prediction may be a raster and its truth
            vector, or the other way round.
        images: The images, in the same way; their no-data and blank areas are left out.
        threshold: Probability from which a pixel is road.
        gsd: Metres per pixel of what has no CRS; None: 1.
        width_m: Width of roads that do not say theirs, where they are drawn as bands.
        progress: Called with the images done and all.

    Returns:
        The scores, per image and in total; see docs/metrics.md for what each means.

    Raises:
        InputError: Something cannot be read or brought onto one grid, or files have no partner.
        LimitError: A network is too large.
        UsageError: An option is out of its range.

    Example:
        >>> truth = np.zeros((200, 300), bool)
        >>> truth[96:103] = True
        >>> evaluate(truth, truth).iou
        1.0
    """
    sources = pair_up(prediction, truth, images)
    scores: list[Scores] = []
    notes = _without_prediction(truth, sources)
    for number, source in enumerate(sources, start=1):
        pair = load_pair(
            source.prediction,
            source.truth,
            image=source.image,
            name=source.name,
            threshold=threshold,
            gsd=gsd,
            width_m=width_m,
        )
        scores.append(Scores.of(pair))
        notes += pair.notes
        if progress is not None:
            progress(number, len(sources))
    options = {"threshold": threshold, "gsd": gsd, "width_m": width_m}
    names = tuple(source.name for source in sources)
    return Evaluation(names, tuple(scores), tuple(sources), options, tuple(dict.fromkeys(notes)))


def pair_up(prediction: Any, truth: Any, images: Any = None) -> list[PairSource]:
    """Bring predictions, truths and images together: single ones, lists by order, folders by stem.

    Of stems endings such as ``_prob``, ``_mask``, ``_roads``, ``_sat`` are left out.

    Raises:
        InputError: Files have no partner, a folder is empty, or lists differ in length.
        UsageError: A folder or list stands beside a single one.
    """
    sides = [prediction, truth] + ([] if images is None else [images])
    folders = [isinstance(side, str | PathLike) and Path(side).is_dir() for side in sides]
    if all(folders):
        return _paired_folders([Path(side) for side in sides])
    lists = [isinstance(side, list | tuple) for side in sides]
    if any(folders) or (any(lists) and not all(lists)):
        raise UsageError(
            "predictions, truths and images must all be folders, all be lists, or all be single."
        )
    if all(lists):
        lengths = [len(side) for side in sides]
        if len(set(lengths)) > 1 or not lengths[0]:
            raise InputError(
                f"the lists hold {', '.join(map(str, lengths))} entries; they must be as long, and not empty."
            )
        return [
            PairSource(_name(row[0], number), *row) for number, row in enumerate(zip(*sides, strict=True))
        ]
    return [PairSource(_name(sides[0], 0), *sides)]


def _without_prediction(truth: Any, sources: Sequence[PairSource]) -> list[str]:
    """Say which truths of a folder are not scored."""
    if not (isinstance(truth, str | PathLike) and Path(truth).is_dir()):
        return []
    missing = sorted(set(_files_by_stem(Path(truth))) - {source.name for source in sources})
    return [f"no prediction for {_listed(missing)}: not scored"] if missing else []


def _name(side: Any, number: int) -> str:
    return Path(side).stem if isinstance(side, str | PathLike) else f"image {number + 1}"


def _paired_folders(folders: Sequence[Path]) -> list[PairSource]:
    files = [_files_by_stem(folder) for folder in folders]
    stems = sorted(set(files[0]) & set(files[1]))
    if not stems:
        raise InputError(
            f"no file of {folders[0]} has the stem of one of {folders[1]}; pairs are found by stem."
        )
    for index, folder in enumerate(folders):
        wanted = set(files[0]) if index != 0 else set(stems)
        lonely = sorted(wanted - set(files[index]))
        if index and lonely:
            raise InputError(
                f"{folder} has nothing for {_listed(lonely)} of {folders[0]}; pairs are found by stem."
            )
    return [PairSource(stem, *(side[stem] for side in files)) for stem in stems]


def _files_by_stem(folder: Path) -> dict[str, Path]:
    known = (*RASTER_SUFFIXES, *VECTOR_SUFFIXES)
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.lower().endswith(known):
            stem = _stem(path)
            if stem in found:
                raise InputError(
                    f"{found[stem].name} and {path.name} in {folder} have the same stem; keep one of them."
                )
            found[stem] = path
    return found


def _stem(path: Path) -> str:
    stem = path.name.lower().removesuffix(".pbf")
    stem = path.name[: len(Path(stem).stem)]
    ending = next((end for end in _ROLE_ENDINGS if stem.lower().endswith(end)), "")
    return stem[: len(stem) - len(ending)] if len(stem) > len(ending) else stem


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _interval(values: Floats) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not known.size:
        return np.nan, np.nan
    low, high = np.percentile(known, [_LOW, _HIGH])
    return float(low), float(high)


def _number(value: float) -> float | int | None:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): _number(value) for key, value in row.items()} for row in table.to_dict("records")]
