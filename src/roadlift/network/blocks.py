"""A large raster in blocks: roads are drawn in each with a margin around it, and put together along the seams.

Blocks depend on the shape of the raster and on nothing else, so the network does not depend on the memory there is. An edge
is drawn whole by every block that sees all of it, with the same result; the block that has its middle keeps it. What is too
long for that is cut at the seams, from one and the same drawing but for the phase of its vertices, and joined again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from scipy.spatial import cKDTree

from roadlift.imagery.grid import Window
from roadlift.network.chains import label_groups
from roadlift.network.cut import cut_to_area
from roadlift.network.drawing import Drawing
from roadlift.network.finding import Finding, collected
from roadlift.network.linegraph import LineGraph, merge_through_nodes
from roadlift.network.mask import find_roads
from roadlift.network.options import NetworkOptions
from roadlift.network.polylines import Polylines
from roadlift.network.processes import map_rasters
from roadlift.network.raster import ArrayRaster, Part, as_raster, in_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from roadlift.network.raster import Raster

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]

BLOCK_PX = 6144
"""Largest side of a block; its memory is that of the roads on it (docs/scale.md)."""
ALIGNED_PX = 512
MARGIN_M = 256.0
LEAST_MARGIN_PX = 64
SEAM_SHIFT = 0.2137
"""Seams lie beside the places where lines like to be: middles and edges of pixels."""
SAME_PX = 0.5
"""Nodes of two blocks so near to each other are one."""
BESIDE_PX = 2.0
"""Two drawings of one edge are nowhere farther apart."""
JOINED_PX = (10.0, 60.0)
"""Ends at a seam are joined within the first; those left over, of roads almost along the seam, within the second."""


@dataclass(frozen=True)
class Block:
    """A part of the raster: ``core`` is what it answers for, ``window`` = core and margin what it looks at."""

    core: Window
    window: Window


def blocks_of(shape: tuple[int, int], *, margin: int) -> list[Block]:
    """Cut a raster into blocks of much the same size, row by row; a small one is one block.

    Args:
        shape: (rows, cols).
        margin: pixels around each core.

    Example:
        >>> [(block.core.col, block.core.width) for block in blocks_of((5000, 13_000), margin=256)]
        [(0, 4096), (4096, 4608), (8704, 4296)]
    """
    rows, cols = (_cuts(side) for side in shape)
    cores = [
        Window(top, left, bottom - top, right - left)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(cols)
    ]
    return [Block(core, core.pad(margin).clip(shape)) for core in cores]


def _cuts(side: int) -> list[int]:
    count = -(-side // BLOCK_PX)
    inner = [round(side * number / count / ALIGNED_PX) * ALIGNED_PX for number in range(1, count)]
    return [0, *inner, side]


def margin_px(ground_resolution_m: float) -> int:
    """Pixels around a block: wider than what is decided anywhere looks."""
    return min(max(round(MARGIN_M / ground_resolution_m), LEAST_MARGIN_PX), BLOCK_PX // 4)


def draw_in_blocks(
    raster: Raster, draw: Drawing, *, margin: int, processes: int = 1
) -> tuple[LineGraph, list[Finding]]:
    """Draw the roads of a raster block by block; memory is that of one block a process and of the finished lines.

    Args:
        raster: any size.
        draw: makes graph and findings of a raster, in its pixels.
        margin: pixels that a block looks at beyond its core.
        processes: blocks that are drawn at the same time; the result is the same.

    Returns:
        Graph and findings in the pixels of the raster.
    """
    places = [Place(block, raster.shape, margin) for block in blocks_of(raster.shape, margin=margin)]
    if len(places) == 1:
        return draw(in_memory(raster))
    items = [
        {
            "place": asdict(place),
            "ground_resolution_m": draw.ground_resolution_m,
            "options": asdict(draw.options),
        }
        for place in places
    ]
    parts = map_rasters(
        draw_block,
        items,
        lambda number: in_memory(Part(raster, places[number].block.window)).values,
        processes=processes,
    )
    found = [finding for part in parts for finding in _findings_of(part)]
    return _stitched([_share_of(part) for part in parts]), collected(found)


def draw_block(item: dict[str, Any], values: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Draw a block, given its pixels; what belongs to it as plain arrays, in the pixels of the raster.

    Args:
        item: ``place``, ``ground_resolution_m`` and ``options``, as JSON holds them.
        values: uint8 (rows, cols), the block with its margin.
    """
    core, window = (Window(**item["place"]["block"][name]) for name in ("core", "window"))
    rows, cols = item["place"]["shape"]
    place = Place(Block(core, window), (rows, cols), item["place"]["margin"])
    draw = Drawing(item["ground_resolution_m"], NetworkOptions(**item["options"]))
    graph, found = draw(ArrayRaster(values))
    origin = np.array([window.row, window.col], dtype=np.float64)
    lines = [one.lines.moved(one.lines.coordinates + origin) for one in found]
    moved = [Finding(one.kind, one.reason, at, one.cost_m) for one, at in zip(found, lines, strict=True)]
    own = [one.take(place.owns(_middles(one.lines), 0.0)) for one in moved]
    return _arrays(_share(_shifted(graph, origin), place), own)


_GRAPH = ("nodes", "border", "radius", "u", "v", "bridge_cost")


def _arrays(share: Share, found: list[Finding]) -> dict[str, NDArray[Any]]:
    lines = {"lines": share.graph.lines, "seen": share.seen}
    lines["found"] = Polylines.concatenated([one.lines for one in found])
    arrays = {name: getattr(share.graph, name) for name in _GRAPH} | {"seam": share.seam}
    for name, each in lines.items():
        arrays |= {name: each.coordinates, f"{name}_offsets": each.offsets}
    costs = [np.broadcast_to(one.cost_m, len(one.lines)) for one in found]
    arrays["found_counts"] = np.array([len(one.lines) for one in found], dtype=np.int64)
    arrays["found_cost"] = np.concatenate([np.empty(0), *costs])
    arrays["found_kind"], arrays["found_reason"] = (
        np.array([getattr(one, name) for one in found], dtype=str) for name in ("kind", "reason")
    )
    return arrays


def _share_of(arrays: dict[str, NDArray[Any]]) -> Share:
    lines, seen = (Polylines(arrays[name], arrays[f"{name}_offsets"]) for name in ("lines", "seen"))
    graph = LineGraph(lines=lines, **{name: arrays[name] for name in _GRAPH})
    return Share(graph, arrays["seam"], seen)


def _findings_of(arrays: dict[str, NDArray[Any]]) -> list[Finding]:
    lines = Polylines(arrays["found"], arrays["found_offsets"])
    bounds = np.concatenate([[0], np.cumsum(arrays["found_counts"])])
    return [
        Finding(str(kind), str(reason), lines.take(np.arange(first, last)), arrays["found_cost"][first:last])
        for kind, reason, (first, last) in zip(
            arrays["found_kind"], arrays["found_reason"], pairwise(bounds.tolist()), strict=True
        )
    ]


def road_masks(
    probability: NDArray[np.uint8] | Raster, *, ground_resolution_m: float, options: NetworkOptions
) -> Iterator[tuple[Window, Booleans]]:
    """Do what `road_mask` does for a raster of any size: the cores of its blocks, each with its part of the mask.

    Args:
        probability: as for `vectorize`.
        ground_resolution_m: metres per pixel.
        options: thresholds and areas.
    """
    raster = as_raster(probability)
    for block in blocks_of(raster.shape, margin=margin_px(ground_resolution_m)):
        part = Part(raster, block.window)
        roads = find_roads(part, ground_resolution_m=ground_resolution_m, options=options).roads
        core = block.core.shift(-block.window.row, -block.window.col)
        mask = roads.to_mask(core.row, core.row + core.height)
        yield block.core, mask[:, core.slices[1]]


def _shifted(graph: LineGraph, origin: Floats) -> LineGraph:
    lines = graph.lines.moved(graph.lines.coordinates + origin)
    return replace(graph, nodes=graph.nodes + origin, lines=lines)


@dataclass(frozen=True)
class Place:
    """A block on its raster."""

    block: Block
    shape: tuple[int, int]
    margin: int

    @property
    def longest(self) -> float:
        """Pixels up to which an edge with its middle in the core is sure to be seen whole."""
        return 1.5 * self.margin

    def frame(self, window: Window, inwards: float) -> tuple[Floats, Floats]:
        """Return the corners of a window, moved inwards where the raster goes on, without end where it does not."""
        first = np.array([window.row, window.col], dtype=np.float64)
        last = first + window.shape
        low = np.where(first > 0, first + inwards, -np.inf)
        return low, np.where(last < np.array(self.shape), last - inwards, np.inf)

    def owns(self, points: Floats, outwards: float) -> Booleans:
        """Which points, (points, 2), lie in the core or so near to it."""
        low, high = self.frame(self.block.core, -outwards)
        inside: Booleans = np.all(
            (points >= low - 0.5 + SEAM_SHIFT) & (points < high - 0.5 + SEAM_SHIFT), axis=1
        )
        return inside

    @property
    def area(self) -> shapely.Polygon:
        """The core in rows and columns, with room around the raster."""
        low, high = self.frame(self.block.core, 0.0)
        beyond = float(max(self.shape)) + 1.0
        low, high = np.maximum(low, -beyond), np.minimum(high, 2 * beyond)
        box: shapely.Polygon = shapely.box(*(low - 0.5 + SEAM_SHIFT), *(high - 0.5 + SEAM_SHIFT))
        return box


@dataclass(frozen=True, eq=False)
class Share:
    """What a block gives to the whole: edges it has the middle of, and the pieces in its core of what is too long.

    Attributes:
        graph: the edges, pieces last.
        seam: (nodes,) bool, a piece was cut here.
        seen: for each piece all that the block saw of its edge.
    """

    graph: LineGraph
    seam: Booleans
    seen: Polylines


def _share(graph: LineGraph, place: Place) -> Share:
    """Choose what of a block's graph belongs to it."""
    lines = graph.lines
    low, high = place.frame(place.block.window, place.margin / 4)
    within = np.all((lines.coordinates >= low) & (lines.coordinates <= high), axis=1)
    whole = np.bincount(lines.owner, weights=~within, minlength=len(lines)) == 0
    own = whole & (lines.lengths <= place.longest) & place.owns(_middles(lines), 1.0)
    long = np.flatnonzero(~own & (~whole | (lines.lengths > place.longest - BESIDE_PX)))
    pieces, owner, cuts = cut_to_area(lines.take(long), place.area, tolerance=np.full(2, 1e-6))
    edge = long[owner]
    number = len(graph.nodes) + np.cumsum(cuts.ravel()).reshape(cuts.shape) - 1
    ends = np.where(cuts, number, np.stack([graph.u[edge], graph.v[edge]], axis=1)).reshape(-1, 2)
    cut_places = np.stack([pieces.starts, pieces.ends], axis=1)[cuts]
    cut_radius = np.repeat(np.maximum(graph.radius[graph.u], graph.radius[graph.v])[edge], 2).reshape(-1, 2)[
        cuts
    ]
    u, v = (np.concatenate([old[own], ends[:, side]]) for side, old in enumerate((graph.u, graph.v)))
    whole_graph = LineGraph(
        np.concatenate([graph.nodes, cut_places]),
        np.append(graph.border, np.zeros(len(cut_places), dtype=bool)),
        np.append(graph.radius, cut_radius),
        u,
        v,
        Polylines.concatenated([lines.take(own), pieces]),
        np.concatenate([graph.bridge_cost[own], graph.bridge_cost[edge]]),
    )
    seam = np.unique(np.concatenate([u, v])) >= len(graph.nodes)
    return Share(whole_graph.only(np.ones(len(u), dtype=bool)), seam, lines.take(edge))


def _middles(lines: Polylines) -> Floats:
    """Find the point half-way along each line, (lines, 2)."""
    middles: Floats = shapely.get_coordinates(
        shapely.line_interpolate_point(lines.to_shapely(), 0.5, normalized=True)
    ).reshape(-1, 2)
    return middles


def _stitched(shares: Sequence[Share]) -> LineGraph:
    """Put the shares together: every edge once, nodes that are the same place one, pieces joined at the seams."""
    graph, origin = _side_by_side([share.graph for share in shares])
    pieces = np.concatenate(
        [np.arange(len(share.graph.u)) >= len(share.graph.u) - len(share.seen) for share in shares]
    )
    seen = Polylines.concatenated([share.seen for share in shares])
    keep = ~_doubles(graph.lines, origin[graph.u], ~pieces)
    keep[
        np.flatnonzero(pieces)[
            _covered(seen, origin[graph.u[pieces]], graph, origin[graph.u], keep & ~pieces)
        ]
    ] = False
    graph, used = graph.only(keep), np.unique(np.concatenate([graph.u[keep], graph.v[keep]]))
    seam = np.concatenate([share.seam for share in shares])[used]
    return merge_through_nodes(_joined(graph, origin[used], seam))


def _side_by_side(graphs: Sequence[LineGraph]) -> tuple[LineGraph, Integers]:
    """All graphs in one, and the number of the graph that each node is of."""
    counts = [len(graph.nodes) for graph in graphs]
    shift = np.cumsum([0, *counts])
    u, v = (
        np.concatenate([getattr(graph, end) + by for graph, by in zip(graphs, shift, strict=False)])
        for end in ("u", "v")
    )
    nodes, border, radius, cost = (
        np.concatenate([getattr(graph, name) for graph in graphs])
        for name in ("nodes", "border", "radius", "bridge_cost")
    )
    lines = Polylines.concatenated([graph.lines for graph in graphs])
    return LineGraph(nodes, border, radius, u, v, lines, cost), np.repeat(np.arange(len(graphs)), counts)


def _doubles(lines: Polylines, origin: Integers, chosen: Booleans) -> Booleans:
    """Which edges a block before has kept too, because their middle is at the seam, (edges,) bool."""
    edges = np.flatnonzero(chosen)
    double = np.zeros(len(lines), dtype=bool)
    pairs = edges[_pairs(_middles(lines.take(edges)), origin[edges], BESIDE_PX)]
    one, two = (lines.take(pairs[:, side]).to_shapely() for side in (0, 1))
    double[pairs[shapely.hausdorff_distance(one, two) <= 2 * BESIDE_PX].max(axis=1)] = True
    return double


def _covered(
    seen: Polylines, seen_origin: Integers, graph: LineGraph, origin: Integers, whole: Booleans
) -> Booleans:
    """Which lines are part of an edge that another block has kept whole, (seen,) bool."""
    edges = np.flatnonzero(whole)
    kept, lines = graph.lines.take(edges).to_shapely(), seen.to_shapely()
    piece, edge = shapely.STRtree(kept).query(lines, predicate="dwithin", distance=BESIDE_PX)
    other = seen_origin[piece] != origin[edges[edge]]
    piece, edge = piece[other], edge[other]
    covered = np.zeros(len(seen), dtype=bool)
    covered[piece[shapely.covers(shapely.buffer(kept[edge], BESIDE_PX), lines[piece])]] = True
    return covered


def _joined(graph: LineGraph, origin: Integers, seam: Booleans) -> LineGraph:
    """Make one node of those of different blocks that are the same place, and of the two ends of each cut."""
    inner, cuts = np.flatnonzero(~seam), np.flatnonzero(seam)
    same = inner[_pairs(graph.nodes[inner], origin[inner], SAME_PX)]
    nodes = graph.nodes.copy()
    found = [same]
    for reach in JOINED_PX:
        ends = cuts[_nearest_pairs(graph.nodes[cuts], origin[cuts], reach)]
        nodes[ends] = nodes[ends].mean(axis=1, keepdims=True)
        found.append(ends)
        cuts = np.setdiff1d(cuts, ends)
    pairs = np.concatenate(found)
    group = label_groups(len(nodes), pairs[:, 0], pairs[:, 1])
    _, first = np.unique(group, return_index=True)
    border = np.bincount(group, weights=graph.border) > 0
    u, v = group[graph.u], group[graph.v]
    moved = LineGraph(nodes[first], border, graph.radius[first], u, v, graph.lines, graph.bridge_cost)
    return moved.moved(nodes[first])


def _pairs(points: Floats, origin: Integers, reach: float) -> Integers:
    """Pairs of points of different blocks that are at most so far apart, (pairs, 2)."""
    if not len(points):
        return np.empty((0, 2), dtype=np.int64)
    found = cKDTree(points).query_pairs(reach, output_type="ndarray").reshape(-1, 2).astype(np.int64)
    pairs: Integers = found[origin[found[:, 0]] != origin[found[:, 1]]]
    return pairs


def _nearest_pairs(points: Floats, origin: Integers, reach: float) -> Integers:
    """Those pairs, each point in one at most: the nearest first, (pairs, 2)."""
    pairs = _pairs(points, origin, reach)
    apart = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    taken, chosen = np.zeros(len(points), dtype=bool), []
    for pair in pairs[np.argsort(apart, kind="stable")]:
        if not taken[pair].any():
            taken[pair] = True
            chosen.append(pair)
    return np.array(chosen, dtype=np.int64).reshape(-1, 2)
