"""Imagery in, road map out.

::

    import roadlift

    roads = roadlift.extract("city.tif")
    roads.save("city.gpkg")

Everything named here is loaded when it is first used, so that ``import roadlift`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roadlift import evaluate
    from roadlift.errors import InputError, LimitError, ModelError, OutputError, RoadliftError, UsageError
    from roadlift.model import list_models, load_model
    from roadlift.network import NetworkOptions, RoadMap
    from roadlift.pipeline import ExtractOptions, extract, predict, vectorize
    from roadlift.preflight import inspect
    from roadlift.segment import patchify, unpatchify

__version__ = _version("roadlift")

_HOME = {
    "ExtractOptions": "pipeline",
    "InputError": "errors",
    "LimitError": "errors",
    "ModelError": "errors",
    "NetworkOptions": "network",
    "OutputError": "errors",
    "RoadMap": "pipeline",
    "RoadliftError": "errors",
    "UsageError": "errors",
    "evaluate": "evaluate",
    "extract": "pipeline",
    "inspect": "preflight",
    "list_models": "model",
    "load_model": "model",
    "patchify": "segment",
    "predict": "pipeline",
    "unpatchify": "segment",
    "vectorize": "pipeline",
}

__all__ = [
    "ExtractOptions",
    "InputError",
    "LimitError",
    "ModelError",
    "NetworkOptions",
    "OutputError",
    "RoadMap",
    "RoadliftError",
    "UsageError",
    "evaluate",
    "extract",
    "inspect",
    "list_models",
    "load_model",
    "patchify",
    "predict",
    "unpatchify",
    "vectorize",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'roadlift' has no attribute {name!r}")
    module = import_module(f"roadlift.{_HOME[name]}")
    value = module if _HOME[name] == name else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
