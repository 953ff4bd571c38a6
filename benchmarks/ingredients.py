"""What each ingredient of training is worth: short runs that differ in one option, judged on the development images.

Every run is scored at home (``dev``) and on ``dev`` recoloured and enlarged as :mod:`benchmarks.fine_tune` does it, which
stands for imagery of another kind. Three runs that differ in the seed alone tell how much is chance. Runs are folders: what
is finished is not trained again, what was stopped goes on.

python -m benchmarks.ingredients ../shared/data/massachusetts runs/ingredients --steps 300
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from roadlift.train.data import Sample
    from roadlift.train.options import TrainOptions

COMMON: dict[str, Any] = {
    "batch_size": 8,
    "crop": 256,
    "warmup_steps": 50,
    "average_steps": 100,
    "scale_octaves": 0.5,
    "scenes": 60,
    "scene_share": 0.08,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "all as it is": {},
    "the same, seed 1": {"seed": 1},
    "encoder: random weights": {"start": "random"},
    "`unet` of width 16": {"architecture": "unet"},
    "encoder: Lite0 to stride 16": {"architecture": "lite0-unet-os16"},
    "augmentation: no light": {"light_share": 0.0},
    "augmentation: no scale": {"scale_octaves": 0.0},
    "loss: cross-entropy alone": {"dice_weight": 0.0},
    "scenes: none": {"scenes": 0},
    "encoder: Lite2": {"architecture": "lite2-unet"},
    "crop: 512, batch 2": {"crop": 512, "batch_size": 2},
    "crop: 128, batch 32": {"crop": 128, "batch_size": 32},
    "augmentation: scale from half to double": {"scale_octaves": 1.0},
    "labels: rim of 1 px ignored": {"ignore_rim": 1},
    "labels: half a teacher's opinion": {"teacher": "roadlift-1m"},
    "averaging: none": {"average_steps": 1},
    "loss: focal, gamma 2": {"focal_gamma": 2.0},
    "loss: centreline Dice from 70 %": {"cldice_weight": 0.3},
    "loss: Dice .8": {"dice_weight": 0.8},
    "scenes: a quarter of the crops": {"scene_share": 0.25},
    "the same, seed 2": {"seed": 2},
}


def train_all(data: Path, runs: Path, names: Sequence[str], steps: int) -> None:
    """Train each variant into its folder, in a process of its own, which gives all its memory back."""
    for name in names:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            alone.submit(_train, data, _folder(runs, name), VARIANTS[name], steps).result()


def _train(data: Path, run: Path, variant: dict[str, Any], steps: int) -> None:
    """Train a variant, unless it stands there already."""
    from roadlift.train.fit import train
    from roadlift.train.options import TrainOptions

    if not (run / "weights" / "last.npz").exists():
        train(data, run, TrainOptions(**COMMON | variant, steps=steps, evaluate_every=steps))
    elif _done(run) < steps:
        train(data, run, resume=True)


def table(data: Path, runs: Path, names: Sequence[str]) -> pd.DataFrame:
    """Return a row a variant: IoU and average precision at home, and on images unlike those trained on."""
    from benchmarks.fine_tune import make_set
    from roadlift.train.data import read_samples

    with tempfile.TemporaryDirectory() as name:
        make_set(data, Path(name))
        home, unlike = read_samples(data, "dev"), read_samples(Path(name) / "rest")
        rows = {each: _scores(_folder(runs, each), home, unlike) for each in names}
    return pd.DataFrame.from_dict(rows, orient="index").round(3)


def _scores(run: Path, home: Sequence[Sample], unlike: Sequence[Sample]) -> dict[str, float]:
    from roadlift.train.run import RunFolder
    from roadlift.train.score import histogram_of, predict_sample
    from roadlift.train.trainer import build

    folder = RunFolder(run)
    options = folder.options()
    network = build(options, pretrained=False)
    network.set_weights(folder.load().average)
    seen = {
        place: histogram_of(
            [predict_sample(network, each, stride=_stride(options)) for each in samples], samples
        )
        for place, samples in (("home", home), ("unlike", unlike))
    }
    iou, threshold = seen["home"].best_iou()
    return {
        "dev IoU": iou,
        "dev AP": seen["home"].average_precision(),
        "unlike IoU": seen["unlike"].confusion(threshold).iou,
        "unlike AP": seen["unlike"].average_precision(),
        "minutes": folder.load().minutes,
    }


def _stride(options: TrainOptions) -> int:
    from roadlift.train.architectures import architecture

    return architecture(options.architecture).stride


def _folder(runs: Path, name: str) -> Path:
    return runs / "".join(letter if letter.isalnum() else "_" for letter in name)


def _done(run: Path) -> int:
    from roadlift.train.run import RunFolder

    return RunFolder(run).load().step


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument(
        "--only", action="append", choices=list(VARIANTS), help="This variant; may be repeated."
    )
    arguments = parser.parse_args()
    chosen = arguments.only or list(VARIANTS)
    train_all(arguments.data, arguments.runs, chosen, arguments.steps)
    print(table(arguments.data, arguments.runs, chosen).to_string())
