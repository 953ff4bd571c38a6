"""How good a prediction is: pixels, buffers, graphs."""

from roadlift.evaluate.apls import Apls, apls_sat2graph, apls_spacenet
from roadlift.evaluate.buffers import Breakeven, BufferCounts, RelaxedCounts, RelaxedCurve
from roadlift.evaluate.cldice import ClDice
from roadlift.evaluate.graph import RoadGraph, road_graph
from roadlift.evaluate.junctions import JunctionScore, junction_score
from roadlift.evaluate.marbles import Topo, topo
from roadlift.evaluate.network import NetworkScore, NetworkShape, network_score
from roadlift.evaluate.pixels import Confusion, ProbabilityHistogram

__all__ = [
    "Apls",
    "Breakeven",
    "BufferCounts",
    "ClDice",
    "Confusion",
    "JunctionScore",
    "NetworkScore",
    "NetworkShape",
    "ProbabilityHistogram",
    "RelaxedCounts",
    "RelaxedCurve",
    "RoadGraph",
    "Topo",
    "apls_sat2graph",
    "apls_spacenet",
    "junction_score",
    "network_score",
    "road_graph",
    "topo",
]
