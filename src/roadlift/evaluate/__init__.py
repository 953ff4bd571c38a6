"""How good a prediction is: pixels, buffers, graphs."""

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
