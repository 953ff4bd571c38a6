"""A hint at what a road is for, from its width and from where it leads; no more than a hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.linegraph import LineGraph

    Floats = NDArray[np.float64]
    Booleans = NDArray[np.bool_]

MAIN_WIDTH_M = 10.0
CLASS_HINTS = ("main", "through", "access", "isolated", "unknown")


def class_hints(graph: LineGraph, width_m: Floats) -> NDArray[np.str_]:
    """Tell the roads that lead somewhere from those that only lead in.

    ``access``: all of its ways onward end in dead ends. ``isolated``: so do those of all roads that it is
    connected with. ``through``: it is part of a way round or of a way out of the image; ``main``: and at least
    ten metres wide.

    Args:
        graph: the network; ends at the border lead on.
        width_m: (edges,) metres.

    Returns:
        (edges,) names.

    Example:
        >>> from roadlift.network.linegraph import LineGraph
        >>> from roadlift.network.polylines import Polylines
        >>> lines = Polylines.of([[(0, 0), (0, 9)], [(0, 9), (0, 20)], [(0, 9), (9, 9)]])
        >>> graph = LineGraph(np.array([[0.0, 0], [0, 9], [0, 20], [9, 9]]), np.array([True, False, True, False]),
        ...                   np.ones(4), np.array([0, 1, 1]), np.array([1, 2, 3]), lines)
        >>> class_hints(graph, np.array([12.0, 7.0, 5.0])).tolist()
        ['main', 'through', 'access']
    """
    leads_on = _leads_on(graph)
    part = graph.components
    has_way = np.zeros(int(part.max(initial=-1)) + 1, dtype=bool)
    has_way[part[graph.u[leads_on]]] = True
    hints = np.where(has_way[part[graph.u]], "access", "isolated").astype("U8")
    hints[leads_on] = "through"
    hints[leads_on & (width_m >= MAIN_WIDTH_M)] = "main"
    return hints


def _leads_on(graph: LineGraph) -> Booleans:
    """Take away what ends in a dead end, again and again; (edges,) bool, what stays."""
    stays = np.ones(len(graph.u), dtype=bool)
    while True:
        ends = np.concatenate([graph.u[stays], graph.v[stays]])
        dead = (np.bincount(ends, minlength=len(graph.nodes)) == 1) & ~graph.border
        gone = stays & (dead[graph.u] | dead[graph.v])
        if not gone.any():
            return stays
        stays &= ~gone
