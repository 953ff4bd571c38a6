"""Probability to roads: mask, skeleton, graph, cleaning, measuring; the result is a `RoadMap`.

What `__init__.pyi` names is loaded when it is first used: a job is planned, and its network started, before roads are drawn.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
