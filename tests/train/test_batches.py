import numpy as np
import pytest

from roadlift.errors import InputError
from roadlift.train.batches import BatchStream, sampling_weights
from roadlift.train.data import IGNORE, Sample


def _sample(side, value=0, label=0):
    return Sample("a", np.full((side, side, 3), value, np.uint8), np.full((side, side), label, np.uint8))


def test_batches_depend_on_seed_and_step_only():
    stream = BatchStream([_sample(80, 40), _sample(90, 200)], np.array([0.5, 0.5]), 3, 32, seed=4)
    for step, (images, labels) in enumerate(stream.dataset(5, 8), start=5):
        expected = stream.batch(step)
        np.testing.assert_array_equal(images.numpy(), expected[0])
        np.testing.assert_array_equal(labels.numpy(), expected[1])
    assert not np.array_equal(stream.batch(5)[0], stream.batch(6)[0])


def test_weights_follow_labelled_area_boost_and_share():
    images = [_sample(100), _sample(100, label=IGNORE), _sample(1100)]
    weights = sampling_weights(images, [_sample(50)] * 4, small_image_boost=3, scene_share=0.2)
    assert weights.sum() == pytest.approx(1)
    assert weights[1] == 0
    assert weights[2] / weights[0] == pytest.approx(1100**2 / (3 * 100**2))
    assert weights[3:].tolist() == pytest.approx([0.05] * 4)


def test_images_without_labels_are_refused():
    with pytest.raises(InputError, match="1 images has a labelled pixel"):
        sampling_weights([_sample(20, label=IGNORE)], [], small_image_boost=1, scene_share=0)
