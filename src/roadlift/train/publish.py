"""A finished run becomes a model to ship: measured on images it was not trained on, with its card, as ONNX.

Everything is measured on the exported files through :mod:`roadlift.model`, so the card says what users get.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from roadlift.errors import ModelError
from roadlift.imagery import Pixels, Stretch
from roadlift.model import INT8_SUFFIX, Model, ModelCard, load_model, read_card
from roadlift.scene import render
from roadlift.train.architectures import architecture
from roadlift.train.data import IGNORE, Sample, read_samples
from roadlift.train.export import export_again, export_onnx, save_with_card
from roadlift.train.field import receptive_radius
from roadlift.train.halo import choose_halo, measure_halos
from roadlift.train.judge import (
    TruthNetwork,
    choose_thresholds,
    confusions,
    network_scores,
    pixel_scores,
    predict_samples,
    road_pixels,
    true_networks,
)
from roadlift.train.options import TrainOptions
from roadlift.train.pictures import draw_worst_and_typical
from roadlift.train.quantise import calibration_crops, quantise
from roadlift.train.run import RunFolder
from roadlift.train.trainer import build

_FLAGS = {"start": "from"}
MAX_INT8_LOSS = 0.005
"""How much IoU int8 may lose on the development images."""
HALO_STEP = 32
"""Margins are tried in steps of so many pixels."""
HALO_IMAGES = 4
HALO_CORE = 512
_HALO_SCENE = 4
_MOSTLY_VALID = 0.98


@dataclass(frozen=True)
class Texts:
    """What a card says that cannot be measured; None keeps what the card of an exported file says."""

    description: str | None = None
    credit: str | None = None
    licence: str | None = None
    version: str | None = None
    weaknesses: tuple[str, ...] | None = None
    making: str | None = None

    def given(self) -> dict[str, Any]:
        """Return the texts that are fields of a card and are given."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        values.pop("making", None)
        return values

    def with_making(self, training: dict[str, Any]) -> dict[str, Any]:
        """Return what a card says of the training, with the words on its making if they are given."""
        return training if self.making is None else training | {"making": self.making}


def publish(
    source: str | Path,
    data: str | Path,
    output: str | Path,
    *,
    texts: Texts | None = None,
    int8: bool = True,
    pictures: str | Path | None = None,
    elsewhere: Mapping[str, Sequence[Sample]] | None = None,
    ground_resolution_m: float = 1.0,
) -> ModelCard:
    """Choose thresholds and halos, score, and export the best weights of a run in float and in int8.

    Thresholds are chosen on the development images; int8 takes its ranges from the training images, and the default
    margin is measured on them, in int8 where there is an int8 file; the exact margin follows from the graph.
    ``elsewhere`` is only scored. Either both files are written or, where something is wrong, none.

    Args:
        source: Folder of a run, or an ``.onnx`` float file with a card, to be measured and quantised anew.
        data: Labelled images that the run was trained on, with their ``train`` and ``dev`` parts.
        output: ``.onnx`` file to write; its stem becomes the model's name, and the int8 file is called
            ``NAME-int8.onnx`` beside it.
        texts: What the card says that cannot be measured.
        int8: Also write the int8 file.
        pictures: Folder for sheets of the worst and of typical images of each set.
        elsewhere: Further labelled images by name.
        ground_resolution_m: Metres per pixel of the training images.

    Returns:
        The card of the float file, digest included.

    Raises:
        ModelError: int8 loses more than half an IoU point on the development images, the files disagree, or the network
            sees the whole image, so that no margin is exact.
        InputError: Run or data cannot be read.
    """
    output = Path(output)
    sets = {"dev": read_samples(data, "dev"), **(elsewhere or {})}
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        file = Path(folder) / output.name
        _write_float(source, data, file, texts or Texts(), ground_resolution_m)
        judge = _Judge(sets, ground_resolution_m)
        card = _fit_thresholds(load_model(file, precision="f32"), sets["dev"])
        scores = judge.scores(file, card, precision="f32")
        twin = file.with_stem(file.stem + INT8_SUFFIX)
        train = read_samples(data, "train")
        if int8:
            crops = calibration_crops(train, stride=card.stride)
            save_with_card(quantise(onnx.load(file), crops), card, twin)
            scores["int8"] = judge.scores(twin, card, precision="int8")
            check_int8(scores["dev"]["iou"], scores["int8"]["dev"]["iou"])
        card, scores["halo"] = _fit_halos(twin if int8 else file, card, train)
        card = replace(card, scores=scores)
        written = [
            save_with_card(onnx.load(each), card, each) for each in ((file, twin) if int8 else (file,))
        ]
        for each in (file, twin) if int8 else (file,):
            each.replace(output.with_name(each.name))
        if pictures is not None:
            judge.draw(load_model(output), Path(pictures))
    return written[0]


def check_int8(iou: float, int8_iou: float) -> None:
    """Hold the int8 network against the float one.

    Raises:
        ModelError: It loses more than half an IoU point.
    """
    if not int8_iou >= iou - MAX_INT8_LOSS:
        raise ModelError(
            f"The int8 network has a dev IoU of {int8_iou:.4f}, the float one {iou:.4f}; at most {MAX_INT8_LOSS} may be "
            "lost. Nothing is written; export the float file alone with --no-int8."
        )


def command_of(options: TrainOptions, data: str | Path) -> str:
    """Return the command that trains with ``options``.

    Example:
        >>> command_of(TrainOptions(steps=1000), "data")
        'roadlift train data --run RUN --steps 1000'
    """
    defaults = asdict(TrainOptions())
    changed = {name: value for name, value in asdict(options).items() if value != defaults[name]}
    flags = [f" --{_FLAGS.get(name, name.replace('_', '-'))} {value}" for name, value in changed.items()]
    return f"roadlift train {data} --run RUN" + "".join(flags)


def _write_float(
    source: str | Path, data: str | Path, file: Path, texts: Texts, ground_resolution_m: float
) -> None:
    """Write the float file with a card whose thresholds and halos are still to be measured."""
    if Path(source).suffix == ".onnx":
        card = read_card(source)
        changed = replace(card, name=file.stem, training=texts.with_making(card.training), **texts.given())
        export_again(Path(source), changed, file)
        return
    folder = RunFolder(Path(source))
    options = folder.options()
    model = build(options, pretrained=False)
    model.load_weights(folder.best)
    words = {"description": "", "credit": "", "licence": "Apache-2.0", "version": "1", **texts.given()}
    training = {
        "command": command_of(options, data),
        "options": asdict(options),
        "minutes": round(folder.load().minutes, 1),
    }
    card = ModelCard(
        name=file.stem,
        architecture=options.architecture,
        ground_resolution_m=ground_resolution_m,
        stride=architecture(options.architecture).stride,
        halo=0,
        exact_halo=0,
        threshold=0.5,
        threshold_low=0.5,
        training=texts.with_making(training),
        sha256="0" * 64,
        **words,
    )
    export_onnx(model, card, file)


def _fit_thresholds(model: Model, dev: Sequence[Sample]) -> ModelCard:
    """Return the model's card with the thresholds that suit the development images."""
    high, low = choose_thresholds(predict_samples(model, dev), dev)
    return replace(model.card, threshold=high, threshold_low=low)


@dataclass
class _Judge:
    """Scores files on named sets; the true networks are traced once."""

    sets: Mapping[str, Sequence[Sample]]
    ground_resolution_m: float

    def __post_init__(self) -> None:
        self.truths: dict[str, list[TruthNetwork | None]] = {
            name: true_networks(samples, ground_resolution_m=self.ground_resolution_m)
            for name, samples in self.sets.items()
        }

    def scores(self, file: Path, card: ModelCard, *, precision: str) -> dict[str, Any]:
        """Return the scores of one file by set, at the thresholds of ``card``."""
        model = load_model(file, precision=precision)
        at = {"high": card.threshold, "low": card.threshold_low}
        found = {}
        for name, samples in self.sets.items():
            probabilities = predict_samples(model, samples)
            found[name] = pixel_scores(probabilities, samples, **at) | network_scores(
                probabilities, self.truths[name], ground_resolution_m=self.ground_resolution_m, **at
            )
        return found

    def draw(self, model: Model, folder: Path) -> None:
        """Draw the worst and typical images of each set at the thresholds of the model's card."""
        at = {"high": model.card.threshold, "low": model.card.threshold_low}
        for name, samples in self.sets.items():
            probabilities = predict_samples(model, samples)
            masks = [road_pixels(probability, **at) for probability in probabilities]
            ious = [counts.iou for counts in confusions(probabilities, samples, **at)]
            draw_worst_and_typical(masks, samples, ious, folder / name)


def _fit_halos(
    file: Path, card: ModelCard, train: Sequence[Sample]
) -> tuple[ModelCard, list[dict[str, float]]]:
    """Return the card with its halos, and what narrower ones would change."""
    step = -(-HALO_STEP // card.stride) * card.stride
    exact = -(-receptive_radius(onnx.load(file)) // card.stride) * card.stride
    model = load_model(file)
    errors = measure_halos(
        lambda tile: model.predict(tile[None])[0],
        _large_images(train, HALO_CORE + 2 * exact),
        [*range(step, exact, step), exact],
        stride=card.stride,
        threshold=card.threshold,
        core=HALO_CORE,
    )
    return replace(card, halo=choose_halo(errors), exact_halo=exact), [asdict(error) for error in errors]


def _large_images(samples: Sequence[Sample], side: int) -> list[np.ndarray]:
    """Return some images with all sides that long and hardly a pixel without data; a rendered scene where there are none."""
    found = [
        sample.image
        for sample in samples
        if min(sample.label.shape) >= side and (sample.label != IGNORE).mean() > _MOSTLY_VALID
    ]
    if found:
        return found[:HALO_IMAGES]
    pixels = np.moveaxis(render(_HALO_SCENE, shape=(side, side)).image, 2, 0)
    everywhere = Pixels(pixels, np.ones((side, side), bool))
    return [Stretch.fit(everywhere).apply(everywhere)]
