"""Probability to roads: mask, skeleton, graph, cleaning, measuring; the result is a `RoadMap`."""

from __future__ import annotations

from roadlift.network.join import merge
from roadlift.network.mask import find_roads, road_mask
from roadlift.network.options import NetworkOptions
from roadlift.network.raster import Raster
from roadlift.network.roadmap import RoadMap
from roadlift.network.storage import Storage, register_storage
from roadlift.network.trace import TracedGraph, trace_skeleton
from roadlift.network.vectorize import vectorize

__all__ = [
    "NetworkOptions",
    "Raster",
    "RoadMap",
    "Storage",
    "TracedGraph",
    "find_roads",
    "merge",
    "register_storage",
    "road_mask",
    "trace_skeleton",
    "vectorize",
]
