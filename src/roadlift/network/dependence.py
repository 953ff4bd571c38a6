"""What hangs on a single road: the length that only it connects with the rest."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]


def length_behind(u: Integers, v: Integers, length_m: Floats) -> Floats:
    """Return the length of the smaller part that would be cut off if an edge were not there; 0 where there is another way.

    Such edges are the bridges of graph theory (J. M. Schmidt, A simple test on 2-vertex- and 2-edge-connectivity, 2013).

    Args:
        u: (edges,) ids of nodes at one end.
        v: (edges,) and at the other.
        length_m: (edges,) metres.

    Returns:
        (edges,) metres.

    Example:
        >>> length_behind(np.array([0, 1, 2]), np.array([1, 2, 3]), np.array([100.0, 10.0, 300.0])).tolist()
        [0.0, 100.0, 0.0]
    """
    _, ends = np.unique(np.concatenate([u, v]), return_inverse=True)
    ends = ends.reshape(2, -1)
    sole = _is_sole_link(ends)
    block = _pieces(ends[:, ~sole], int(ends.max(initial=-1)) + 1)
    weight = np.zeros(block.max(initial=-1) + 1)
    np.add.at(weight, block[ends[0, ~sole]], length_m[~sole])
    piece = _pieces(ends, len(block))[ends[0]]
    total = np.bincount(piece, weights=length_m)[piece]
    behind = np.zeros(len(length_m))
    behind[sole] = _one_side(block[ends[:, sole]], length_m[sole], weight)
    return np.where(sole, np.minimum(behind, total - behind - length_m), 0.0)


def _is_sole_link(ends: Integers) -> NDArray[np.bool_]:
    """Find the edges between whose ends there is no other way; (edges,)."""
    graph = nx.MultiGraph(pair for pair in ends.T.tolist() if pair[0] != pair[1])
    found = {frozenset(pair) for pair in nx.bridges(graph)}
    return np.fromiter((frozenset(pair) in found for pair in ends.T.tolist()), bool, ends.shape[1])


def _pieces(ends: Integers, nodes: int) -> Integers:
    """Return the number of the connected piece of each node."""
    links = coo_array((np.ones(ends.shape[1]), (ends[0], ends[1])), shape=(nodes, nodes))
    piece: Integers = connected_components(links, directed=False)[1].astype(np.int64)
    return piece


def _one_side(blocks: Integers, length_m: Floats, weight: Floats) -> Floats:
    """Return the length on one side of each link of a forest, found by taking off leaves.

    Args:
        blocks: (2, links) what each link joins.
        length_m: (links,) of the links.
        weight: (blocks,) length inside each block.
    """
    behind, weight, joined = np.zeros(len(length_m)), weight.copy(), blocks.T.tolist()
    links: dict[int, set[int]] = defaultdict(set)
    for link, pair in enumerate(joined):
        for block in pair:
            links[block].add(link)
    leaves = [block for block, own in links.items() if len(own) == 1]
    for leaf in leaves:  # which grows
        if not links[leaf]:
            continue
        (link,) = links[leaf]
        (rest,) = set(joined[link]) - {leaf}
        behind[link] = weight[leaf]
        weight[rest] += weight[leaf] + length_m[link]
        links[rest].discard(link)
        if len(links[rest]) == 1:
            leaves.append(rest)
    return behind
