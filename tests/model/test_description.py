"""Cards as text and as STAC items."""

import re
from pathlib import Path

import pytest

from roadlift.model import ModelCard, describe, find_card, stac_item

DOCS = Path(__file__).parents[2] / "docs" / "model-card.md"
CARD = find_card("roadlift-1m")


def _card(**changes):
    values = {
        "name": "toy", "version": "2", "architecture": "unet", "description": "A toy.", "ground_resolution_m": 0.5,
        "stride": 16, "halo": 32, "exact_halo": 64, "threshold": 0.5, "threshold_low": 0.25, "licence": "MIT",
        "credit": "Nobody.", "sha256": "0" * 64,
    }  # fmt: skip
    return ModelCard(**values | changes)


def test_a_card_without_scores_is_short():
    text = describe(_card())
    assert text.startswith("# toy\n\nA toy.\n\n* version 2, architecture `unet`\n")
    assert "0.5 m per pixel" in text
    assert "## Scores" not in text
    assert text.endswith("Nobody. Weights: MIT.")


def test_scores_show_their_intervals():
    dev = {"images": 3, "iou": 0.5, "iou_95": [0.4, 0.6], "best_iou": 0.51, "best_threshold": 0.3}
    text = describe(_card(scores={"dev": dev, "int8": {"dev": dev}}))
    assert text.count("| dev | 3      | 0.500 (0.400 to 0.600) | 0.510 at 0.30 |") == 2
    assert "## Scores in int8" in text


def test_the_making_is_told():
    text = describe(
        _card(training={"command": "roadlift train X", "minutes": 60.0, "making": "Twice resumed."})
    )
    assert "```\nroadlift train X\n```\n\nMinutes of training: 60.\n\nTwice resumed." in text


def test_weaknesses_are_listed():
    assert "* Misses alleys." in describe(_card(weaknesses=("Misses alleys.",)))


def test_the_documentation_says_what_the_card_says():
    block = re.search(r"<!-- card -->\n(.*)\n<!-- end of card -->", DOCS.read_text(), re.DOTALL)
    assert block is not None
    assert block.group(1).strip() == describe(CARD), (
        "docs/model-card.md differs from the card: paste the output of `roadlift models show roadlift-1m` "
        "between its two marks"
    )


@pytest.mark.parametrize("card", [CARD, _card()], ids=["built-in", "toy"])
def test_the_stac_item_has_what_the_extension_requires(card):
    """Required fields of STAC 1.1 items and of the Machine Learning Model extension 1.5.2."""
    item = stac_item(card)
    assert {"type", "stac_version", "id", "geometry", "bbox", "properties", "links", "assets"} <= item.keys()
    assert item["properties"].keys() >= {
        "datetime", "mlm:name", "mlm:architecture", "mlm:tasks", "mlm:input", "mlm:output",
    }  # fmt: skip
    (put,), (got,) = item["properties"]["mlm:input"], item["properties"]["mlm:output"]
    assert len(put["input"]["shape"]) == len(put["input"]["dim_order"]) == 4
    assert put["input"]["shape"][1] == len(put["bands"]) == 3
    assert put["input"]["shape"][2] % card.stride == 0
    assert "bands" in put["input"]["dim_order"]
    assert [band["name"] for band in item["assets"]["model"]["bands"]] == put["bands"]
    assert item["properties"].get("mlm:hyperparameters") != {}
    assert [each["value"] for each in got["classification:classes"]] == [0, 1]
    assert "mlm:model" in item["assets"]["model"]["roles"]
    assert item["assets"]["model"]["mlm:artifact_type"] == "onnx"


def test_the_stac_item_is_read_by_pystac():
    pystac = pytest.importorskip("pystac.extensions.mlm", reason="pystac-ext-mlm is not installed")
    from pystac import Item

    model = pystac.MLMExtension.ext(Item.from_dict(stac_item(CARD)))
    assert model.mlm_name == "roadlift-1m"
    assert model.input[0].input.shape == [-1, 3, 512, 512]
    assert model.output[0].tasks == ["semantic-segmentation"]
    assert [each.name for each in model.output[0].classes] == ["background", "road"]
