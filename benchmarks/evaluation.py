"""How long every road metric takes: one pair of 1500 x 1500 pixels, and APLS of a network of 5 000 nodes.

The truth is a rendered town; the prediction is that town drawn 1 m beside itself with a share of its road covered. CPU
seconds, so that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

from roadlift.evaluate import RoadGraph, apls_sat2graph, apls_spacenet, load_pair, topo
from roadlift.evaluate.metrics import Scores
from roadlift.scene import render


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1500, help="rows and columns of the pair")
    parser.add_argument("--nodes", type=int, default=5000, help="nodes of the network")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    options = parser.parse_args()
    print(run(size=options.size, nodes=options.nodes, rounds=options.rounds))


def run(*, size: int, nodes: int, rounds: int) -> str:
    """Measure and return the table."""
    truth = render(3, shape=(size, size)).label() == 1
    prediction = probability(truth)
    pair = load_pair(prediction, truth)
    grid = street_grid(nodes)
    beside = grid.moved(1.0, 1.0)
    tasks: dict[str, Callable[[], Any]] = {
        f"all scores of {size} x {size} pixels, {pair.true_roads.length_m / 1000:.0f} km of road": lambda: (
            Scores.of(load_pair(prediction, truth))
        ),
        f"APLS spacenet, {len(grid.points)} nodes": lambda: apls_spacenet(grid, beside),
        f"APLS sat2graph, {len(grid.points)} nodes": lambda: apls_sat2graph(grid, beside),
        "TOPO of the pair": lambda: topo(pair.true_roads, pair.roads, bounds=pair.bounds),
    }
    rows = [f"{'task':<60}{'CPU s':>8}"]
    rows += [f"{name:<60}{seconds(task, rounds):8.2f}" for name, task in tasks.items()]
    return "\n".join(rows)


def probability(truth: np.ndarray) -> np.ndarray:
    """A prediction of a truth: soft edges, 1 pixel beside it, covered here and there."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=truth.shape), 8)
    shifted = np.roll(truth, 1, axis=0).astype(np.float64)
    return np.clip(ndimage.gaussian_filter(shifted, 1) - (noise > 2 * noise.std()), 0, 1)


def street_grid(nodes: int) -> RoadGraph:
    """Streets 90 m apart, a tenth of them missing."""
    side = max(round(nodes**0.5), 2)
    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=2) * 90.0
    places += rng.uniform(-10, 10, places.shape)
    across = np.stack([places[:, :-1], places[:, 1:]], axis=2).reshape(-1, 2, 2)
    down = np.stack([places[:-1], places[1:]], axis=2).reshape(-1, 2, 2)
    streets = np.concatenate([across, down])
    return RoadGraph.from_lines(list(streets[rng.random(len(streets)) > 0.1]))


def seconds(task: Callable[[], Any], rounds: int) -> float:
    """CPU seconds of a task, the fewest of several rounds."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        task()
        times.append(time.process_time() - started)
    return min(times)


if __name__ == "__main__":
    main()
