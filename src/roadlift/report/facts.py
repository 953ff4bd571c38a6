"""What a road map says in figures: headlines, kilometres by class, and which issues matter most."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from roadlift.network.dependence import length_behind
from roadlift.network.edit import TOUCH_M, about_edges
from roadlift.network.evidence import metres_per_unit
from roadlift.network.polylines import Polylines

if TYPE_CHECKING:
    from collections.abc import Sequence

    import geopandas as gpd
    from numpy.typing import NDArray

    from roadlift.network import RoadMap

    Floats = NDArray[np.float64]

WIDTH_BOUNDS_M = (4.0, 6.0, 8.0, 10.0, 15.0)
LENGTH_BOUNDS_M = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0)
PROBABILITY_BOUNDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Headlines:
    """The figures that one wants first.

    Attributes:
        length_km: Length of all roads.
        junctions: Nodes where roads meet.
        dead_ends: Nodes where a road ends within the image.
        components: Connected pieces of the network.
        largest_share: Share of the length that lies in the largest piece; NaN without roads.
        probability: Mean probability along the roads; NaN where none is known.
        bridged_km: Length across gaps.
        issues: Rows of the table of issues.
    """

    length_km: float
    junctions: int
    dead_ends: int
    components: int
    largest_share: float
    probability: float
    bridged_km: float
    issues: int

    @classmethod
    def of(cls, roads: RoadMap) -> Headlines:
        """Measure a road map.

        Example:
            >>> from roadlift.network import RoadMap
            >>> Headlines.of(RoadMap.empty()).components
            0
        """
        edges, kinds = roads.edges, roads.nodes["kind"]
        length = edges["length_m"].to_numpy(dtype=float)
        pieces = _pieces(roads)
        by_piece = np.bincount(pieces, weights=length) if len(edges) else np.zeros(0)
        return cls(
            length_km=roads.length_km,
            junctions=int((kinds == "junction").sum()),
            dead_ends=int((kinds == "end").sum()),
            components=len(by_piece),
            largest_share=float(by_piece.max() / by_piece.sum()) if by_piece.sum() > 0 else np.nan,
            probability=_mean(edges["probability"].to_numpy(dtype=float), length),
            bridged_km=float(length[edges["bridged"].to_numpy(dtype=bool)].sum()) / 1000,
            issues=len(roads.issues),
        )


def _pieces(roads: RoadMap) -> NDArray[np.int64]:
    """Return the number of the connected piece of each edge."""
    ids = roads.nodes["id"].to_numpy()
    order = np.argsort(ids)
    u, v = (order[np.searchsorted(ids[order], roads.edges[end].to_numpy())] for end in ("u", "v"))
    links = coo_array((np.ones(len(u)), (u, v)), shape=(len(ids), len(ids)))
    _, piece = connected_components(links, directed=False)
    _, numbered = np.unique(piece[u], return_inverse=True)
    return numbered.astype(np.int64)


def _mean(values: Floats, weights: Floats) -> float:
    known = np.isfinite(values) & (weights > 0)
    return float(np.average(values[known], weights=weights[known])) if known.any() else np.nan


@dataclass(frozen=True)
class Bars:
    """Kilometres of road by class of a value.

    Attributes:
        names: Of the classes, lowest first; ``unknown`` last where there is any.
        kilometres: float64 (classes,).
    """

    names: tuple[str, ...]
    kilometres: Floats


def kilometres_by(values: Floats, length_m: Floats, bounds: Sequence[float]) -> Bars:
    """Add up the length of roads between bounds; a value on a bound counts to the class above.

    Args:
        values: float64 (edges,), NaN where unknown.
        length_m: float64 (edges,).
        bounds: Increasing.

    Example:
        >>> bars = kilometres_by(np.array([3.0, 4.0, 9.0, np.nan]), np.full(4, 500.0), (4, 6))
        >>> bars.names, bars.kilometres.tolist()
        (('under 4', '4 to 6', '6 and over', 'unknown'), [0.5, 0.5, 0.5, 0.5])
    """
    known = np.isfinite(values)
    classes = np.where(known, np.digitize(np.nan_to_num(values), bounds), len(bounds) + 1)
    kilometres = np.bincount(classes, weights=length_m, minlength=len(bounds) + 2) / 1000
    between = [f"{low:g} to {high:g}" for low, high in pairwise(bounds)]
    names = [f"under {bounds[0]:g}", *between, f"{bounds[-1]:g} and over", "unknown"]
    count = len(names) if not known.all() else len(names) - 1
    return Bars(tuple(names[:count]), kilometres[:count])


def metres_at_stake(roads: RoadMap) -> Floats:
    """Return the metres of road that hang on each issue; float64 (issues,).

    That is the issue's own length. A bridged gap or a doubtful road that alone connects a part of the network with the
    rest decides about the smaller part too.

    Example:
        >>> from roadlift.network import RoadMap
        >>> metres_at_stake(RoadMap.empty()).tolist()
        []
    """
    edges, length = roads.edges, roads.edges["length_m"].to_numpy(dtype=float)
    scale = metres_per_unit(Polylines.from_shapely(edges.geometry.to_numpy()), length, roads.crs).min()
    about = about_edges(roads.issues, edges, tolerance=TOUCH_M / float(scale))
    behind = pd.Series(length_behind(edges["u"].to_numpy(), edges["v"].to_numpy(), length), index=edges["id"])
    own: Floats = np.nan_to_num(roads.issues["length_m"].to_numpy(dtype=float))
    return own + behind.reindex(about).fillna(0.0).to_numpy(dtype=float)


def ranked_issues(roads: RoadMap) -> gpd.GeoDataFrame:
    """Return the issues with a column ``at_stake_m``, those first on which the most metres of road hang.

    Of equal ones the smaller id comes first. See `metres_at_stake`.

    Example:
        >>> from roadlift.network import RoadMap
        >>> len(ranked_issues(RoadMap.empty()))
        0
    """
    issues = roads.issues.assign(at_stake_m=metres_at_stake(roads))
    return issues.sort_values(["at_stake_m", "id"], ascending=[False, True], ignore_index=True)
