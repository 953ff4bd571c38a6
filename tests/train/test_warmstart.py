"""Training goes on from an exported file as if nothing had been folded."""

import numpy as np
import onnx
import pytest

from roadlift.errors import ModelError
from roadlift.model import find_card, load_model
from roadlift.model.library import model_bytes
from roadlift.scene import render
from roadlift.train.architectures import architecture
from roadlift.train.data import Sample
from roadlift.train.score import predict_sample
from roadlift.train.warmstart import read_folded, start_from


@pytest.fixture(scope="module")
def crops():
    return np.stack([render(seed, shape=(160, 160)).image for seed in (1, 2)])


@pytest.fixture(scope="module")
def started(crops):
    model = architecture(find_card("roadlift-1m").architecture).build(pretrained=False)
    start_from(model, model_bytes("roadlift-1m")[0], crops)
    return model


def test_the_started_network_sees_what_the_file_sees(started):
    image = render(5, shape=(192, 224)).image
    ours = predict_sample(started, Sample("a", image, np.zeros(image.shape[:2], np.uint8)), stride=32)
    theirs = load_model("roadlift-1m", precision="f32").predict(image[None])[0]
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_batch_statistics_are_those_of_the_crops(started, crops):
    batch = crops.astype(np.float32) / 255
    resting, training = (np.asarray(started(batch, training=mode)) for mode in (False, True))
    assert np.abs(resting - training).max() < 0.05 * np.abs(resting).max()


def test_another_architecture_is_refused(crops):
    with pytest.raises(ModelError, match="another architecture"):
        start_from(architecture("unet").build(4), model_bytes("roadlift-1m")[0], crops)


def test_another_network_takes_what_fits(crops):
    deeper = architecture("lite0-unet").build(pretrained=False)
    before = {name: deeper.get_layer(name).kernel.numpy() for name in ("up1", "block11_expand")}
    start_from(deeper, model_bytes("roadlift-1m")[0], crops)
    theirs = read_folded(model_bytes("roadlift-1m")[0])
    for name in ("stem", "block10_project", "decoder1", "decoder3"):
        kernel = theirs[name].kernel.transpose(2, 3, 1, 0)
        assert np.array_equal(deeper.get_layer(name).kernel.numpy(), kernel)
    for name, kernel in before.items():  # of other channels, or not there
        assert np.array_equal(deeper.get_layer(name).kernel.numpy(), kernel)


def test_a_quantised_model_is_refused():
    node = onnx.helper.make_node("DequantizeLinear", ["a", "b"], ["c"])
    graph = onnx.helper.make_graph([node], "g", [], [])
    with pytest.raises(ModelError, match="int8"):
        read_folded(onnx.helper.make_model(graph).SerializeToString())
