"""How the columns of the edges table come together when roads are joined, and apart when they are cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from roadlift.network.measure import geodesic_lengths
from roadlift.network.polylines import Polylines

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyproj import CRS

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

SUMS = ("length_m", "bridge_cost_m")
"""Columns that add up along a road; other numbers are averaged by length, and of ``..._min`` the least is kept."""
DEGREE_STEP = 1e-4


def join_measures(measures: pd.DataFrame, group: Integers) -> pd.DataFrame:
    """One row for each group of rows: the measures of a road that is made of several.

    Sums add up, ``..._min`` is the least, other numbers are averaged by length, a truth value is true where
    one is, and of other values the longest part's is kept.

    Args:
        measures: one row per part, with ``length_m``.
        group: (parts,) int64 from 0 on, the road that each part belongs to.

    Example:
        >>> parts = pd.DataFrame({"length_m": [30.0, 10.0], "width_m": [6.0, 8.0], "bridged": [False, True]})
        >>> join_measures(parts, np.array([0, 0])).to_dict("records")
        [{'length_m': 40.0, 'width_m': 6.5, 'bridged': True}]
    """
    counts = np.bincount(group)
    several = counts[group] > 1
    order = np.argsort(group, kind="stable")
    result: pd.DataFrame = measures.iloc[order[np.cumsum(counts) - counts]].reset_index(drop=True)
    if several.any():
        parts, owner = measures[several], group[several]
        joined = pd.DataFrame({name: _join_column(name, parts, owner) for name in measures.columns})
        result.loc[joined.index, joined.columns] = joined
    return result


def _join_column(name: str, parts: pd.DataFrame, owner: Integers) -> pd.Series[Any]:
    values = parts[name]
    groups = values.groupby(owner)
    if values.dtype == bool:
        return groups.any()
    if name in SUMS:
        return groups.sum(min_count=1)
    if name.endswith("_min"):
        return groups.min()
    if values.dtype.kind == "f":
        weight = parts["length_m"].where(values.notna())
        return (values * weight).groupby(owner).sum(min_count=1) / weight.groupby(owner).sum(min_count=1)
    longest = parts["length_m"].groupby(owner).idxmax()
    return values.loc[longest].set_axis(longest.index)


def cut_measures(measures: pd.DataFrame, owner: Integers, share: Floats) -> pd.DataFrame:
    """One row for each piece of a row: sums are shared out, other values are the whole's.

    Args:
        measures: one row per road.
        owner: (pieces,) int64, the road that each piece is of.
        share: (pieces,) part of the road's length, 0..1.
    """
    pieces = measures.iloc[owner].reset_index(drop=True)
    return pieces.assign(**{name: pieces[name] * share for name in SUMS if name in pieces})


def metres_per_unit(lines: Polylines, length_m: Floats, crs: CRS | None) -> Floats:
    """How many metres one unit of x and of y is in the middle of the lines, (2,).

    By geodesics on the ellipsoid of the CRS; without CRS by the lengths that are known. 1 where there are no lines.

    Args:
        lines: x and y.
        length_m: (lines,) their lengths on the ground.
        crs: of the lines.

    Example:
        >>> lines = Polylines.of([[(0, 0), (30, 40)]])
        >>> metres_per_unit(lines, np.array([25.0]), None).tolist()
        [0.5, 0.5]
    """
    drawn = float(lines.lengths.sum())
    if not drawn > 0:
        return np.ones(2)
    if crs is None:
        return np.full(2, float(length_m.sum()) / drawn)
    middle = (lines.coordinates.min(axis=0) + lines.coordinates.max(axis=0)) / 2
    step = DEGREE_STEP if crs.is_geographic else 1.0
    cross = Polylines.of([[middle, middle + np.array([step, 0])], [middle, middle + np.array([0, step])]])
    return geodesic_lengths(cross, crs) / step


def lengths_on_ground(lines: Polylines, crs: CRS | None, scale: Floats) -> Floats:
    """Length of lines, (lines,) metres: geodesic, or by ``scale`` of `metres_per_unit` where there is no CRS."""
    return lines.lengths * scale[0] if crs is None else geodesic_lengths(lines, crs)
