"""How good a prediction is: pixels, buffers, graphs; ``roadlift.evaluate(prediction, truth)`` gives every score.

This package can be called: that is `evaluate`, so that both ``roadlift.evaluate(roads, "truth.gpkg").apls`` and
``roadlift.evaluate.topo(...)`` work. Type checkers know packages as not callable; with them import the function:
``from roadlift.evaluate import evaluate``.

Example:
    >>> import numpy as np
    >>> import roadlift
    >>> road = np.zeros((100, 200), bool)
    >>> road[47:54] = True
    >>> roadlift.evaluate(road, road).apls
    1.0
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from roadlift.evaluate.apls import Apls, apls_sat2graph, apls_spacenet
from roadlift.evaluate.bench import Evaluation, evaluate
from roadlift.evaluate.buffers import Breakeven, BufferCounts, RelaxedCounts, RelaxedCurve
from roadlift.evaluate.causes import Causes
from roadlift.evaluate.cldice import ClDice
from roadlift.evaluate.graph import RoadGraph, road_graph
from roadlift.evaluate.junctions import JunctionScore, junction_score
from roadlift.evaluate.marbles import Topo, topo
from roadlift.evaluate.metrics import METRICS, Metric, Scores
from roadlift.evaluate.network import NetworkScore, NetworkShape, network_score
from roadlift.evaluate.pairs import Pair, load_pair
from roadlift.evaluate.pixels import Confusion, ProbabilityHistogram

__all__ = [
    "METRICS",
    "Apls",
    "Breakeven",
    "BufferCounts",
    "Causes",
    "ClDice",
    "Confusion",
    "Evaluation",
    "JunctionScore",
    "Metric",
    "NetworkScore",
    "NetworkShape",
    "Pair",
    "ProbabilityHistogram",
    "RelaxedCounts",
    "RelaxedCurve",
    "RoadGraph",
    "Scores",
    "Topo",
    "apls_sat2graph",
    "apls_spacenet",
    "evaluate",
    "junction_score",
    "load_pair",
    "network_score",
    "road_graph",
    "topo",
]


class _CallablePackage(ModuleType):
    """A package that is called for its main function."""

    def __call__(self, *args: Any, **options: Any) -> Evaluation:
        """Call `roadlift.evaluate.evaluate`."""
        return evaluate(*args, **options)


sys.modules[__name__].__class__ = _CallablePackage
