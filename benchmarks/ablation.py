"""What each step from probabilities to a network is worth: the plain skeleton, then each step added.

    python -m benchmarks.ablation [--data ../shared/data/massachusetts/dev] [--scenes 12] [--model NAME]

The plain skeleton is what one writes first: threshold, thin, trace, nothing else. All rows start from the same
probabilities. Truth of the aerial images is the graph of their hand-made masks, that of the rendered scenes is exact.
Values are means over the images; those without roads in their truth are left out.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from affine import Affine
from PIL import Image
from skimage.morphology import skeletonize

from roadlift import ExtractOptions, load_model
from roadlift.evaluate import RoadGraph, apls_sat2graph, apls_spacenet, topo
from roadlift.imagery import Georef
from roadlift.network import NetworkOptions, RoadMap, trace_skeleton, vectorize
from roadlift.network.chains import label_groups
from roadlift.pipeline import network_options, predict_image
from roadlift.scene import render

if TYPE_CHECKING:
    from collections.abc import Iterator

DEV = Path(__file__).parents[2] / "shared/data/massachusetts/dev"
FIRST_SEED = 100
PIXELS = Georef(None, Affine.identity())
STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("our thinning and tracing", ()),
    ("hysteresis", ("threshold_low",)),
    ("specks dropped, holes filled", ("min_object_m2", "max_hole_m2")),
    ("roads go on beyond the border", ("max_border_run_m",)),
    ("spurs dropped", ("min_spur_m", "spur_width_ratio")),
    ("gaps bridged", ("max_gap_m", "max_gap_cost_m")),
    ("stray lines dropped", ("min_length_m",)),
    ("split crossings drawn together", ("junction_width_ratio", "max_junction_m")),
    ("sub-pixel middle, axes, corners, smooth", ("smooth_m",)),
    ("simplified", ("simplify_m",)),
)


@dataclass(frozen=True)
class Case:
    """One image: its probabilities and its true roads, both in pixels."""

    probability: np.ndarray
    truth: RoadGraph


def images(folder: Path, model) -> Iterator[Case]:
    """Labelled aerial images, ``images/`` and ``masks/`` with the same stems, 1 m per pixel."""
    for path in sorted((folder / "images").iterdir()):
        mask = np.asarray(Image.open(folder / "masks" / f"{path.stem}.png").convert("L")) > 127
        truth = RoadGraph.from_mask(mask)
        if len(truth.lines):
            yield Case(predict_image(path, model, ExtractOptions(gsd=1.0)), truth)


def scenes(count: int, model, size: int = 768) -> Iterator[Case]:
    """Rendered scenes, 1 m per pixel."""
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        scene = render(seed, shape=(size, size))
        with tempfile.TemporaryDirectory() as folder:
            probability = predict_image(scene.save(folder, "scene")[0], model, ExtractOptions())
        a, b, c, d, e, f = (~scene.georef.transform)[:6]
        lines = shapely.transform(
            scene.roads().geometry.to_numpy(),
            lambda at, k=(a, b, c, d, e, f): np.stack(
                [k[0] * at[:, 0] + k[1] * at[:, 1] + k[2], k[3] * at[:, 0] + k[4] * at[:, 1] + k[5]], axis=1
            ),
        )
        yield Case(probability, RoadGraph.from_lines(lines))


def plain(probability: np.ndarray, threshold: float) -> RoadGraph:
    """Threshold, thin, trace."""
    graph = trace_skeleton(skeletonize((probability >= threshold * 254) & (probability != 255)))
    lines = graph.lines.take(graph.lines.lengths > 0)
    return RoadGraph.from_lines(list(lines.moved(lines.coordinates[:, ::-1] + 0.5).to_shapely()))


def roads(probability: np.ndarray, options: NetworkOptions) -> RoadGraph:
    """The graph that roadlift makes."""
    found: RoadMap = vectorize(probability, PIXELS, ground_resolution_m=1.0, options=options)
    return RoadGraph.from_lines(list(found.edges.geometry))


def nothing(full: NetworkOptions) -> NetworkOptions:
    """Every step turned off."""
    names = {name for _, step in STEPS for name in step} - {"threshold_low"}
    return replace(full, threshold_low=full.threshold, **dict.fromkeys(names, 0.0))


def measure(graphs: list[RoadGraph], cases: list[Case]) -> list[float]:
    """APLS of both variants and TOPO F1 (means, 0..100), then components and dead ends per km."""
    scores = []
    for graph, case in zip(graphs, cases, strict=True):
        if not len(graph.lines):
            scores.append((0.0, 0.0, 0.0))
            continue
        marbles = topo(case.truth, graph)
        sat = apls_sat2graph(case.truth, graph).value
        scores.append((apls_spacenet(case.truth, graph).value, sat, marbles.f1))
    km = sum(graph.length_m for graph in graphs) / 1000
    parts = sum(
        len(np.unique(label_groups(len(graph.points), *graph.ends.T)[graph.ends])) for graph in graphs
    )
    free = sum(_dead_ends(graph, case.probability.shape) for graph, case in zip(graphs, cases, strict=True))
    return [*(100 * np.nanmean(np.array(scores), axis=0)).tolist(), parts / km, free / km]


def _dead_ends(graph: RoadGraph, shape: tuple[int, ...]) -> int:
    """Ends of roads that are not at the border of the image."""
    ends = graph.points[graph.degrees == 1]
    return int(np.all((ends > 1.5) & (ends < np.array(shape[::-1]) - 1.5), axis=1).sum())


def table(cases: list[Case], full: NetworkOptions) -> Iterator[str]:
    """Rows of the table, one by one."""
    yield "| | APLS spacenet | APLS sat2graph | TOPO F1 | components per km | dead ends per km |"
    yield "|---|---|---|---|---|---|"

    def row(name: str, graphs: list[RoadGraph]) -> str:
        apls, sat, marbles, parts, free = measure(graphs, cases)
        return f"| {name} | {apls:.1f} | {sat:.1f} | {marbles:.1f} | {parts:.2f} | {free:.2f} |"

    for threshold in (full.threshold, 0.3):
        graphs = [plain(case.probability, threshold) for case in cases]
        yield row(f"plain skeleton at {threshold:.2f}", graphs)
    options = nothing(full)
    for name, step in STEPS:
        options = replace(options, **{field: getattr(full, field) for field in step})
        yield row(f"+ {name}", [roads(case.probability, options) for case in cases])


def main() -> None:
    """Predict, score and print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DEV, help="folder with images/ and masks/")
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--model", default=ExtractOptions().model)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    options = network_options(model.card, threshold=None, threshold_low=None)
    groups = {"rendered scenes": list(scenes(arguments.scenes, model))}
    if arguments.data.exists():
        groups = {"aerial images": list(images(arguments.data, model)), **groups}
    for name, cases in groups.items():
        area = sum(case.probability.size for case in cases) / 1e6
        print(f"{len(cases)} {name}, {area:.1f} km2, probabilities of {model.card.name}\n")
        for line in table(cases, options):
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
