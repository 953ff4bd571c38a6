"""Skeleton pixels to a graph: nodes at ends and junctions, edges as polylines on pixel centres.

Works on the list of skeleton pixels, not on the raster, so its memory grows with the roads and not with the
image, and neither width nor number of nodes is limited by a small integer type.

Pixels are linked by mixed connectivity (Rosenfeld 1970): to the four direct neighbours always, to a diagonal
one only where no direct neighbour leads there. A full 2 x 2 block and junction pixels that touch count as one
node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.chains import Chains, label_groups, order_chains
from roadlift.network.polylines import Polylines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

CHAIN_LINKS = 2


@dataclass(frozen=True, eq=False)
class TracedGraph:
    """What the skeleton draws.

    Attributes:
        nodes: (nodes, 2) int64 row and column of each node's pixel: ends, junctions (the middle pixel of a
            cluster), isolated pixels (no edge) and one pixel of each ring that has no junction.
        rings: (nodes,) bool, the node is only where a ring was opened.
        u, v: (edges,) int64, the nodes at the first and last vertex of each edge.
        lines: the edges, row and column of pixel centres, from node to node.
    """

    nodes: Integers
    rings: Booleans
    u: Integers
    v: Integers
    lines: Polylines

    @property
    def degree(self) -> Integers:
        """Number of edge ends at each node (a self-loop counts twice), (nodes,)."""
        return np.bincount(np.concatenate([self.u, self.v]), minlength=len(self.nodes)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Links:
    first: Integers
    second: Integers
    blocks: Booleans  # (pixels,), part of a full 2 x 2 block


def trace_skeleton(skeleton: Booleans) -> TracedGraph:
    """Trace a skeleton raster.

    Args:
        skeleton: (rows, cols) bool, lines one pixel wide.

    Returns:
        The graph; lengths are in pixels, a diagonal step is sqrt(2).

    Example:
        >>> cross = np.zeros((5, 5), bool); cross[2, :] = cross[:, 2] = True
        >>> graph = trace_skeleton(cross)
        >>> len(graph.nodes), graph.lines.lengths.tolist()
        (5, [2.0, 2.0, 2.0, 2.0])
    """
    rows, cols = np.nonzero(skeleton)
    return trace_pixels(rows.astype(np.int64), cols.astype(np.int64))


def trace_pixels(rows: Integers, cols: Integers) -> TracedGraph:
    """Trace skeleton pixels given in reading order (by row, then column), each (pixels,) int64."""
    pixels = np.stack([rows, cols], axis=1).astype(np.int64).reshape(-1, 2)
    links = _link_pixels(pixels)
    degree = np.bincount(np.concatenate([links.first, links.second]), minlength=len(pixels))
    at_node = (degree != CHAIN_LINKS) | links.blocks
    node_of_pixel, middles = _cluster_nodes(pixels, links, degree, at_node)
    chains, left, right = _trace_chains(links, at_node)
    opened = pixels[chains.heads[chains.closed]]
    ring_nodes = len(middles) + np.arange(len(opened))
    u, v = np.full(len(left), -1, dtype=np.int64), np.full(len(left), -1, dtype=np.int64)
    u[chains.closed] = v[chains.closed] = ring_nodes
    u[~chains.closed], v[~chains.closed] = (node_of_pixel[side[~chains.closed]] for side in (left, right))
    direct = at_node[links.first] & at_node[links.second]
    direct &= node_of_pixel[links.first] != node_of_pixel[links.second]
    nodes = np.concatenate([pixels[middles], opened])
    ends_u, ends_v = np.append(left, links.first[direct]), np.append(right, links.second[direct])
    u, v = np.append(u, node_of_pixel[links.first[direct]]), np.append(v, node_of_pixel[links.second[direct]])
    lines = _draw_lines(pixels, nodes, chains, (u, v), (ends_u, ends_v))
    rings = np.arange(len(nodes)) >= len(middles)
    return TracedGraph(nodes, rings, u, v, lines)


def _link_pixels(pixels: Integers) -> _Links:
    """Mixed connectivity between pixels in reading order."""
    width = int(pixels[:, 1].max(initial=0)) + 3  # one empty column on either side: no wrap to the next row
    keys = pixels[:, 0] * width + pixels[:, 1]
    east, east_to = _neighbours(keys, 1)
    west = np.zeros_like(east)
    west[east_to] = True
    south, south_to = _neighbours(keys, width)
    southeast, southeast_to = _neighbours(keys, width + 1)
    southwest, southwest_to = _neighbours(keys, width - 1)
    corner = east & south & southeast
    blocks = corner.copy()
    blocks[east_to[corner[east]]] = True
    blocks[south_to[corner[south]]] = True
    blocks[southeast_to[corner[southeast]]] = True
    falls = (~(east | south))[southeast]
    rises = (~(west | south))[southwest]
    first = [np.flatnonzero(east), np.flatnonzero(south), np.flatnonzero(southeast)[falls]]
    second = [east_to, south_to, southeast_to[falls]]
    return _Links(
        np.concatenate([*first, np.flatnonzero(southwest)[rises]]),
        np.concatenate([*second, southwest_to[rises]]),
        blocks,
    )


def _neighbours(keys: Integers, shift: int) -> tuple[Booleans, Integers]:
    """Find the pixels that have a neighbour at ``shift`` and, for those, the neighbour's index."""
    if not len(keys):
        return np.empty(0, dtype=bool), np.empty(0, dtype=np.int64)
    position = np.minimum(np.searchsorted(keys, keys + shift), len(keys) - 1)
    found = keys[position] == keys + shift
    return found, position[found].astype(np.int64)


def _cluster_nodes(
    pixels: Integers, links: _Links, degree: Integers, at_node: Booleans
) -> tuple[Integers, Integers]:
    """Give the nodes numbers in reading order.

    Returns:
        The node of each pixel (pixels,), -1 on chains; and the pixel in the middle of each node (nodes,).
    """
    junction = (degree > CHAIN_LINKS) | links.blocks
    inside = junction[links.first] & junction[links.second]
    index = np.cumsum(at_node) - 1
    chosen = np.flatnonzero(at_node)
    groups = label_groups(len(chosen), index[links.first[inside]], index[links.second[inside]])
    counts = np.bincount(groups).astype(np.float64)
    centre = np.stack([np.bincount(groups, weights=pixels[chosen, axis]) for axis in (0, 1)], axis=1)
    distance = np.hypot(*(pixels[chosen] - (centre / counts[:, None])[groups]).T)
    nearest = np.lexsort((chosen, np.round(distance, 6), groups))
    middles = chosen[nearest[np.unique(groups[nearest], return_index=True)[1]]]
    rank = np.argsort(np.argsort(middles))
    node_of_pixel = np.full(len(pixels), -1, dtype=np.int64)
    node_of_pixel[chosen] = rank[groups]
    return node_of_pixel, np.sort(middles)


def _trace_chains(links: _Links, at_node: Booleans) -> tuple[Chains, Integers, Integers]:
    """Order the pixels between nodes.

    Returns:
        The chains (their items are pixel indices) and the node pixels that their heads and tails touch,
        each (chains,); -1 for a ring.
    """
    free = np.flatnonzero(~at_node)
    index = np.cumsum(~at_node) - 1
    between = ~at_node[links.first] & ~at_node[links.second]
    local = order_chains(len(free), index[links.first[between]], index[links.second[between]])
    chains = Chains(free[local.order], local.offsets, local.closed)
    chain_of_pixel = np.full(len(at_node), -1, dtype=np.int64)
    chain_of_pixel[chains.order] = chains.owner
    into_second = ~at_node[links.first] & at_node[links.second]
    into_first = at_node[links.first] & ~at_node[links.second]
    inner = np.append(links.first[into_second], links.second[into_first])
    outer = np.append(links.second[into_second], links.first[into_first])
    owner = chain_of_pixel[inner]
    by_side = np.lexsort((outer, inner != chains.heads[owner], owner))
    left, right = (
        np.full(len(chains.closed), -1, dtype=np.int64),
        np.full(len(chains.closed), -1, dtype=np.int64),
    )
    left[~chains.closed], right[~chains.closed] = outer[by_side[0::2]], outer[by_side[1::2]]
    return chains, left, right


def _draw_lines(
    pixels: Integers,
    nodes: Integers,
    chains: Chains,
    between_nodes: tuple[Integers, Integers],
    between_pixels: tuple[Integers, Integers],
) -> Polylines:
    """Draw node, the node's pixel that the chain touches, the chain, and the same at the other end."""
    edges = np.arange(len(between_nodes[0]))
    touching = [np.where(side < 0, 0, side) for side in between_pixels]
    attached = [
        np.where((side < 0)[:, None], nodes[node], pixels[touch] if len(pixels) else nodes[node])
        for side, touch, node in zip(between_pixels, touching, between_nodes, strict=True)
    ]
    middle = pixels[chains.order]
    parts = [nodes[between_nodes[0]], attached[0], middle, attached[1], nodes[between_nodes[1]]]
    owner = np.concatenate([edges, edges, chains.owner, edges, edges])
    place = np.repeat(np.arange(5), [len(part) for part in parts])
    order = np.lexsort((np.arange(len(owner)), place, owner))
    counts = np.bincount(owner, minlength=len(edges))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Polylines(np.concatenate(parts)[order].astype(np.float64), offsets).without_repeats()
