"""Find the crossings that a skeleton draws as two forks, and make each of them one node.

Where two roads cross at an acute angle they share their area over some widths: the skeleton runs along the
middle of that, and forks at both of its ends. Two side roads opposite each other, a little apart, look alike.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.junctions import contract, leg_axes, mutual_shortest
from roadlift.network.prune import JUNCTION_EDGES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.junctions import Legs
    from roadlift.network.linegraph import LineGraph

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

LONGEST_LINK = 3.0
"""In road widths (mean of its ends): two roads at 20 degrees share their area over about that."""
STRAIGHT = np.cos(np.deg2rad(30))
BACK = -0.4
"""Cosine between a link and a leg at its end, below which the leg comes back beside it."""


def join_split_crossings(graph: LineGraph, *, width_ratio: float, max_length: float) -> LineGraph:
    """Make one node of two forks whose four legs, followed inwards, are two roads that cross.

    Both pairs of opposite legs must be in line: to 30 degrees, and sideways to ``width_ratio`` road widths.

    Args:
        graph: lines in the middle of their roads.
        width_ratio: in road widths (mean of the two forks); 0 leaves all as it is.
        max_length: pixels; a longer link is a road.

    Returns:
        The graph. The radius at a joined node reaches over its link, so that `meet_on_axes` looks at the legs
        where they are apart.
    """
    while True:
        links = _candidates(graph, width_ratio, max_length)
        wide = _reach_over(graph, links)
        links[links] = _inside_crossings(wide, np.flatnonzero(links), width_ratio)
        links = mutual_shortest(graph, links)
        if not links.any():
            return graph
        graph = contract(_reach_over(graph, links), links)


def _candidates(graph: LineGraph, width_ratio: float, max_length: float) -> Booleans:
    """Find the links between two forks that are short enough, (edges,) bool."""
    fork = graph.degree == JUNCTION_EDGES
    longest = LONGEST_LINK * width_ratio * (graph.radius[graph.u] + graph.radius[graph.v])
    short = graph.lines.lengths < np.minimum(longest, max_length)
    links: Booleans = fork[graph.u] & fork[graph.v] & ~graph.loops & short
    return links


def _reach_over(graph: LineGraph, links: Booleans) -> LineGraph:
    """Let the radii at the ends of links reach half-way over the shortest of them."""
    reach = np.full(len(graph.nodes), np.inf)
    for end in (graph.u, graph.v):
        np.minimum.at(reach, end[links], graph.lines.lengths[links] / 2)
    return replace(graph, radius=graph.radius + np.where(np.isfinite(reach), reach, 0.0))


def _inside_crossings(graph: LineGraph, links: Integers, width_ratio: float) -> Booleans:
    """Whether the legs at the two ends of each link are two roads that go on through it, (links,) bool."""
    legs = leg_axes(graph, graph.degree == JUNCTION_EDGES)
    at_u, at_v = _other_ends(legs.node, len(graph.u), links)
    centre = (graph.nodes[graph.u[links]] + graph.nodes[graph.v[links]]) / 2
    width = graph.radius[graph.u[links]] + graph.radius[graph.v[links]] - graph.lines.lengths[links]
    in_line = np.zeros(len(links), dtype=bool)
    for opposite in (at_v, at_v[:, ::-1]):
        cosine, aside = _out_of_line(legs, at_u, opposite, centre)
        in_line |= np.all((cosine > STRAIGHT) & (aside < width_ratio * width[:, None]), axis=1)
    return in_line & _lead_on(graph, legs, at_u, centre) & _lead_on(graph, legs, at_v, centre)


def _other_ends(node: Integers, edges: int, links: Integers) -> tuple[Integers, Integers]:
    """Find the other two ends at the fork where each link begins, and where it ends, (links, 2) each."""
    order = np.argsort(node, kind="stable")
    begin = np.searchsorted(node[order], node[np.stack([links, links + edges])])
    ends = order[begin[:, :, None] + np.arange(JUNCTION_EDGES)]
    other = ends != np.stack([links, links + edges])[:, :, None]
    at_u, at_v = ends[other].reshape(2, len(links), JUNCTION_EDGES - 1)
    return at_u, at_v


def _outwards(legs: Legs, ends: Integers, centre: Floats) -> Floats:
    """Turn the axes of legs away from the middle of a link, (links, 2, 2)."""
    way = legs.direction[ends]
    sign = np.sign(np.sum(way * (legs.middle[ends] - centre[:, None]), axis=2))
    outwards: Floats = way * sign[:, :, None]
    return outwards


def _out_of_line(legs: Legs, one: Integers, other: Integers, centre: Floats) -> tuple[Floats, Floats]:
    """How straight on opposite legs go (cosine of the turn), and how far aside they pass the middle of the link."""
    there, here = _outwards(legs, one, centre), _outwards(legs, other, centre)
    cosine = -np.sum(there * here, axis=2)
    along = there - here
    along /= np.maximum(np.hypot(along[..., 0], along[..., 1]), 1e-9)[..., None]
    feet = [
        legs.middle[ends] + way * np.sum((centre[:, None] - legs.middle[ends]) * way, axis=2)[..., None]
        for ends, way in ((one, there), (other, here))
    ]
    apart = feet[0] - feet[1]
    aside = np.abs(apart[..., 0] * along[..., 1] - apart[..., 1] * along[..., 0])
    usable = legs.usable[one] & legs.usable[other]
    return cosine, np.where(usable, aside, np.inf)


def _lead_on(graph: LineGraph, legs: Legs, ends: Integers, centre: Floats) -> Booleans:
    """Whether both legs at an end of each link lead on from it, not back beside it, (links,) bool."""
    fork = graph.nodes[legs.node[ends]]
    onward, leg = fork - centre[:, None], legs.middle[ends] - fork
    size = np.hypot(onward[..., 0], onward[..., 1]) * np.hypot(leg[..., 0], leg[..., 1])
    leads_on: Booleans = np.all(np.sum(onward * leg, axis=2) > BACK * size, axis=1)
    return leads_on
