"""A finished run becomes a model to ship: measured on images it was not trained on, with its card, as ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from roadlift.evaluate.pixels import Confusion, ProbabilityHistogram
from roadlift.imagery import Pixels, Stretch
from roadlift.model import ModelCard
from roadlift.network import NetworkOptions, road_mask
from roadlift.scene import render
from roadlift.train.architectures import architecture
from roadlift.train.data import IGNORE, Sample, read_samples
from roadlift.train.export import export_onnx
from roadlift.train.halo import choose_halos, measure_halo
from roadlift.train.options import TrainOptions
from roadlift.train.run import RunFolder
from roadlift.train.score import predict_sample
from roadlift.train.trainer import build

THRESHOLDS = tuple(round(0.1 + 0.05 * step, 2) for step in range(13))
_HALO_SCENE = 4
LOW_SHARES = (0.4, 0.6, 0.8, 1.0)
HALOS = (64, 96, 128, 160, 192, 224, 256, 320, 384, 448)


def publish(
    run: str | Path,
    data: str | Path,
    output: str | Path,
    *,
    description: str,
    credit: str,
    licence: str = "Apache-2.0",
    version: str = "1",
    elsewhere: Mapping[str, Sequence[Sample]] | None = None,
    ground_resolution_m: float = 1.0,
    halos: Sequence[int] = HALOS,
    core: int = 512,
) -> ModelCard:
    """Choose thresholds and halos, score, and export the best weights of a run.

    Thresholds are chosen on ``data/dev``; ``elsewhere`` is only scored.

    Args:
        run: Folder of the run.
        data: Folder that the run was trained on.
        output: ``.onnx`` file to write; its stem becomes the model's name.
        description: One or two sentences for people.
        credit: Whom to credit.
        licence: SPDX expression.
        version: Version of the model.
        elsewhere: Further labelled images by name.
        ground_resolution_m: Metres per pixel of the training images.
        halos: Margins to try, in pixels; those that do not fit stride and image are left out.
        core: Side of the tile that they are tried on.

    Returns:
        The card, digest included.
    """
    folder = RunFolder(Path(run))
    options = folder.options()
    stride = architecture(options.architecture).stride
    model = build(options, pretrained=False)
    model.load_weights(folder.best)
    dev = read_samples(data, "dev")
    probabilities = [predict_sample(model, sample, stride=stride) for sample in dev]
    high, low = choose_thresholds(probabilities, dev)
    halo, exact_halo, halo_table = _halos(model, halos, stride=stride, threshold=high, core=core)
    scores = {"dev": score(probabilities, dev, high=high, low=low)}
    for name, samples in (elsewhere or {}).items():
        found = [predict_sample(model, sample, stride=stride) for sample in samples]
        scores[name] = score(found, samples, high=high, low=low)
    card = ModelCard(
        name=Path(output).stem,
        version=version,
        architecture=options.architecture,
        description=description,
        ground_resolution_m=ground_resolution_m,
        stride=stride,
        halo=halo,
        exact_halo=exact_halo,
        threshold=high,
        threshold_low=low,
        scores={**scores, "halo": halo_table},
        training={
            "command": command_of(options, data),
            "options": asdict(options),
            "minutes": round(folder.load().minutes, 1),
        },
        licence=licence,
        credit=credit,
        sha256="0" * 64,
    )
    return export_onnx(model, card, output)


def command_of(options: TrainOptions, data: str | Path) -> str:
    """Return the command that trains with ``options``.

    Example:
        >>> command_of(TrainOptions(steps=1000), "data")
        'roadlift train data --run RUN --steps 1000'
    """
    defaults = asdict(TrainOptions())
    changed = {name: value for name, value in asdict(options).items() if value != defaults[name]}
    flags = [f" --{name.replace('_', '-')} {value}" for name, value in changed.items()]
    return f"roadlift train {data} --run RUN" + "".join(flags)


def choose_thresholds(probabilities: Sequence[np.ndarray], samples: Sequence[Sample]) -> tuple[float, float]:
    """Return the pair of hysteresis thresholds (high, low) with the best micro IoU.

    Args:
        probabilities: uint8 (rows, cols), 0..254, of each sample.
        samples: The labelled images.
    """
    pairs = [(high, round(high * share, 3)) for high in THRESHOLDS for share in LOW_SHARES]
    return max(pairs, key=lambda pair: _confusion(probabilities, samples, *pair).iou)


def score(
    probabilities: Sequence[np.ndarray], samples: Sequence[Sample], *, high: float, low: float
) -> dict[str, Any]:
    """Return the scores of a model card: at the card's thresholds, and what a better threshold would have given."""
    counts = _confusion(probabilities, samples, high, low)
    histogram = ProbabilityHistogram.empty()
    for probability, sample in zip(probabilities, samples, strict=True):
        histogram = histogram + ProbabilityHistogram.of(
            probability, sample.label == 1, valid=sample.label != IGNORE
        )
    best, threshold = histogram.best_iou()
    values = {
        "iou": counts.iou,
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "average_precision": histogram.average_precision(),
        "best_iou": best,
        "best_threshold": threshold,
    }
    return {"images": len(samples), **{name: round(value, 4) for name, value in values.items()}}


def _confusion(
    probabilities: Sequence[np.ndarray], samples: Sequence[Sample], high: float, low: float
) -> Confusion:
    total = Confusion()
    for probability, sample in zip(probabilities, samples, strict=True):
        mask = _mask(probability, high=high, low=low)
        total = total + Confusion.of(mask, sample.label == 1, valid=sample.label != IGNORE)
    return total


def _mask(probability: np.ndarray, *, high: float, low: float) -> np.ndarray:
    """Return the mask that extract begins with, before it drops specks and fills holes."""
    options = NetworkOptions(threshold=high, threshold_low=low, min_object_m2=0, max_hole_m2=0)
    return road_mask(probability, ground_resolution_m=1.0, options=options)


def _halos(
    model: keras.Model, halos: Sequence[int], *, stride: int, threshold: float, core: int
) -> tuple[int, int, list[dict[str, float]]]:
    """Measure on a rendered scene: this is about tiling, not about accuracy, and real images may be too small."""
    fitting = [halo for halo in halos if halo % stride == 0]
    side = core + 2 * max(fitting)
    pixels = np.moveaxis(render(_HALO_SCENE, shape=(side, side)).image, 2, 0)
    everywhere = Pixels(pixels, np.ones((side, side), bool))
    image = Stretch.fit(everywhere).apply(everywhere)

    def predict(tile: np.ndarray) -> np.ndarray:
        return predict_sample(model, Sample("halo", tile, np.zeros(tile.shape[:2], np.uint8)), stride=stride)

    errors = measure_halo(predict, image, fitting, stride=stride, threshold=threshold, core=core)
    return *choose_halos(errors), [asdict(error) for error in errors]
