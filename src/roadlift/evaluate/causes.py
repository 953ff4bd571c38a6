"""What costs the score, from what was measured: edges, missed roads, gaps, false roads, false areas, offset."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from roadlift.evaluate.buffers import RelaxedCounts, ratio
from roadlift.evaluate.network import MATCH_M, nearest_edges, samples
from roadlift.evaluate.pixels import Confusion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.evaluate.graph import RoadGraph
    from roadlift.evaluate.pairs import Pair

    Booleans = NDArray[np.bool_]

EDGE_PX = 3
GAP_M = 50.0
NARROW_M = 5.0
NARROW_SHARE = 0.02
AREA_WIDTH_M = 16.0
SNAP_M = 4.0


@dataclass(frozen=True)
class Causes:
    """Sums of what went wrong; those of several images add up with ``+``.

    Attributes:
        union_px: Pixels that are road in the prediction or the truth: IoU is lost in shares of them.
        missed_edge_px: Missed road pixels within 3 pixels of a predicted one.
        false_edge_px: False road pixels within 3 pixels of a true one.
        missed_px: Missed road pixels farther away.
        false_px: False road pixels farther away ...
        false_area_px: ... and those of them in areas wider than 16 m: car parks, yards, roofs, bare ground.
        true_m: Length of the true roads.
        missed_m: Length of the true roads without a predicted one within 10 m ...
        gap_m: ... and of that in gaps of up to 50 m between found parts of the same road.
        gaps: Such gaps.
        narrow_m: Length of the true roads known to be under 5 m wide ...
        missed_narrow_m: ... and of that missed.
        wide_m: Length of the true roads known to be wider ...
        missed_wide_m: ... and of that missed.
        predicted_m: Length of the predicted roads.
        false_m: Length of the predicted roads without a true one within 10 m.
        matched_m: Length of the others.
        offset_m2: Sum over these of metres times their distance from the true road.
        far_m: Length of these farther than 4 m from the true road: too far for the spacenet variant of APLS.
    """

    union_px: int = 0
    missed_edge_px: int = 0
    false_edge_px: int = 0
    missed_px: int = 0
    false_px: int = 0
    false_area_px: int = 0
    true_m: float = 0.0
    missed_m: float = 0.0
    gap_m: float = 0.0
    gaps: int = 0
    narrow_m: float = 0.0
    missed_narrow_m: float = 0.0
    wide_m: float = 0.0
    missed_wide_m: float = 0.0
    predicted_m: float = 0.0
    false_m: float = 0.0
    matched_m: float = 0.0
    offset_m2: float = 0.0
    far_m: float = 0.0

    @classmethod
    def of(cls, pair: Pair) -> Causes:
        """Measure one pair."""
        predicted, truth = pair.predicted, pair.truth
        counts = Confusion.of(predicted, truth, valid=pair.valid)
        near = RelaxedCounts.of(predicted, truth, radius_px=EDGE_PX)
        missed, false = near.truth - near.near_predicted, near.predicted - near.near_truth
        return cls(
            union_px=counts.true_positive + counts.false_positive + counts.false_negative,
            missed_edge_px=counts.false_negative - missed,
            false_edge_px=counts.false_positive - false,
            missed_px=missed,
            false_px=false,
            false_area_px=_area_pixels(predicted, truth, pair.ground_resolution_m),
            **_missed(pair.true_roads, pair.roads),
            **_false(pair.true_roads, pair.roads),
        )

    def __add__(self, other: Causes) -> Causes:
        return Causes(
            **{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        )

    def words(self) -> list[str]:
        """Say what costs the score, the costliest first; each sentence has its number."""
        lines = sorted(self._overlap_costs(), reverse=True)
        return [text for cost, text in lines if cost >= 0.005] + self._connection_costs()

    def _overlap_costs(self) -> list[tuple[float, str]]:
        """Give sentences on what costs IoU, with the share of the union."""
        area = self.false_area_px
        costs = {
            "true roads that are not found at all": self.missed_px,
            "false roads that are not near a true one": self.false_px - area,
            f"false areas wider than {AREA_WIDTH_M:.0f} m, such as car parks, yards and bare ground": area,
            f"road bands too narrow or beside the true ones, by up to {EDGE_PX} pixels": self.missed_edge_px,
            f"road bands too wide or beside the true ones, by up to {EDGE_PX} pixels": self.false_edge_px,
        }
        shares = ((ratio(pixels, self.union_px), what) for what, pixels in costs.items())
        return [(share, f"{100 * share:.1f} points of IoU: {what}.") for share, what in shares]

    def _connection_costs(self) -> list[str]:
        """Give sentences on what costs the scores of graphs."""
        found = []
        if self.missed_m > 0:
            found.append(
                f"{_percent(self.missed_m, self.true_m)} of the true length is missed ({_km(self.missed_m)})."
            )
        if self.gaps:
            found.append(
                f"Gaps of up to {GAP_M:.0f} m in roads that are found on both sides: {self.gaps}, together "
                f"{self.gap_m:.0f} m; few pixels, but ways end there."
            )
        if self.narrow_m > NARROW_SHARE * self.true_m and self.wide_m > 0:
            found.append(
                f"Of roads under {NARROW_M:.0f} m wide {_percent(self.missed_narrow_m, self.narrow_m)} is missed, of wider "
                f"ones {_percent(self.missed_wide_m, self.wide_m)}."
            )
        if self.false_m > 0:
            found.append(
                f"{_percent(self.false_m, self.predicted_m)} of the predicted length is false ({_km(self.false_m)})."
            )
        if self.matched_m > 0:
            found.append(
                f"Roads that are found lie {self.offset_m2 / self.matched_m:.1f} m beside the true ones on average; "
                f"{_percent(self.far_m, self.matched_m)} of them more than {SNAP_M:.0f} m, too far for APLS (spacenet)."
            )
        return found


def _percent(part: float, whole: float) -> str:
    return f"{100 * ratio(part, whole):.0f} %" if whole else "0 %"


def _km(metres: float) -> str:
    return f"{metres / 1000:.2f} km"


def _area_pixels(predicted: Booleans, truth: Booleans, ground_resolution_m: float) -> int:
    """Count false pixels far from true roads in parts of the prediction that are wider than roads."""
    radius = AREA_WIDTH_M / 2 / ground_resolution_m
    cores = ndimage.distance_transform_edt(np.pad(predicted, 1))[1:-1, 1:-1] > radius
    if not cores.any():
        return 0
    wide = ndimage.distance_transform_edt(~cores) <= radius
    near_truth = ndimage.maximum_filter(truth, size=2 * EDGE_PX + 1, mode="constant", cval=False)
    return int((predicted & wide & ~near_truth).sum())


def _missed(truth: RoadGraph, predicted: RoadGraph) -> dict[str, Any]:
    points, edge, weight = samples(truth)
    missed = nearest_edges(predicted, points)[0] > MATCH_M
    width = truth.widths[edge] if edge.size else np.zeros(0)
    narrow, wide = width < NARROW_M, width >= NARROW_M
    lengths = _gap_lengths(edge, missed, weight)
    return {
        "true_m": float(weight.sum()),
        "missed_m": float(weight[missed].sum()),
        "gap_m": float(sum(lengths)),
        "gaps": len(lengths),
        "narrow_m": float(weight[narrow].sum()),
        "missed_narrow_m": float(weight[narrow & missed].sum()),
        "wide_m": float(weight[wide].sum()),
        "missed_wide_m": float(weight[wide & missed].sum()),
    }


def _gap_lengths(edge: NDArray[np.int64], missed: Booleans, weight: NDArray[np.float64]) -> list[float]:
    """Return the lengths of missed runs up to 50 m with found parts of the same edge before and after."""
    if not missed.any():
        return []
    ends = np.flatnonzero((np.diff(edge) != 0) | (np.diff(missed.astype(np.int8)) != 0)) + 1
    runs = np.split(np.arange(edge.size), ends)
    between = [
        run
        for before, run, after in zip(runs, runs[1:], runs[2:], strict=False)
        if missed[run[0]] and edge[before[-1]] == edge[run[0]] == edge[after[0]]
    ]
    lengths = [float(weight[run].sum()) for run in between]
    return [length for length in lengths if length <= GAP_M]


def _false(truth: RoadGraph, predicted: RoadGraph) -> dict[str, Any]:
    points, _, weight = samples(predicted)
    distance = nearest_edges(truth, points)[0]
    near = distance <= MATCH_M
    return {
        "predicted_m": float(weight.sum()),
        "false_m": float(weight[~near].sum()),
        "matched_m": float(weight[near].sum()),
        "offset_m2": float((weight[near] * distance[near]).sum()),
        "far_m": float(weight[near & (distance > SNAP_M)].sum()),
    }
