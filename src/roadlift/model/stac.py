"""A model as a STAC item with the Machine Learning Model extension, so that catalogues can list it.

Source: https://github.com/stac-extensions/mlm (version 1.5.2) and the file extension 2.1.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from roadlift.model.card import ModelCard

MLM: Final = "https://stac-extensions.github.io/mlm/v1.5.2/schema.json"
CLASSIFICATION: Final = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
_PIXELS: Final = ["batch", "bands", "height", "width"]
_WORLD: Final = {
    "type": "Polygon",
    "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]],
}


def stac_item(
    card: ModelCard, *, href: str | None = None, published: str = "2026-01-01T00:00:00Z"
) -> dict[str, Any]:
    """Return a STAC 1.1 item that describes a model.

    Args:
        card: The model's card.
        href: Where the ``.onnx`` file lies; None means ``NAME.onnx`` beside the document.
        published: Date and time of the item, RFC 3339.

    Returns:
        A JSON object. Its footprint is the whole world: the card knows no place where the model fails.

    Example:
        >>> from roadlift.model import find_card
        >>> stac_item(find_card("roadlift-1m"))["properties"]["mlm:tasks"]
        ['semantic-segmentation']
    """
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [MLM, CLASSIFICATION],
        "id": card.name,
        "geometry": _WORLD,
        "bbox": [-180, -90, 180, 90],
        "properties": _properties(card, published),
        "links": [],
        "assets": {"model": _asset(card, href or f"{card.name}.onnx")},
    }


def _properties(card: ModelCard, published: str) -> dict[str, Any]:
    options = card.training.get("options")
    return {
        "datetime": published,
        "title": card.name,
        "description": card.description,
        "license": card.licence,
        "version": card.version,
        "mlm:name": card.name,
        "mlm:architecture": "U-Net",
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "ONNX",
        "mlm:pretrained": True,
        "mlm:pretrained_source": card.credit or None,
        "mlm:batch_size_suggestion": 1,
        "mlm:input": [_input(card)],
        "mlm:output": [_output(card)],
        **({"mlm:hyperparameters": options} if options else {}),
    }


def _input(card: ModelCard) -> dict[str, Any]:
    side = max(512 // card.stride, 1) * card.stride
    return {
        "name": "image",
        "bands": list(card.bands),
        "input": {"shape": [-1, 3, side, side], "dim_order": _PIXELS, "data_type": "float32"},
        "value_scaling": [{"type": "min-max", "minimum": 0, "maximum": 255}] * 3,
        "resize_type": None,
        "description": _preparation(card),
    }


def _preparation(card: ModelCard) -> str:
    """Words on what a user's own code must do before the network."""
    resolution = f"Resample to {card.ground_resolution_m:g} m per pixel"
    if card.stretch == "none":
        return f"{resolution}."
    return (
        f"{resolution}; map the {card.stretch_low_percent:g} % and {card.stretch_high_percent:g} % percentiles of the "
        f"valid pixels of each band of each image to 0 and 255; give invalid pixels the value {card.fill}."
    )


def _output(card: ModelCard) -> dict[str, Any]:
    side = max(512 // card.stride, 1) * card.stride
    return {
        "name": "probability",
        "tasks": ["semantic-segmentation"],
        "result": {"shape": [-1, 1, side, side], "dim_order": _PIXELS, "data_type": "float32"},
        "classification:classes": [
            {"value": 0, "name": "background", "description": "anything else"},
            {
                "value": 1,
                "name": "road",
                "description": f"road, where the probability is {card.threshold:g} or more",
            },
        ],
    }


def _asset(card: ModelCard, href: str) -> dict[str, Any]:
    return {
        "href": href,
        "type": "application/octet-stream; application=onnx",
        "title": card.name,
        "roles": ["mlm:model", "mlm:weights"],
        "mlm:artifact_type": "onnx",
        "bands": [{"name": band} for band in card.bands],
    }
