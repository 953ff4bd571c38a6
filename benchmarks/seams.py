"""What tiles leave behind: tiled against whole-image probability of the built-in model, beside patches and blending.

    python -m benchmarks.seams [IMAGE] [--picture seams.png]

Each way predicts the same image. *Steps* is the largest difference to the whole image at once, of 254; *flipped* is the
number of mask pixels that differ, as a share of the whole image's mask pixels.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roadlift import ExtractOptions, load_model
from roadlift.imagery import ImagerySource, Window
from roadlift.model import Model
from roadlift.network import road_mask
from roadlift.scene import render
from roadlift.segment import NO_DATA, PredictOptions, predict

MARSHFIELD = Path(__file__).parents[2] / "shared" / "data" / "georeferenced" / "marshfield_3000x3000_1m.tif"
WAYS = {
    "patches 256, no overlap": PredictOptions(tile_size=256, halo=0),
    "linear, 256 + 64": PredictOptions(tile_size=256, blend="linear"),
    "hann, 256 + 64": PredictOptions(tile_size=256, blend="hann"),
    "hann, 1024 + 256": PredictOptions(tile_size=1024, blend="hann"),
    "tiles 512": PredictOptions(tile_size=512),
    "tiles 768": PredictOptions(tile_size=768),
    "tiles 1024": PredictOptions(tile_size=1024),
    "tiles 1536 (default)": PredictOptions(tile_size=1536),
    "tiles 2048": PredictOptions(tile_size=2048),
    "tiles 512, exact": PredictOptions(tile_size=512, exact=True),
    "tiles 1024, exact": PredictOptions(tile_size=1024, exact=True),
    "tiles 2048, exact": PredictOptions(tile_size=2048, exact=True),
}


class _Array:
    """Collects windows."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.array = np.full(shape, NO_DATA, np.uint8)

    def write(self, window: Window, values: np.ndarray) -> None:
        self.array[window.slices] = values


@dataclass(frozen=True)
class Seams:
    """How a way differs from the whole image at once."""

    steps: int
    flipped: int
    mask_pixels: int
    read_share: float

    @property
    def flipped_share(self) -> float:
        """Share of the mask pixels."""
        return self.flipped / max(self.mask_pixels, 1)


def probability(source: ImagerySource, model: Model, options: PredictOptions) -> tuple[np.ndarray, float]:
    """Predict in one way; also pixels that the network saw for each of the image."""
    sink = _Array(source.shape)
    stats = predict(source, model, sink, options)
    return sink.array, stats.network_pixels / stats.pixels


def whole_image(source: ImagerySource, model: Model) -> np.ndarray:
    """Predict the whole image as one tile."""
    return probability(source, model, PredictOptions(tile_size=max(source.shape), exact=True))[0]


def measure(
    source: ImagerySource, model: Model, ways: Iterable[str] = tuple(WAYS), whole: np.ndarray | None = None
) -> dict[str, Seams]:
    """Hold ways against the whole image."""
    whole = whole_image(source, model) if whole is None else whole
    options = ExtractOptions().network(model.card)

    def mask(values: np.ndarray) -> np.ndarray:
        return road_mask(values, ground_resolution_m=source.ground_resolution_m, options=options)

    expected, found = mask(whole), {}
    for name in ways:
        values, share = probability(source, model, WAYS[name])
        steps = int(np.abs(values.astype(int) - whole).max())
        found[name] = Seams(steps, int((mask(values) != expected).sum()), int(expected.sum()), share)
    return found


def table(found: dict[str, Seams]) -> str:
    """Return the measurements as text."""
    lines = [f"{'':<26} {'steps':>6} {'flipped':>8} {'of mask':>9} {'pixels read':>12}"]
    lines += [
        f"{name:<26} {seams.steps:>6} {seams.flipped:>8} {seams.flipped_share:>9.4%} {seams.read_share:>12.2f}"
        for name, seams in found.items()
    ]
    return "\n".join(lines)


def draw(source: ImagerySource, model: Model, path: Path, whole: np.ndarray) -> None:
    """Draw the place where patches differ most, in four ways."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = ("patches 256, no overlap", "hann, 256 + 64", "tiles 1536 (default)")
    found = {name: probability(source, model, WAYS[name])[0] for name in names}
    window = _worst_place(np.abs(found[names[0]].astype(int) - whole))
    image = np.moveaxis(source.read(window).values, 0, 2)
    panels = {"image": image, "whole image at once": whole[window.slices]}
    panels |= {name: values[window.slices] for name, values in found.items()}
    figure, axes = plt.subplots(2, len(panels), figsize=(3.2 * len(panels), 6.6), layout="constrained")
    for (top, below), (name, values) in zip(axes.T, panels.items(), strict=True):
        top.imshow(values, cmap="magma", vmin=0, vmax=254)
        top.set_title(name)
        below.set_axis_off()
        if values.ndim == 2:
            change = values.astype(int) - panels["whole image at once"]
            below.imshow(change, cmap="RdBu", vmin=-127, vmax=127)
            below.set_title(f"difference: up to {np.abs(change).max()} of 254")
        for axis in (top, below):
            axis.set_xticks([])
            axis.set_yticks([])
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _worst_place(difference: np.ndarray, side: int = 256) -> Window:
    """Return the square of ``side`` pixels with the largest sum of differences, on a lattice of half its side."""
    step = side // 2
    rows, cols = (max(1, (extent - side) // step + 1) for extent in difference.shape)
    places = [Window(row * step, col * step, side, side) for row in range(rows) for col in range(cols)]
    return max(places, key=lambda window: difference[window.slices].sum()).clip(difference.shape)


def main() -> None:
    """Print the table, and draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("image", nargs="?", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        image = arguments.image or MARSHFIELD
        if not image.exists():
            image = render(7, shape=(2200, 2200)).save(Path(folder), "scene")[0]
        model = load_model()
        with ImagerySource(image) as source:
            whole = whole_image(source, model)
            print(f"{image.name}, {source.shape[0]} x {source.shape[1]} pixels, {model.card.name}")
            print(table(measure(source, model, whole=whole)))
            if arguments.picture is not None:
                draw(source, model, arguments.picture, whole)


if __name__ == "__main__":
    main()
