"""Order things that are linked one to the next: pixels along a skeleton, edges along a road.

The trick that keeps it free of Python loops: all chains are linked end to start into one long path, and one
breadth-first walk along it (compiled, in SciPy) visits every item of every chain in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Chains:
    """Items in the order in which they follow each other.

    Attributes:
        order: (items,) int64, the items of chain 0 from head to tail, then those of chain 1, ...
        offsets: (chains + 1,) int64, where each chain begins in ``order``.
        closed: (chains,) bool, the tail is linked to the head again (three items or more).
    """

    order: Integers
    offsets: Integers
    closed: NDArray[np.bool_]

    @property
    def owner(self) -> Integers:
        """Chain of each item in ``order``, (items,)."""
        return np.repeat(np.arange(len(self.closed), dtype=np.int64), np.diff(self.offsets))

    @property
    def heads(self) -> Integers:
        """First item of each chain, (chains,)."""
        return self.order[self.offsets[:-1]]

    @property
    def tails(self) -> Integers:
        """Last item of each chain, (chains,)."""
        return self.order[self.offsets[1:] - 1]


def label_groups(count: int, first: Integers, second: Integers) -> Integers:
    """Label the connected groups of ``count`` items that are linked pairwise, (count,) int64."""
    links = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    groups: Integers = connected_components(links, directed=False)[1].astype(np.int64)
    return groups


def order_chains(count: int, first: Integers, second: Integers) -> Chains:
    """Order ``count`` items that are linked in paths and rings: no item has more than two links.

    A path starts at its end with the smaller number; a ring at its smallest item, and runs first towards the
    smaller of that item's two neighbours.

    Args:
        count: number of items.
        first: (links,) int64, the item at one end of each link.
        second: (links,) int64, the item at the other end.

    Example:
        >>> chains = order_chains(5, np.array([4, 0]), np.array([2, 4]))   # 0-4-2, 1, 3
        >>> chains.order.tolist(), chains.offsets.tolist()
        ([0, 4, 2, 1, 3], [0, 3, 4, 5])
    """
    if not count:
        empty = np.empty(0, dtype=np.int64)
        return Chains(empty, np.zeros(1, dtype=np.int64), np.empty(0, dtype=bool))
    links = np.sort(np.minimum(first, second) * count + np.maximum(first, second))
    pairs = np.stack(np.divmod(links[np.append([True], links[1:] > links[:-1])[: len(links)]], count))
    groups = label_groups(count, pairs[0], pairs[1])
    degree = np.bincount(pairs.ravel(), minlength=count)
    ends = np.flatnonzero(degree < 2)
    total = int(groups.max()) + 1
    heads, tails = np.full(total, -1, dtype=np.int64), np.full(total, -1, dtype=np.int64)
    heads[groups[ends][::-1]] = ends[::-1]
    tails[groups[ends]] = ends
    closed = heads < 0
    items = np.arange(count - 1, -1, -1)
    smallest = np.empty(total, dtype=np.int64)
    smallest[groups[items]] = items
    heads[closed] = smallest[closed]
    # In sorted pairs the links of a ring's smallest item come as (head, near), (head, far): cut the second.
    from_head = closed[groups[pairs[0]]] & (pairs[0] == heads[groups[pairs[0]]])
    cut = from_head & np.append([False], (pairs[0][1:] == pairs[0][:-1]) & from_head[:-1])[: len(from_head)]
    tails[groups[pairs[0][cut]]] = pairs[1][cut]
    joined = np.concatenate([pairs[:, ~cut], np.stack([tails[:-1], heads[1:]])], axis=1)
    order = _walk(count, joined, int(heads[0]))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=total))]).astype(np.int64)
    return Chains(order, offsets, closed)


def _walk(count: int, links: Integers, start: int) -> Integers:
    both = np.concatenate([links, links[::-1]], axis=1)
    path = coo_array((np.ones(both.shape[1], dtype=np.int8), (both[0], both[1])), shape=(count, count))
    order: Integers = breadth_first_order(path.tocsr(), start, return_predecessors=False).astype(np.int64)
    return order
