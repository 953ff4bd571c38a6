"""roadlift's prediction against the plain way: patchify into 256 x 256, Keras predict, put back together.

Both read the same GeoTIFF and end with a probability array of its size. The plain way is what the tutorials do: `unet` of
width 16, patches without overlap, float32, the patches reassembled. Both start with their network loaded and warm.

    python -m benchmarks.plain_way [IMAGE] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from roadlift import ExtractOptions, load_model, patchify, unpatchify
from roadlift.imagery import ImagerySource, Window
from roadlift.pipeline import predict_image
from roadlift.scene import render

PATCH = 256


def plain_way() -> Callable[[Path], np.ndarray]:
    """Return the prediction of the tutorials, its network built and warm."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from roadlift.train.architectures.unet import unet

    network = unet(width=16)
    network.predict(np.zeros((8, PATCH, PATCH, 3), np.float32), verbose=0)

    def predict(path: Path) -> np.ndarray:
        with ImagerySource(path, ground_resolution=None) as source:
            image = np.moveaxis(source.read(Window(0, 0, *source.shape)).values, 0, 2)
        patches = patchify(image, (PATCH, PATCH, 3), PATCH)
        batch = patches.reshape(-1, PATCH, PATCH, 3).astype(np.float32) / 255
        logits = network.predict(batch, batch_size=8, verbose=0)[..., 0]
        probability = 1 / (1 + np.exp(-logits))
        return unpatchify(probability.reshape(*patches.shape[:2], PATCH, PATCH), image.shape[:2], step=PATCH)

    return predict


def ours() -> Callable[[Path], np.ndarray]:
    """Return roadlift's own prediction with the built-in model, warm."""
    options = ExtractOptions()
    model = load_model()

    def predict(path: Path) -> np.ndarray:
        return predict_image(path, model, options)

    return predict


def run(image: Path, rounds: int) -> str:
    """Time both in turn and return the table."""
    with ImagerySource(image, ground_resolution=None) as source:
        megapixels = source.shape[0] * source.shape[1] / 1e6
    ways = {"roadlift, built-in model": ours(), "plain way, U-Net 16": plain_way()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, predict in ways.items():
            started = time.perf_counter()
            predict(image)
            seconds[name].append(time.perf_counter() - started)
    rates = {name: megapixels / statistics.median(times[1:]) for name, times in seconds.items()}
    first, second = rates.values()
    rows = [f"{name:<28}{rate:8.2f} MPx/s" for name, rate in rates.items()]
    head = f"{image.name}: {megapixels:.1f} MPx, median of {rounds} rounds in turn, after one that is not counted"
    return "\n".join([head, *rows, f"{'ratio':<28}{first / second:8.1f}"])


def main() -> None:
    """Parse the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", nargs="?", type=Path, help="GeoTIFF; a rendered scene of 4 MPx without it")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.image is not None:
        print(run(arguments.image, arguments.rounds))
        return
    with tempfile.TemporaryDirectory() as folder:
        image, _, _ = render(1, shape=(2048, 2048)).save(folder, "scene")
        print(run(image, arguments.rounds))


if __name__ == "__main__":
    main()
