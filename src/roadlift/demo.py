"""The demonstration: a rendered scene with known truth, extracted, scored and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roadlift.errors import InputError
from roadlift.evaluate import Confusion
from roadlift.imagery import NO_DATA, read_probability
from roadlift.model import DEFAULT_MODEL
from roadlift.pipeline import ExtractOptions, extract
from roadlift.report.figures import compare_lines, panels
from roadlift.scene import render

_SHAPE = (1024, 1024)
_TOLERANCE_M = 5.0
_LABEL_WIDTH_M = 7.0


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration found, and where its files lie.

    Attributes:
        folder: Where everything lies.
        length_km: Length of the roads found.
        true_length_km: Length of the roads there are.
        correctness: Share of the found length within 5 m of a true road.
        completeness: Share of the true length within 5 m of a found road.
        iou: Intersection over union of found and true mask, roads drawn 7 m wide as in the training labels.
        seconds: Time of the extraction.
    """

    folder: Path
    length_km: float
    true_length_km: float
    correctness: float
    completeness: float
    iou: float
    seconds: float

    def render(self) -> str:
        """Return the result as text for a terminal."""
        files = {
            "demo.png": "the picture: image, probability, network, comparison with the truth",
            "roads.gpkg": "the road network; open it in QGIS over scene.tif",
            "probability.tif": "the road probability",
            "scene.tif": "the rendered image",
            "scene_roads.gpkg": "its true roads",
        }
        return "\n".join(
            [
                f"A rendered scene with {self.true_length_km:.2f} km of road; {self.length_km:.2f} km found "
                f"in {self.seconds:.1f} s:",
                f"  {self.correctness:.0%} of what was found is right, {self.completeness:.0%} of what there is was found "
                f"(within {_TOLERANCE_M:g} m); mask IoU {self.iou:.2f}.",
                f"Look at {self.folder.resolve()}:",
                *(f"  {name:<16} {what}" for name, what in files.items()),
                "Next, your own image:  roadlift extract IMAGE OUT.gpkg",
            ]
        )


def run_demo(folder: str | Path = "demo", *, seed: int = 7, model: str = DEFAULT_MODEL) -> DemoResult:
    """Render a scene, extract it with ``model``, score it against the truth and draw all of it.

    Args:
        folder: Where the files go; created, earlier files of the demonstration are replaced.
        seed: Which scene to render.
        model: Built-in name or ``.onnx`` file.

    Returns:
        Figures and folder.

    Raises:
        InputError: ``folder`` is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder for the demonstration's files.")
    folder.mkdir(parents=True, exist_ok=True)
    scene = render(seed, shape=_SHAPE)
    image, _, _ = scene.save(folder, "scene", overwrite=True)
    roads = extract(
        image,
        ExtractOptions(model=model),
        save_probability=folder / "probability.tif",
        save_mask=folder / "mask.tif",
        overwrite=True,
    )
    roads.save(folder / "roads.gpkg", overwrite=True)
    probability, _ = read_probability(folder / "probability.tif")
    mask, _ = read_probability(folder / "mask.tif")
    truth = scene.roads()
    right, missed, false = compare_lines(list(roads.edges.geometry), list(truth.geometry), _TOLERANCE_M)
    counts = Confusion.of(mask > 0, scene.label(width_m=_LABEL_WIDTH_M) > 0, valid=mask != NO_DATA)
    result = DemoResult(
        folder=folder,
        length_km=roads.length_km,
        true_length_km=float(truth.length.sum()) / 1000,
        correctness=_share(right, false),
        completeness=1 - _length(missed) / float(truth.length.sum()),
        iou=counts.iou,
        seconds=float(roads.provenance["seconds"]),
    )
    figures = {
        "roads found": f"{result.length_km:.2f} km of {result.true_length_km:.2f} km",
        "right": f"{result.correctness:.0%}",
        "found": f"{result.completeness:.0%}",
        "IoU": f"{result.iou:.2f}",
    }
    panels(scene.image, probability, roads, truth, folder / "demo.png", georef=scene.georef, figures=figures)
    return result


def _length(lines: list[object]) -> float:
    return float(np.sum([line.length for line in lines]))  # type: ignore[attr-defined]


def _share(part: list[object], rest: list[object]) -> float:
    whole = _length(part) + _length(rest)
    return _length(part) / whole if whole else float("nan")
