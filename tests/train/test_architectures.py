import keras
import numpy as np
import pytest

from roadlift.errors import UsageError
from roadlift.train.architectures import ARCHITECTURES, architecture
from roadlift.train.architectures.lite_unet import lite0_unet
from roadlift.train.architectures.normalisation import FusedBatchNormalization
from roadlift.train.architectures.pretrained import lite_weights
from roadlift.train.architectures.unet import unet

SMALL = {"lite0-unet": {"pretrained": False, "decoder": (8, 8, 8, 8)}, "unet": {"width": 2}}


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_architecture_keeps_the_size_and_gives_one_logit(name):
    design = architecture(name)
    model = design.build(**SMALL[name])
    for rows, cols in ((design.stride, 2 * design.stride), (3 * design.stride, design.stride)):
        logits = np.asarray(model(np.zeros((2, rows, cols, 3), np.float32)))
        assert logits.shape == (2, rows, cols, 1)
        assert logits.dtype == np.float32
        assert np.isfinite(logits).all()


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_architecture_survives_saving(name, tmp_path):
    model = architecture(name).build(**SMALL[name])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    image = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    np.testing.assert_array_equal(np.asarray(again(image)), np.asarray(model(image)))


def test_unknown_architecture_names_the_known_ones():
    with pytest.raises(UsageError, match="lite0-unet, unet"):
        architecture("resnet")


def test_unet_is_made_of_exactly_the_six_layers():
    kinds = {type(layer).__name__ for layer in unet(width=2).layers} - {"InputLayer"}
    assert kinds == {
        "Conv2D", "BatchNormalization", "Activation", "MaxPooling2D", "Conv2DTranspose", "Concatenate",
    }  # fmt: skip


def test_imagenet_weights_arrive_in_the_encoder():
    model = lite0_unet()
    expected = lite_weights(0)["_conv_stem.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(model.get_layer("stem").get_weights()[0], expected)
    assert float(np.abs(model.get_layer("block15_depthwise").get_weights()[0]).sum()) > 0


def test_fused_normalisation_equals_keras_in_training_and_inference():
    image = np.random.default_rng(1).normal(3, 2, (4, 8, 8, 5)).astype(np.float32)
    fused, plain = FusedBatchNormalization(epsilon=1e-3), keras.layers.BatchNormalization(epsilon=1e-3)
    for training in (True, False):
        ours, theirs = fused(image, training=training), plain(image, training=training)
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), atol=2e-2 if not training else 1e-5)
    np.testing.assert_allclose(np.asarray(fused.moving_mean), np.asarray(plain.moving_mean), atol=1e-5)
