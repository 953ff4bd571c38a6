"""From nodes and lines with any numbering to a road map: ids in the order of the geometry, tables with every column."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from roadlift.network.roadmap import EDGE_COLUMNS, ISSUE_COLUMNS, NODE_COLUMNS, RoadMap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from roadlift.network.polylines import Polylines

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class NetworkParts:
    """Nodes and edges with any numbering, in map coordinates (x before y); `build` makes a road map.

    Attributes:
        points: (nodes, 2) x and y.
        kinds: (nodes,) names out of ``NODE_KINDS``.
        u, v: (edges,) indices into the points.
        lines: the edges, x and y.
        measures: (edges) the columns of ``EDGE_COLUMNS`` without ``id``, ``u``, ``v``; further columns are kept.
        issues: the columns of ``ISSUE_COLUMNS`` without ``id``, and geometry; further columns are kept.
    """

    points: Floats
    kinds: NDArray[np.str_]
    u: Integers
    v: Integers
    lines: Polylines
    measures: pd.DataFrame
    issues: gpd.GeoDataFrame

    @property
    def degree(self) -> Integers:
        """Number of edge ends at each node (a self-loop counts twice), (nodes,)."""
        return np.bincount(np.concatenate([self.u, self.v]), minlength=len(self.points)).astype(np.int64)

    @property
    def node_order(self) -> Integers:
        """Indices of the nodes by x, then y, (nodes,)."""
        return np.lexsort((self.degree, self.kinds, self.points[:, 1], self.points[:, 0]))

    def in_order(self) -> NetworkParts:
        """Put nodes and edges in the order of the geometry, and turn each edge to begin at its smaller node.

        The same network comes out the same, whatever the order and direction of its parts.
        """
        by_place = self.node_order
        number = np.empty(len(by_place), dtype=np.int64)
        number[by_place] = np.arange(len(by_place))
        u, v = number[self.u], number[self.v]
        flip = (u > v) | ((u == v) & _runs_backwards(self.lines))
        u, v = np.minimum(u, v), np.maximum(u, v)
        lines = self.lines.take(np.arange(len(u)), flip=flip)
        second = lines.coordinates[lines.first + 1]
        middle = lines.coordinates[(lines.first + lines.last) // 2]
        keys = (*middle.T[::-1], lines.lengths, *second.T[::-1], v, u)
        order = np.lexsort(keys)
        return replace(
            self,
            points=self.points[by_place],
            kinds=self.kinds[by_place],
            u=u[order],
            v=v[order],
            lines=lines.take(order),
            measures=self.measures.iloc[order].reset_index(drop=True),
        )

    def build(self, *, crs: Any, provenance: Mapping[str, Any]) -> RoadMap:
        """Give ids in the order of the geometry and check.

        Raises:
            InputError: a line does not begin and end at its nodes.
        """
        parts = self.in_order()
        edges = parts.measures.assign(id=np.arange(len(parts.u)), u=parts.u, v=parts.v)
        nodes = pd.DataFrame({"id": np.arange(len(parts.kinds)), "degree": parts.degree, "kind": parts.kinds})
        points = np.asarray(shapely.points(parts.points), dtype=object).reshape(-1)
        return RoadMap(
            make_table(edges, EDGE_COLUMNS, parts.lines.to_shapely(), crs),
            make_table(nodes, NODE_COLUMNS, points, crs),
            _issue_table(parts.issues, crs),
            dict(provenance),
        )


def make_table(
    values: pd.DataFrame, columns: Mapping[str, str], geometry: NDArray[np.object_], crs: Any
) -> gpd.GeoDataFrame:
    """Put the columns first, with their types and millimetres or four decimals; then what else there is."""
    known = values[list(columns)].astype(dict(columns))
    decimals = {name: 3 if name.endswith("_m") else 4 for name, kind in columns.items() if kind == "float64"}
    others = values.drop(columns=[*columns, "geometry"], errors="ignore")
    table = pd.concat([known.round(decimals), others], axis=1)
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(geometry, index=table.index, crs=crs))


def _runs_backwards(lines: Polylines) -> NDArray[np.bool_]:
    second, before_last = lines.coordinates[lines.first + 1], lines.coordinates[lines.last - 1]
    same_x = second[:, 0] == before_last[:, 0]
    backwards: NDArray[np.bool_] = np.where(
        same_x, second[:, 1] > before_last[:, 1], second[:, 0] > before_last[:, 0]
    )
    return backwards


def _issue_table(issues: gpd.GeoDataFrame, crs: Any) -> gpd.GeoDataFrame:
    corners = shapely.bounds(issues.geometry.to_numpy()).reshape(-1, 4)
    order = np.lexsort((issues["length_m"], *corners.T[::-1], issues["reason"], issues["kind"]))
    rows = issues.iloc[order].reset_index(drop=True).assign(id=np.arange(len(order)))
    return make_table(rows, ISSUE_COLUMNS, rows.geometry.to_numpy(), crs)
