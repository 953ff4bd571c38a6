"""What a model is: one ONNX file with its card inside, the runtimes that compute it, and where models lie."""

from roadlift.model.card import CARD_KEY, ModelCard, graph_sha256, read_card
from roadlift.model.description import describe
from roadlift.model.library import (
    DEFAULT_MODEL,
    DEVICES,
    INT8_SUFFIX,
    PRECISIONS,
    RUNTIMES,
    expects_int8,
    find_card,
    find_exact_card,
    list_models,
    load_model,
)
from roadlift.model.runtime import Model, Runtime, available_threads
from roadlift.model.stac import stac_item

__all__ = [
    "CARD_KEY",
    "DEFAULT_MODEL",
    "DEVICES",
    "INT8_SUFFIX",
    "PRECISIONS",
    "RUNTIMES",
    "Model",
    "ModelCard",
    "Runtime",
    "available_threads",
    "describe",
    "expects_int8",
    "find_card",
    "find_exact_card",
    "graph_sha256",
    "list_models",
    "load_model",
    "read_card",
    "stac_item",
]
