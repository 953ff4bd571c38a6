"""Names of the files in the folders of images and jobs, which server and child processes share."""

from __future__ import annotations

from typing import Final

PREVIEW: Final = "preview.tif"
FILLING, PROBABILITY = "filling.tif", "probability.tif"
WORK: Final = "work"
PLACE: Final = "place.json"
FOUND, ROADS = "found.gpkg", "roads.gpkg"
ROADS_GEOJSON, ISSUES_GEOJSON = "roads.geojson", "issues.geojson"
EDITS: Final = "edits.json"
REPORT: Final = "report.html"
FORMATS: Final = ("gpkg", "geojson", "fgb", "parquet", "graphml", "osm")


def result_folder(revision: int) -> str:
    """Name of a result's folder inside its job's.

    Example:
        >>> result_folder(3)
        'result-3'
    """
    return f"result-{revision}"


def image_file(suffix: str) -> str:
    """Name of an image in its own folder and in those of its jobs."""
    return f"image{suffix}"


def export_file(suffix: str) -> str:
    """Name, inside a result's folder, of its roads in another format."""
    return f"export.{suffix}"
