import numpy as np

from roadlift.model import ModelCard, load_model
from roadlift.model.runtime import Model
from roadlift.scene import render
from roadlift.train.data import Sample
from roadlift.train.targets import Taught, hard_target, soft_target, symmetric_opinion, teach


class Gradient:
    """A runtime that sees the red channel."""

    def run(self, tiles):
        for tile in tiles:
            yield np.minimum(tile[..., 0], 254)


def _model(stride=32):
    card = load_model("roadlift-1m").card
    assert isinstance(card, ModelCard)
    return Model(card, Gradient())


def test_an_opinion_is_turned_back_before_it_is_averaged():
    image = np.random.default_rng(0).integers(0, 255, (37, 50, 3), np.uint8)
    np.testing.assert_array_equal(symmetric_opinion(_model(), image), np.minimum(image[..., 0], 254))


def test_a_target_lies_between_label_and_opinion():
    label = np.array([[0, 1, 1, 255]], np.uint8)
    opinion = np.array([[254, 0, 254, 0]], np.uint8)
    assert soft_target(label, opinion, 0.25).tolist() == [[64, 190, 254, 255]]
    np.testing.assert_array_equal(soft_target(label, opinion, 0.0), hard_target(label))


def test_the_shipped_model_is_a_teacher(tmp_path):
    scene = render(3, shape=(160, 160))
    sample = Sample("a", scene.image, scene.label())
    teach([sample], load_model("roadlift-1m"), 0.5, tmp_path)
    taught = Taught([sample, sample], tmp_path, 1)
    soft = taught[0].label
    np.testing.assert_array_equal(taught[1].label, hard_target(sample.label))
    assert ((soft > 0) & (soft < 254)).mean() > 0.05
    assert soft[sample.label == 1].mean() > soft[sample.label == 0].mean()
