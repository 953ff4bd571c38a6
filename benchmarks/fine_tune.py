"""What ten minutes of fine-tuning with five labelled tiles are worth on images that look different.

The development images of a data set are recoloured (channels exchanged, darker mid-tones) and enlarged, so that neither
colours nor widths are those the built-in model knows. Four tiles are trained on, one is selected with, the others are
scored.

python -m benchmarks.fine_tune ../shared/data/massachusetts
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

TILES = 5
SCALE = 1.6
_GAMMA = 1.8


def make_set(data: Path, folder: Path) -> None:
    """Write ``train`` (four tiles), ``dev`` (one) and ``rest`` with images and masks that look different."""
    from roadlift.train.data import read_samples

    samples = [sample for sample in read_samples(data, "dev") if (sample.label == 1).any()]
    labelled = set(range(0, len(samples), max(1, len(samples) // TILES))[:TILES])
    for index, sample in enumerate(samples):
        split = "rest" if index not in labelled else "dev" if index == min(labelled) else "train"
        for kind, pixels in (
            ("images", recoloured(sample.image)[..., ::-1]),
            ("masks", (sample.label == 1) * 255),
        ):
            path = folder / split / kind / f"{index:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            way = cv2.INTER_LINEAR if kind == "images" else cv2.INTER_NEAREST
            size = cv2.resize(pixels.astype(np.uint8), None, fx=SCALE, fy=SCALE, interpolation=way)
            cv2.imwrite(str(path), size)


def recoloured(image: np.ndarray) -> np.ndarray:
    """Exchange the channels as a false-colour composite does, and darken the mid-tones; uint8 (rows, cols, 3)."""
    return np.rint(255 * (image[..., [1, 2, 0]] / 255.0) ** _GAMMA).astype(np.uint8)


def tune(folder: Path, *, steps: int, crop: int) -> tuple[Path, float]:
    """Fine-tune the built-in model; return the run and the minutes it took."""
    from roadlift.train.fit import train
    from roadlift.train.options import TrainOptions

    began = time.monotonic()
    options = TrainOptions(
        start="roadlift-1m",
        steps=steps,
        crop=crop,
        learning_rate=3e-4,
        warmup_steps=steps // 10,
        evaluate_every=max(1, steps // 6),
        average_steps=max(1, steps // 3),
    )
    train(folder, folder / "run", options)
    return folder / "run", (time.monotonic() - began) / 60


def compare(data: Path, *, steps: int, crop: int = 320) -> str:
    """Return the table: road IoU on the rest, built-in and fine-tuned, each at the thresholds of its card."""
    from roadlift.model import load_model
    from roadlift.train.data import read_samples
    from roadlift.train.judge import choose_thresholds, confusions, predict_samples
    from roadlift.train.run import RunFolder
    from roadlift.train.score import predict_sample
    from roadlift.train.trainer import build

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_set(data, folder)
        rest, dev = read_samples(folder / "rest"), read_samples(folder, "dev")
        model = load_model("roadlift-1m")
        rows = [("built-in", predict_samples(model, rest), (model.card.threshold, model.card.threshold_low))]
        run, minutes = tune(folder, steps=steps, crop=crop)
        network = build(RunFolder(run).options(), pretrained=False)
        network.load_weights(RunFolder(run).best)
        found, seen = (
            [predict_sample(network, sample, stride=32) for sample in part] for part in (rest, dev)
        )
        rows.append(("fine-tuned", found, choose_thresholds(seen, dev)))
        lines = [f"{len(rest)} images, {TILES} labelled tiles, {steps} steps, {minutes:.1f} minutes"]
        for title, probabilities, (high, low) in rows:
            counts = confusions(probabilities, rest, high, low)
            total = sum(counts[1:], counts[0])
            lines.append(
                f"{title:<12} IoU {total.iou:.3f}  precision {total.precision:.3f}  recall {total.recall:.3f}"
            )
        return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    arguments = parser.parse_args()
    print(compare(arguments.data, steps=arguments.steps))
