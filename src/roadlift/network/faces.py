"""The areas that lines enclose, and which lines lie around each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from roadlift.network.polylines import Polylines

TOUCHES = 1e-6


def faces_of(lines: Polylines) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.int64]]:
    """Find the areas that lines enclose, each without what it holds inside.

    Args:
        lines: they meet at their ends and nowhere else.

    Returns:
        The rings around the areas (faces,) as LineStrings, and pairs (line, face) of what lies on which ring.

    Example:
        >>> from roadlift.network.polylines import Polylines
        >>> lines = Polylines.of([[(0, 0), (0, 4), (4, 4)], [(4, 4), (0, 0)], [(4, 4), (9, 9)]])
        >>> rings, line, face = faces_of(lines)
        >>> shapely.length(rings).round(1).tolist(), line.tolist(), face.tolist()
        ([13.7], [0, 1], [0, 0])
    """
    whole = lines.to_shapely()
    faces = shapely.get_parts(shapely.polygonize(whole))
    rings = np.asarray(shapely.get_exterior_ring(faces), dtype=object)
    middles = np.asarray(shapely.line_interpolate_point(whole, 0.5, normalized=True), dtype=object)
    line, face = shapely.STRtree(rings).query(middles, predicate="dwithin", distance=TOUCHES)
    order = np.lexsort((line, face))
    return rings, line[order], face[order]
