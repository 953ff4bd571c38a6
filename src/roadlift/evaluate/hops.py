"""A road graph cut into short hops, and the control points that the sat2graph variant of APLS sets on it."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from roadlift.evaluate.graph import Bounds, RoadGraph, chains, weighted_graph
from roadlift.evaluate.places import Places

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

HOP_M = 2.0
SNAP_M = 10.0
_LONGEST_WHOLE_M = 3.0
_NEAREST = 10
_COVER_HOPS = 4
_NARROW = math.cos(math.radians(41))
_ORIGIN = np.array([41 * 111_111.0, 71 * 111_111.0])


@dataclass(frozen=True, eq=False)
class Hops:
    """A graph whose edges are hops of 1.5 to 3 metres.

    Attributes:
        points: float64 (nodes, 2), x and y, metres.
        neighbours: The nodes one hop away from each node.
    """

    points: Floats
    neighbours: Sequence[Sequence[int]]

    @classmethod
    def of(cls, graph: RoadGraph) -> Hops:
        """Cut straight edges longer than 3 m into equal hops of at most 2 m."""
        straight = graph.straight()
        points = [straight.points]
        neighbours: list[list[int]] = [[] for _ in straight.points]
        for (first, last), length in zip(straight.ends.tolist(), straight.lengths.tolist(), strict=True):
            parts = int(length / HOP_M) + 1 if length > _LONGEST_WHOLE_M else 1
            share = np.arange(1, parts)[:, None] / parts
            points.append(straight.points[first] * (1 - share) + straight.points[last] * share)
            run = [first, *range(len(neighbours), len(neighbours) + parts - 1), last]
            neighbours += [[] for _ in range(parts - 1)]
            for u, v in pairwise(run):
                neighbours[u].append(v)
                neighbours[v].append(u)
        return cls(np.concatenate(points), neighbours)

    @cached_property
    def chains(self) -> list[list[int]]:
        """Chains of nodes from junction or end to junction or end, each once; then rings, from any node on."""
        found = [chain for chain in chains(self.neighbours) if not (len(chain) == 2 and chain[0] > chain[1])]
        passed = {node for chain in found for node in chain}
        for node, others in enumerate(self.neighbours):
            if node in passed or len(others) != 2:
                continue
            ring = [node, others[0]]
            while ring[-1] != node:
                one, other = self.neighbours[ring[-1]]
                ring.append(other if one == ring[-2] else one)
            passed.update(ring)
            found.append(ring)
        return found

    @cached_property
    def _placing(self) -> tuple[Places, Floats]:
        """The place of every node on its chain, and the ways in metres between the ends of chains."""
        ends = np.array([(chain[0], chain[-1]) for chain in self.chains], np.int64).reshape(-1, 2)
        corners, numbers = np.unique(ends, return_inverse=True)
        numbers = numbers.reshape(-1, 2)
        size = len(self.points)
        edge, along, total = np.full(size, -2, np.int64), np.zeros(size), np.zeros(len(self.chains))
        for index, chain in enumerate(self.chains):
            steps = np.linalg.norm(np.diff(self.points[chain], axis=0), axis=1)
            passed = np.concatenate([[0.0], np.floor(steps * 100 + 1e-6).cumsum() / 100])
            edge[chain], along[chain], total[index] = index, passed, passed[-1]
        nodes = numbers[edge] if len(numbers) else np.zeros((size, 2), np.int64)
        ways = np.stack([along, total[edge] - along], axis=1) if len(total) else np.zeros((size, 2))
        edge[corners] = -1
        nodes[corners] = np.arange(corners.size)[:, None]
        ways[corners] = 0.0
        distances = csgraph.dijkstra(weighted_graph(numbers, total, corners.size), directed=False)
        return Places(edge, nodes, ways), distances

    def places(self, nodes: Integers) -> Places:
        """Return where nodes lie; -1 is nowhere."""
        places, _ = self._placing
        if not len(places):
            return Places.at_nodes(np.zeros(nodes.size, np.int64)).without(np.ones(nodes.size, bool))
        return places.take(nodes).without(nodes < 0)

    @property
    def distances(self) -> Floats:
        """float64 (corners, corners), ways in metres between the nodes that `places` names; hops count whole centimetres."""
        return self._placing[1]

    def around(self, node: int, hops: int) -> Iterator[int]:
        """Give the nodes at most some hops away."""
        seen, queue = {node: 0}, deque([node])
        while queue:
            here = queue.popleft()
            yield here
            if seen[here] == hops:
                continue
            for there in self.neighbours[here]:
                if there not in seen:
                    seen[there] = seen[here] + 1
                    queue.append(there)

    def control_points(self, bounds: Bounds, *, interval_hops: float, margin_m: float) -> Integers:
        """Choose nodes of degree other than two, and some along chains longer than one and a half intervals.

        Args:
            bounds: West, south, east, north of the tile, metres.
            interval_hops: Hops between them along a chain.
            margin_m: Nodes so near the border are left out.

        Returns:
            int64 (points,), numbers of nodes.
        """
        west, south, east, north = bounds
        low, high = np.array([west, south]) + margin_m, np.array([east, north]) - margin_m
        inside = np.all((self.points > low) & (self.points < high), axis=1)
        cells = _cells(self.points, west, north)
        taken: set[tuple[int, int]] = set()
        covered: set[int] = set()
        chosen = []
        for node in self._candidates(interval_hops):
            cell = cells[node]
            if not inside[node] or cell in taken or (node in covered and len(self.neighbours[node]) != 1):
                continue
            taken.add(cell)
            covered.update(self.around(node, _COVER_HOPS))
            chosen.append(node)
        return np.array(chosen, np.int64)

    def _candidates(self, interval_hops: float) -> Iterator[int]:
        """Give for each node of degree other than two places along its chains, then the node."""
        begun: dict[int, list[list[int]]] = {}
        for chain in chains(self.neighbours):
            begun.setdefault(chain[0], []).append(chain)
        for node, others in enumerate(self.neighbours):
            if len(others) == 2:
                continue
            for chain in begun.get(node, ()):
                if len(chain) > int(interval_hops * 1.5):
                    parts = int(len(chain) / interval_hops) + 1
                    yield from (chain[int(len(chain) * part / parts)] for part in range(1, parts))
            yield node

    def match(self, points: Floats, *, cover_hops: int) -> Integers:
        """Find for each point a node within 10 m, no two within ``cover_hops`` of each other; -1 where there is none.

        The 10 nodes that are nearest in degrees are looked at, as in the reference; of equally near ones the last, where
        the reference leaves it to rounding.
        """
        matches = np.full(len(points), -1, np.int64)
        if not len(self.points) or not len(points):
            return matches
        scale = np.array([1 / _NARROW, 1.0])
        count = min(_NEAREST, len(self.points))
        away, near = cKDTree(self.points * scale).query(points * scale, k=list(range(1, count + 1)))
        order = np.lexsort((-near, np.rint(away * 1e6)), axis=1)
        near = np.take_along_axis(near, order, axis=1)
        apart = np.linalg.norm(self.points[near] - points[:, None], axis=2)
        covered: set[int] = set()
        for index, (nodes, distances) in enumerate(zip(near.tolist(), apart.tolist(), strict=True)):
            free = (n for n, d in zip(nodes, distances, strict=True) if d < SNAP_M and n not in covered)
            node = next(free, None)
            if node is not None:
                matches[index] = node
                covered.update(self.around(node, cover_hops))
        return matches


def _cells(points: Floats, west: float, north: float) -> list[tuple[int, int]]:
    """Return the cell of the reference's grid of 2 m (in degrees) that each point lies in."""
    down = (_ORIGIN[0] - (north - points[:, 1])) / HOP_M
    across = (-_ORIGIN[1] + (points[:, 0] - west) / _NARROW) / HOP_M
    return list(zip(np.trunc(down).astype(int).tolist(), np.trunc(across).astype(int).tolist(), strict=True))
