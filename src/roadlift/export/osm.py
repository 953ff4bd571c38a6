"""Road maps as OSM XML for JOSM and other editors: new ways (negative ids) that are never uploaded by themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

import shapely

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from roadlift.network import RoadMap


WAY_NODES = 2000
"""OpenStreetMap takes ways of up to so many nodes."""


def write_osm(roadmap: RoadMap, path: Path) -> None:
    """Write one way per road, joined at shared nodes; a road of more than 2000 nodes is several ways.

    Tags: ``highway=road`` (class unknown), ``width``, ``source=roadlift``, and ``fixme`` where a gap was
    bridged.

    Args:
        roadmap: in longitude and latitude (WGS 84).
        path: file to write.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in _lines(roadmap))


def count_roads(path: Path) -> int:
    """Count the roads in an OSM XML file that `write_osm` wrote, reading it to its end.

    Their first ways have the ids -1, -2 and so on; ways that continue them have others.
    """
    count = 0
    for _, element in ET.iterparse(path):  # noqa: S314 - we wrote it
        count += element.tag == "way" and element.get("id") == str(-1 - count)
    return count


def _lines(roadmap: RoadMap) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<osm version="0.6" generator="roadlift" upload="never">'
    node_of = {int(node): -1 - index for index, node in enumerate(roadmap.nodes["id"])}
    points = shapely.get_coordinates(roadmap.nodes.geometry.array)
    yield from (_node(-1 - index, x, y) for index, (x, y) in enumerate(points.tolist()))
    next_id = -1 - len(points)
    ways = []
    next_way = -1 - len(roadmap.edges)
    for record in roadmap.edges.to_dict("records"):
        inner = record["geometry"].coords[1:-1]
        ids = [next_id - index for index in range(len(inner))]
        next_id -= len(inner)
        yield from (_node(number, x, y) for number, (x, y) in zip(ids, inner, strict=True))
        ways.append((record, [node_of[record["u"]], *ids, node_of[record["v"]]]))
    for number, (record, ids) in enumerate(ways):
        for part, begin in enumerate(range(0, len(ids) - 1, WAY_NODES - 1)):
            yield from _way(next_way if part else -1 - number, record, ids[begin : begin + WAY_NODES])
            next_way -= part > 0
    yield "</osm>"


def _node(number: int, longitude: float, latitude: float) -> str:
    return f'  <node id="{number}" visible="true" lat="{latitude:.7f}" lon="{longitude:.7f}" />'


def _way(way: int, record: dict[Any, Any], ids: list[int]) -> Iterator[str]:
    yield f'  <way id="{way}" visible="true">'
    yield from (f'    <nd ref="{number}" />' for number in ids)
    for key, value in _tags(record).items():
        yield f"    <tag k={quoteattr(key)} v={quoteattr(value)} />"
    yield "  </way>"


def _tags(record: dict[Any, Any]) -> dict[str, str]:
    tags = {"highway": "road", "source": str(record["source"])}
    if math.isfinite(record["width_m"]):
        tags["width"] = f"{record['width_m']:.1f}"
    if record["bridged"]:
        tags["fixme"] = "gap in the imagery, joined by roadlift: is there a road?"
    return tags
