"""Road maps to files. Importing this room makes `RoadMap.save` and `RoadMap.from_file` work."""

from __future__ import annotations

import lazy_loader

from roadlift.network import Storage, register_storage


def _storage() -> Storage:
    from roadlift.export.reading import load
    from roadlift.export.vector import save

    return Storage(save=save, load=load)


register_storage(_storage)

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
