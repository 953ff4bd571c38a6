"""What was done on the way to the network, or may be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadlift.network.polylines import Polylines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Finding:
    """Lines (in pixels) that a person may want to look at, why, and what a bridge cost in metres."""

    kind: str
    reason: str
    lines: Polylines
    cost_m: NDArray[np.float64] | float = np.nan

    def take(self, chosen: NDArray[np.bool_]) -> Finding:
        """Return some of the lines, (lines,) bool."""
        cost = self.cost_m[chosen] if isinstance(self.cost_m, np.ndarray) else self.cost_m
        return Finding(self.kind, self.reason, self.lines.take(chosen), cost)


def collected(findings: Iterable[Finding]) -> list[Finding]:
    """Put findings of the same kind and reason in one, in the order in which they come first."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.kind, one.reason), []).append(one)
    return [
        Finding(
            kind,
            reason,
            Polylines.concatenated([one.lines for one in group]),
            np.concatenate([np.broadcast_to(one.cost_m, len(one.lines)) for one in group]),
        )
        for (kind, reason), group in groups.items()
    ]
