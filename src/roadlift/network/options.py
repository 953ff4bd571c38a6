"""Every threshold of the road network in one frozen class; lengths are in metres, areas in square metres."""

from __future__ import annotations

from dataclasses import dataclass, fields

from roadlift.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """How a probability raster becomes a road network.

    Lengths are metres on the ground and scale with the raster's ground resolution; 0 turns a step off.

    The defaults were chosen on the `dev` part of the Massachusetts data (see docs/network.md).

    Attributes:
        threshold: probability (0..1) that an area must reach somewhere to be a road.
        threshold_low: probability (0..1) down to which such an area extends (hysteresis).
        min_object_m2: smaller areas of road are dropped.
        max_hole_m2: smaller holes in a road are filled.
        max_border_run_m: a road that touches the image border over a longer run goes along the border, not out of it.
        min_spur_m: shorter side branches with a free end are dropped ...
        spur_width_ratio: ... and so are those shorter than this many widths of the road they leave.
        min_length_m: shorter roads that touch no other road are dropped.
        max_gap_m: ends are joined to what lies ahead across gaps up to this long ...
        max_gap_cost_m: ... if that costs at most this much: metres of road not seen, times a factor for turning.
        junction_width_ratio: junctions joined by a link shorter than this many road widths become one ...
        max_junction_m: ... unless the link is longer than this.
        smooth_m: standard deviation of the smoothing along a line; 0 leaves the staircase of the skeleton.
        simplify_m: largest distance between a simplified line and its smooth original.
        min_block_m: loops around a narrower strip, between the edges of their roads, are listed as doubtful.
        max_width_m: roads are measured up to this width; of wider areas the outline is drawn.

    Raises:
        UsageError: a value is negative, or the thresholds are not ``0 < threshold_low <= threshold <= 1``.

    Example:
        >>> NetworkOptions(min_spur_m=15).min_spur_m
        15
    """

    threshold: float = 0.5
    threshold_low: float = 0.3
    min_object_m2: float = 100.0
    max_hole_m2: float = 40.0
    max_border_run_m: float = 60.0
    min_spur_m: float = 10.0
    spur_width_ratio: float = 1.5
    min_length_m: float = 30.0
    max_gap_m: float = 40.0
    max_gap_cost_m: float = 35.0
    junction_width_ratio: float = 1.0
    max_junction_m: float = 30.0
    smooth_m: float = 3.0
    simplify_m: float = 0.3
    min_block_m: float = 4.0
    max_width_m: float = 60.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 0:
                message = f"{field.name} is {getattr(self, field.name)}; it must be 0 (off) or more"
                raise UsageError(message)
        if not 0 < self.threshold_low <= self.threshold <= 1:
            message = (
                f"threshold is {self.threshold} and threshold_low {self.threshold_low}; "
                "they must satisfy 0 < threshold_low <= threshold <= 1"
            )
            raise UsageError(message)
