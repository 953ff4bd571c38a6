"""Road maps to files. Importing this room makes `RoadMap.save` and `RoadMap.from_file` work."""

from __future__ import annotations

from roadlift.export.atomic import replacing
from roadlift.export.reading import load
from roadlift.export.vector import check_format, save
from roadlift.network import Storage, register_storage

register_storage(Storage(save=save, load=load))

__all__ = ["check_format", "load", "replacing", "save"]
