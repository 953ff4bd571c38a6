"""What two networks are like as a whole: pieces, dead ends, length, and how their widths and places differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from scipy.sparse import csgraph

from roadlift.evaluate.buffers import ratio
from roadlift.evaluate.graph import Bounds, RoadGraph, weighted_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BORDER_M = 10.0
MATCH_M = 10.0
STEP_M = 5.0


@dataclass(frozen=True)
class NetworkShape:
    """One network as a whole; shapes of several tiles add up with ``+``.

    Attributes:
        length_km: Length of all roads.
        components: Connected pieces.
        dead_ends: Ends of roads that are not at the border of the tile.
        junctions: Nodes where three road ends or more meet.

    Example:
        >>> graph = RoadGraph.from_lines([[(0, 0), (500, 0)], [(500, 0), (1000, 0)], [(0, 90), (1000, 90)]])
        >>> shape = NetworkShape.of(graph)
        >>> shape.components, shape.dead_ends, shape.dead_ends_per_km
        (2, 4, 2.0)
    """

    length_km: float = 0.0
    components: int = 0
    dead_ends: int = 0
    junctions: int = 0

    @classmethod
    def of(cls, graph: RoadGraph, *, bounds: Bounds | None = None) -> NetworkShape:
        """Count the pieces of a graph.

        Args:
            graph: The roads.
            bounds: West, south, east, north of the tile, metres: ends within 10 m of it are no dead ends, the road goes on
                outside. None: all ends are.
        """
        matrix = weighted_graph(graph.ends, graph.lengths, len(graph.points))
        ends = graph.points[graph.degrees == 1]
        if bounds is not None:
            low, high = np.array(bounds[:2]) + BORDER_M, np.array(bounds[2:]) - BORDER_M
            ends = ends[((ends > low) & (ends < high)).all(axis=1)]
        pieces = csgraph.connected_components(matrix, directed=False)[0] if len(graph.points) else 0
        return cls(graph.length_m / 1000, int(pieces), len(ends), int((graph.degrees >= 3).sum()))

    def __add__(self, other: NetworkShape) -> NetworkShape:
        return NetworkShape(
            self.length_km + other.length_km,
            self.components + other.components,
            self.dead_ends + other.dead_ends,
            self.junctions + other.junctions,
        )

    @property
    def components_per_km(self) -> float:
        """Connected pieces per kilometre of road; NaN without roads."""
        return ratio(self.components, self.length_km)

    @property
    def dead_ends_per_km(self) -> float:
        """Dead ends per kilometre of road; NaN without roads."""
        return ratio(self.dead_ends, self.length_km)


@dataclass(frozen=True)
class NetworkScore:
    """Two networks as wholes.

    Attributes:
        truth: The true network.
        predicted: The predicted network.
        matched_km: Predicted road within 10 m of a true one.
        offset_m: Mean distance of that road from the true one; NaN without any.
        width_error_m: Mean of the absolute difference of its width and the true one; NaN where no width is known on both.
        width_bias_m: Mean of the difference: above 0 where roads are predicted too wide.
        reason: Why a value is not a number; else empty.
    """

    truth: NetworkShape
    predicted: NetworkShape
    matched_km: float
    offset_m: float
    width_error_m: float
    width_bias_m: float
    reason: str = ""

    @property
    def length_ratio(self) -> float:
        """Predicted length over true length; NaN where the truth has no roads."""
        return ratio(self.predicted.length_km, self.truth.length_km)


def network_score(truth: RoadGraph, predicted: RoadGraph, *, bounds: Bounds | None = None) -> NetworkScore:
    """Compare two networks as wholes; the predicted one is looked at every 5 m.

    Args:
        truth: The true roads.
        predicted: The predicted roads, in the same coordinates.
        bounds: West, south, east, north of the tile, metres; ends at it are no dead ends. None: all ends are.

    Example:
        >>> road = RoadGraph.from_lines([[(0, 0), (1000, 0)]], widths_m=7)
        >>> score = network_score(road, RoadGraph.from_lines([[(0, 2), (500, 2)]], widths_m=8))
        >>> score.length_ratio, score.offset_m, score.width_error_m
        (0.5, 2.0, 1.0)
    """
    shapes = [NetworkShape.of(graph, bounds=bounds) for graph in (truth, predicted)]
    points, edge, weight = samples(predicted)
    distance, nearest = nearest_edges(truth, points)
    near = distance <= MATCH_M
    weight, edge, distance, nearest = weight[near], edge[near], distance[near], nearest[near]
    offset = ratio(float((distance * weight).sum()), float(weight.sum()))
    differences = predicted.widths[edge] - truth.widths[nearest]
    known = np.isfinite(differences)
    total = float(weight[known].sum())
    error = ratio(float((np.abs(differences) * weight)[known].sum()), total)
    bias = ratio(float((differences * weight)[known].sum()), total)
    reasons = []
    if not weight.size:
        reasons.append("no predicted road lies within 10 m of a true one")
    elif not known.any():
        reasons.append("no road has its width in the prediction and in the truth")
    matched = float(weight.sum()) / 1000
    return NetworkScore(shapes[0], shapes[1], matched, offset, error, bias, "; ".join(reasons))


def samples(graph: RoadGraph) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Return points about every 5 m: float64 (points, 2), the edge of each, and the metres of road it stands for."""
    counts = np.maximum(np.rint(graph.lengths / STEP_M).astype(np.int64), 1)
    edge = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(edge.size) - np.repeat(np.cumsum(counts) - counts, counts)
    along = (number + 0.5) / counts[edge]
    points = shapely.line_interpolate_point(graph.lines[edge], along, normalized=True)
    return shapely.get_coordinates(points), edge, (graph.lengths / counts)[edge]


def nearest_edges(graph: RoadGraph, points: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return the distance from each point to the nearest edge, infinite without edges, and the number of that edge."""
    distances, edges = np.full(len(points), np.inf), np.zeros(len(points), np.int64)
    if len(points) and graph.lines.size:
        tree = shapely.STRtree(graph.lines)
        (index, found), apart = tree.query_nearest(
            shapely.points(points), return_distance=True, all_matches=False
        )
        distances[index], edges[index] = apart, found
    return distances, edges
