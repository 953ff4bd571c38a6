"""Every architecture is held to the same: sizes, saving, export, int8, and that it learns."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from roadlift.errors import UsageError
from roadlift.model import ModelCard, load_model
from roadlift.scene import render
from roadlift.train.architectures import ARCHITECTURES, architecture
from roadlift.train.architectures.lite_unet import lite0_unet, lite2_unet
from roadlift.train.architectures.normalisation import FusedBatchNormalization
from roadlift.train.architectures.pretrained import lite_weights
from roadlift.train.architectures.unet import unet
from roadlift.train.export import export_onnx, save_with_card
from roadlift.train.quantise import quantise

LITE = {"pretrained": False, "decoder": (8, 8, 8, 8)}
# Smaller variants, to be quick; an architecture that is not listed is built as it is.
SMALL = {
    "lite0-unet": LITE,
    "lite0-unet-os16": LITE | {"decoder": (8, 8, 8)},
    "lite2-unet": LITE,
    "unet": {"width": 4, "depth": 4},
}
SCENE = render(1, shape=(64, 64))


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def design(request):
    return architecture(request.param)


@pytest.fixture(scope="module")
def model(request, design):
    keras.utils.set_random_seed(0)
    name = next(name for name, each in ARCHITECTURES.items() if each is design)
    return design.build(**SMALL.get(name, {}))


@pytest.fixture(scope="module")
def file(model, design, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "toy.onnx"
    export_onnx(model, _card(design.stride), path)
    return path


def _card(stride):
    return ModelCard(
        name="toy",
        version="1",
        architecture="toy",
        description="",
        ground_resolution_m=1.0,
        stride=stride,
        halo=0,
        exact_halo=0,
        threshold=0.5,
        threshold_low=0.3,
        licence="Apache-2.0",
        credit="",
        sha256="0" * 64,
    )


def test_every_architecture_keeps_any_size_and_gives_one_logit(model, design):
    for rows, cols in ((design.stride, 2 * design.stride), (3 * design.stride, design.stride)):
        logits = np.asarray(model(np.zeros((2, rows, cols, 3), np.float32)))
        assert logits.shape == (2, rows, cols, 1)
        assert logits.dtype == np.float32
        assert np.isfinite(logits).all()


def test_every_architecture_survives_saving(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    image = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    np.testing.assert_array_equal(np.asarray(again(image)), np.asarray(model(image)))


def test_every_export_is_a_plain_graph_that_any_reader_of_today_takes(file):
    graph = onnx.load(file)
    operators = {node.op_type for node in graph.graph.node}
    assert not operators & {"Slice", "Pad", "Shape", "Split", "BatchNormalization"}
    assert graph.ir_version <= 9
    assert [(each.domain, each.version) for each in graph.opset_import] == [("", 17)]
    assert [dim.dim_param != "" for dim in graph.graph.input[0].type.tensor_type.shape.dim] == [
        True, False, True, True,
    ]  # fmt: skip


def test_every_export_gives_what_keras_gives(file, model, design):
    images = np.random.default_rng(0).integers(0, 256, (2, 2 * design.stride, 96, 3), np.uint8)
    logits = np.asarray(model(images.astype(np.float32) / 255, training=False))[..., 0]
    expected = np.rint(254 / (1 + np.exp(-logits)))
    found = load_model(file, precision="f32", threads=1).predict(images)
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_every_architecture_quantises(file, runtime, tmp_path):
    crops = [render(seed, shape=(64, 64)).image for seed in (1, 2)]
    twin = tmp_path / "toy-int8.onnx"
    plain = load_model(file, runtime=runtime, precision="f32", threads=1)
    save_with_card(quantise(onnx.load(file), crops), plain.card, twin)
    quick = load_model(twin, runtime=runtime, threads=1)
    assert quick.runtime.precision == "int8"
    assert twin.stat().st_size < 0.75 * file.stat().st_size
    ours, theirs = (each.predict(SCENE.image[None]).astype(int) for each in (quick, plain))
    assert np.abs(ours - theirs).mean() < 4
    kernels = [node for node in onnx.load(twin).graph.node if node.op_type in ("Conv", "ConvTranspose")]
    floats = {tensor.name for tensor in onnx.load(twin).graph.initializer if tensor.data_type == 1}
    assert [node for node in kernels if node.input[1] in floats] == kernels[-1:]


def test_every_export_keeps_the_contract_of_deepness(file):
    """A fixed square of pixels divided by 255 in, one probability a pixel out; nothing but ONNX Runtime."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (put,), (got,) = session.get_inputs(), session.get_outputs()
    assert (put.type, len(put.shape), put.shape[1]) == ("tensor(float)", 4, 3)
    size = 64
    image = np.moveaxis(SCENE.image, 2, 0)[None].astype(np.float32) / 255
    probability = session.run([got.name], {put.name: image})[0]
    assert probability.shape == (1, 1, size, size)
    assert 0 <= probability.min() <= probability.max() <= 1


def test_every_architecture_overfits_one_image(model):
    image = SCENE.image[None].astype(np.float32) / 255
    label = SCENE.label()[None, ..., None].astype(np.float32)
    start = model.get_weights()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=False)
    history = model.fit(image, label, epochs=30, verbose=0).history["loss"]
    model.set_weights(start)
    assert history[-1] < 0.5 * min(history[0], np.log(2))


def test_unknown_architecture_names_the_known_ones():
    with pytest.raises(UsageError, match="lite0-unet, lite0-unet-os16, lite2-unet, unet"):
        architecture("resnet")


def test_unet_is_made_of_exactly_the_six_layers():
    kinds = {type(layer).__name__ for layer in unet(width=2).layers} - {"InputLayer"}
    assert kinds == {
        "Conv2D", "BatchNormalization", "Activation", "MaxPooling2D", "Conv2DTranspose", "Concatenate",
    }  # fmt: skip


@pytest.mark.parametrize(("build", "variant", "last"), [(lite0_unet, 0, 15), (lite2_unet, 2, 20)])
def test_imagenet_weights_arrive_in_the_encoder(build, variant, last):
    model, weights = build(), lite_weights(variant)
    for layer, name, axes in (
        ("stem", "_conv_stem.weight", (2, 3, 1, 0)),
        (f"block{last}_depthwise", f"_blocks.{last}._depthwise_conv.weight", (2, 3, 0, 1)),
    ):
        expected = weights[name].transpose(axes)
        np.testing.assert_array_equal(model.get_layer(layer).get_weights()[0], expected)


def test_fused_normalisation_equals_keras_in_training_and_inference():
    image = np.random.default_rng(1).normal(3, 2, (4, 8, 8, 5)).astype(np.float32)
    fused, plain = FusedBatchNormalization(epsilon=1e-3), keras.layers.BatchNormalization(epsilon=1e-3)
    for training in (True, False):
        ours, theirs = fused(image, training=training), plain(image, training=training)
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), atol=2e-2 if not training else 1e-5)
    np.testing.assert_allclose(np.asarray(fused.moving_mean), np.asarray(plain.moving_mean), atol=1e-5)
