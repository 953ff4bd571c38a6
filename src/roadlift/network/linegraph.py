"""The road network while it is being cleaned: nodes and polylines in pixel coordinates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.chains import Chains, label_groups, order_chains

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.polylines import Polylines

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

CHAIN_EDGES = 2
"""Edges at a node that is neither an end nor a junction."""
BATCH_PX = 1_000_000
"""Length of the lines whose pixels are looked at at once."""


@dataclass(frozen=True, eq=False)
class LineGraph:
    """Nodes and edges in pixel coordinates; every line begins at its node ``u`` and ends at its node ``v``.

    Attributes:
        nodes: (nodes, 2) float64 row, column.
        border: (nodes,) bool, the road leaves the image (or the valid area) here.
        radius: (nodes,) float64, half the road's width at the node, pixels.
        u, v: (edges,) int64, indices into the nodes.
        lines: one polyline per edge, row and column.
        bridge_cost: (edges,) float64, what it cost to bridge a gap; NaN for roads that were seen (the
        default).
    """

    nodes: Floats
    border: Booleans
    radius: Floats
    u: Integers
    v: Integers
    lines: Polylines
    bridge_cost: Floats = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        if not len(self.bridge_cost):
            object.__setattr__(self, "bridge_cost", np.full(len(self.u), np.nan))

    @property
    def bridged(self) -> Booleans:
        """Edges that cross a gap, (edges,) bool."""
        return np.isfinite(self.bridge_cost)

    @property
    def degree(self) -> Integers:
        """Number of edge ends at each node (a self-loop counts twice), (nodes,) int64."""
        return np.bincount(np.concatenate([self.u, self.v]), minlength=len(self.nodes)).astype(np.int64)

    @property
    def loops(self) -> Booleans:
        """Edges that begin and end at one node, (edges,) bool."""
        loops: Booleans = self.u == self.v
        return loops

    @property
    def components(self) -> Integers:
        """Number of the connected part that each node belongs to, (nodes,) int64."""
        return label_groups(len(self.nodes), self.u, self.v)

    def only(self, edges: Booleans) -> LineGraph:
        """Return the graph with the chosen edges, (edges,) bool, and the nodes that they touch."""
        used = np.zeros(len(self.nodes), dtype=bool)
        used[self.u[edges]] = used[self.v[edges]] = True
        number = np.cumsum(used) - 1
        return LineGraph(
            self.nodes[used],
            self.border[used],
            self.radius[used],
            number[self.u[edges]],
            number[self.v[edges]],
            self.lines.take(edges),
            self.bridge_cost[edges],
        )

    def densified(self, spacing: float) -> LineGraph:
        """Return the graph with vertices at equal distances of about ``spacing`` along its lines."""
        return replace(self, lines=self.lines.resampled(spacing))

    def headings(self, reach: Floats) -> Floats:
        """Find where each end of an edge leads: unit vectors away from its node; beginnings first, then ends.

        Args:
            reach: (2 * edges,) pixels along the line from the node to the place that is looked at.
        """
        unit = np.empty((2, len(self.lines), 2))
        for batch in self.lines.batches(BATCH_PX):
            lines = self.lines.take(np.arange(batch.start, batch.stop))
            unit[:, batch] = _headings(lines, reach.reshape(2, -1)[:, batch])
        return unit.reshape(-1, 2)

    def moved(self, nodes: Floats) -> LineGraph:
        """Return the graph with its nodes elsewhere, (nodes, 2); the ends of the lines follow."""
        coordinates = self.lines.coordinates.copy()
        coordinates[self.lines.first] = nodes[self.u]
        coordinates[self.lines.last] = nodes[self.v]
        return replace(self, nodes=nodes, lines=self.lines.moved(coordinates))


def _headings(lines: Polylines, reach: Floats) -> Floats:
    """Find unit vectors away from both ends, (2, lines, 2)."""
    dense = lines.resampled(1.0)
    steps = np.maximum(np.minimum(np.round(reach).astype(np.int64), dense.counts - 1), 1)
    away = np.stack(
        [
            dense.coordinates[dense.first + steps[0]] - dense.starts,
            dense.coordinates[dense.last - steps[1]] - dense.ends,
        ]
    )
    unit: Floats = away / np.maximum(np.hypot(away[..., 0], away[..., 1]), 1e-9)[..., None]
    return unit


def merge_through_nodes(graph: LineGraph) -> LineGraph:
    """Join the two edges that meet at a node where nothing else does. Bridges stay edges of their own.

    A ring of several edges without a junction keeps one node, its smallest.

    Example:
        >>> from roadlift.network.polylines import Polylines
        >>> lines = Polylines.of([[(0, 0), (0, 2)], [(0, 5), (0, 2)]])
        >>> graph = LineGraph(np.array([[0.0, 0], [0, 2], [0, 5]]), np.zeros(3, bool), np.ones(3),
        ...                   np.array([0, 2]), np.array([1, 1]), lines)
        >>> merge_through_nodes(graph).lines.coordinates.tolist()
        [[0.0, 0.0], [0.0, 2.0], [0.0, 5.0]]
    """
    through = (graph.degree == CHAIN_EDGES) & ~graph.border
    through[graph.u[graph.loops]] = False
    through[graph.u[graph.bridged]] = through[graph.v[graph.bridged]] = False
    if not through.any():
        return graph
    chains, flip = chain_edges(graph.u, graph.v, through)
    u, v = chain_ends(graph.u, graph.v, chains, flip)
    lines = graph.lines.take(chains.order, flip=flip).joined(chains.owner)
    merged = replace(graph, u=u, v=v, lines=lines, bridge_cost=graph.bridge_cost[chains.heads])
    return merged.only(np.ones(len(u), dtype=bool))


def chain_edges(u: Integers, v: Integers, through: Booleans) -> tuple[Chains, Booleans]:
    """Order the edges that meet at nodes which they go through.

    Args:
        u: (edges,) node at the beginning of each edge.
        v: (edges,) node at its end.
        through: (nodes,) bool; exactly two ends of two different edges meet at each of these.

    Returns:
        Chains of edges, and which of them, in that order, must be turned round.
    """
    edges = np.tile(np.arange(len(u)), 2)
    at = np.concatenate([u, v])
    meets = np.flatnonzero(through[at])
    meets = meets[np.argsort(at[meets], kind="stable")]
    chains = order_chains(len(u), edges[meets[0::2]], edges[meets[1::2]])
    return chains, _face_forward(u[chains.order], v[chains.order], through, chains.owner)


def chain_ends(u: Integers, v: Integers, chains: Chains, flip: Booleans) -> tuple[Integers, Integers]:
    """Nodes at the beginning and at the end of each chain of edges, (chains,) each."""
    order = chains.order
    begin = np.where(flip, v[order], u[order])[chains.offsets[:-1]]
    end = np.where(flip, u[order], v[order])[chains.offsets[1:] - 1]
    return begin, end


def _face_forward(u: Integers, v: Integers, through: Booleans, chain: Integers) -> Booleans:
    """Which edges of each chain must be turned round so that each begins where the one before it ends."""
    flip = np.zeros(len(u), dtype=bool)
    follows = np.flatnonzero(chain[1:] == chain[:-1]) + 1
    before = follows - 1
    meets_next = through[v[before]] & ((v[before] == u[follows]) | (v[before] == v[follows]))
    flip[before] = ~meets_next
    is_last = np.append(chain[1:] != chain[:-1], True)[follows]
    last, previous = follows[is_last], before[is_last]
    leaves = np.where(flip[previous], u[previous], v[previous])
    flip[last] = u[last] != leaves
    return flip


def split_at(graph: LineGraph, vertices: Integers, radius: Floats) -> LineGraph:
    """Cut lines at inner vertices, which become nodes after those that there are, in their order.

    Args:
        graph: the lines.
        vertices: (places,) rising indices of vertices that are no ends of lines.
        radius: (places,) half the road's width there, pixels.

    Example:
        >>> from roadlift.network.polylines import Polylines
        >>> lines = Polylines.of([[(0, 0), (0, 2), (0, 5)]])
        >>> graph = LineGraph(np.array([[0.0, 0], [0, 5]]), np.zeros(2, bool), np.ones(2),
        ...                   np.array([0]), np.array([1]), lines)
        >>> cut = split_at(graph, np.array([1]), np.ones(1))
        >>> cut.u.tolist(), cut.v.tolist(), cut.lines.lengths.tolist()
        ([0, 2], [2, 1], [2.0, 3.0])
    """
    copies = np.ones(len(graph.lines.coordinates), dtype=np.int64)
    copies[vertices] = 2
    source = np.repeat(np.arange(len(copies)), copies)
    number = len(graph.nodes) + np.arange(len(vertices))
    offsets = np.sort(np.concatenate([graph.lines.offsets, vertices + 1]))
    offsets = offsets + np.searchsorted(vertices, offsets - 1)
    line = graph.lines.owner[source[offsets[:-1]]]
    begins, ends = np.zeros(len(copies), dtype=np.int64), np.zeros(len(copies), dtype=np.int64)
    begins[graph.lines.first], ends[graph.lines.last] = graph.u, graph.v
    begins[vertices] = ends[vertices] = number
    return LineGraph(
        np.concatenate([graph.nodes, graph.lines.coordinates[vertices]]),
        np.append(graph.border, np.zeros(len(vertices), dtype=bool)),
        np.append(graph.radius, radius),
        begins[source[offsets[:-1]]],
        ends[source[offsets[1:] - 1]],
        replace(graph.lines, coordinates=graph.lines.coordinates[source], offsets=offsets),
        graph.bridge_cost[line],
    )
