"""Imagery in, road map out.

::

    import roadlift

    roads = roadlift.extract("city.tif")
    roads.save("city.gpkg")

Everything named here is loaded when it is first used, so that ``import roadlift`` costs nothing.
"""

from __future__ import annotations

from importlib.metadata import version as _version

import lazy_loader

__version__ = _version("roadlift")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
