"""Places along the edges of a graph, and the shortest ways between many of them from distances between nodes alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.evaluate.graph import RoadGraph

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

_ROUNDING_M = 1e-6


@dataclass(frozen=True, eq=False)
class Places:
    """Places on a graph, each on an edge or at a node, or nowhere.

    Attributes:
        edge: int64 (places,), number of the edge; -1 at a node; -2 nowhere.
        nodes: int64 (places, 2), the nodes at the ends of the edge; twice the same at a node; 0 nowhere.
        ways_m: float64 (places, 2), the way to each of them along the edge, metres; infinite nowhere.
    """

    edge: Integers
    nodes: Integers
    ways_m: Floats

    def __len__(self) -> int:
        return self.edge.size

    @property
    def present(self) -> Booleans:
        """False for nowhere: bool (places,)."""
        return np.not_equal(self.edge, -2)

    @classmethod
    def at_nodes(cls, nodes: Integers) -> Places:
        """Return places at nodes."""
        return cls(
            np.full(nodes.size, -1, np.int64), np.stack([nodes, nodes], axis=1), np.zeros((nodes.size, 2))
        )

    def take(self, index: Integers | Booleans) -> Places:
        """Return some of the places."""
        return Places(self.edge[index], self.nodes[index], self.ways_m[index])

    def without(self, gone: Booleans) -> Places:
        """Return as many places, some of them moved to nowhere."""
        return Places(
            np.where(gone, -2, self.edge),
            np.where(gone[:, None], 0, self.nodes),
            np.where(gone[:, None], np.inf, self.ways_m),
        )

    def joined(self, other: Places) -> Places:
        """Return these places and the others after them."""
        return Places(
            np.concatenate([self.edge, other.edge]),
            np.concatenate([self.nodes, other.nodes]),
            np.concatenate([self.ways_m, other.ways_m]),
        )

    def identities(self) -> Integers:
        """Return numbers that are equal for the same place (to a micrometre): int64 (places,)."""
        steps = np.where(
            self.edge < 0, self.nodes[:, 0], np.rint(self.ways_m[:, 0].clip(0, 1e9) / _ROUNDING_M)
        )
        keys = np.stack([self.edge, steps.astype(np.int64)], axis=1)
        _, numbers = np.unique(keys, axis=0, return_inverse=True)
        return np.asarray(numbers.ravel(), np.int64)


def locate(graph: RoadGraph, coordinates: Floats, *, within_m: float) -> Places:
    """Find the nearest place on the edges of a graph for each point; nowhere if it is farther than ``within_m``.

    Of edges equally near the first is taken. A place at the very end of an edge is at its node.

    Args:
        graph: The graph.
        coordinates: float64 (points, 2), x and y, metres.
        within_m: Greatest distance, metres.
    """
    count = len(coordinates)
    nowhere = Places.at_nodes(np.zeros(count, np.int64)).without(np.ones(count, bool))
    if not count or not graph.lines.size:
        return nowhere
    points = np.asarray(shapely.points(coordinates), dtype=object)
    near = shapely.STRtree(graph.lines).query_nearest(points, max_distance=max(within_m, 1e-9) * (1 + 1e-9))
    order = np.lexsort((near[1], near[0]))
    which, edge = near[0][order], near[1][order]
    first = np.ones(which.size, bool)
    first[1:] = which[1:] != which[:-1]
    which, edge = which[first], edge[first]
    close = shapely.distance(points[which], graph.lines[edge]) <= within_m
    which, edge = which[close], edge[close]
    along = np.asarray(shapely.line_locate_point(graph.lines[edge], points[which]), np.float64)
    found = on_edges(graph.ends, graph.lengths, edge, along)
    for ours, theirs in (
        (nowhere.edge, found.edge),
        (nowhere.nodes, found.nodes),
        (nowhere.ways_m, found.ways_m),
    ):
        ours[which] = theirs
    return nowhere


def on_edges(ends: Integers, lengths: Floats, edge: Integers, along_m: Floats) -> Places:
    """Return the places at ``along_m`` on edges; those at an end are at its node.

    Args:
        ends: int64 (edges, 2), the nodes of all edges.
        lengths: float64 (edges,), their lengths, metres.
        edge: int64 (places,), the edge of each place.
        along_m: float64 (places,), the way from its first node, metres.
    """
    length = lengths[edge]
    at_first, at_last = along_m <= 0, along_m >= length
    nodes = ends[edge]
    node = np.where(at_first, nodes[:, 0], nodes[:, 1])
    at_node = at_first | at_last
    return Places(
        np.where(at_node, -1, edge).astype(np.int64),
        np.where(at_node[:, None], node[:, None], nodes).astype(np.int64),
        np.where(at_node[:, None], 0.0, np.stack([along_m, length - along_m], axis=1)),
    )


def ways_between(node_distances: Floats, sources: Places, targets: Places) -> Floats:
    """Return the shortest way from each source to each target: float64 (sources, targets), metres, infinite for none.

    Args:
        node_distances: float64 (nodes, nodes), the shortest ways between the nodes.
        sources: Places where the ways begin.
        targets: Places where they end.
    """
    if not node_distances.size:
        return np.full((len(sources), len(targets)), np.inf)
    from_source = np.minimum(
        node_distances[sources.nodes[:, 0]] + sources.ways_m[:, :1],
        node_distances[sources.nodes[:, 1]] + sources.ways_m[:, 1:],
    )
    ways: Floats = np.minimum(
        from_source[:, targets.nodes[:, 0]] + targets.ways_m[:, 0],
        from_source[:, targets.nodes[:, 1]] + targets.ways_m[:, 1],
    )
    rows, cols = np.nonzero((sources.edge[:, None] == targets.edge) & (sources.edge[:, None] >= 0))
    direct = np.abs(sources.ways_m[rows, 0] - targets.ways_m[cols, 0])
    ways[rows, cols] = np.minimum(ways[rows, cols], direct)
    return ways
