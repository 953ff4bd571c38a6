"""How far a network sees, by arithmetic, against what reaches its output when one pixel changes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from roadlift.errors import ModelError
from roadlift.train.field import receptive_radius

SIDE = 96
layers = st.lists(
    st.tuples(st.sampled_from((1, 2, 3, 5)), st.sampled_from((1, 2)), st.integers(1, 2)),
    min_size=1,
    max_size=4,
)


def value(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1, "rows", "cols"])


def network(down, kernel_up):
    """Convolutions (size, stride, dilation) with the padding of TensorFlow, then up again to the input's size."""
    nodes, weights, last, step = [], [], "x", 1
    for number, (size, stride, apart) in enumerate(down):
        dilation = 1 if stride > 1 else apart
        surplus = max((size - 1) * dilation + 1 - stride, 0)
        first = surplus // 2
        nodes.append(
            helper.make_node(
                "Conv",
                [last, f"w{number}"],
                [f"c{number}"],
                strides=[stride] * 2,
                dilations=[dilation] * 2,
                pads=[first, first, surplus - first, surplus - first],
            )
        )
        weights.append(
            helper.make_tensor(f"w{number}", TensorProto.FLOAT, [1, 1, size, size], [1.0] * size**2)
        )
        last, step = f"c{number}", step * stride
    number = 0
    while step > 1:
        surplus = kernel_up - 2
        nodes.append(
            helper.make_node(
                "ConvTranspose",
                [last, "up"],
                [f"u{number}"],
                strides=[2, 2],
                pads=[surplus // 2, surplus // 2, surplus - surplus // 2, surplus - surplus // 2],
            )
        )
        last, step, number = f"u{number}", step // 2, number + 1
    weights.append(
        helper.make_tensor("up", TensorProto.FLOAT, [1, 1, kernel_up, kernel_up], [1.0] * kernel_up**2)
    )
    nodes.append(helper.make_node("Add", [last, "x"], ["y"]))
    graph = helper.make_graph(nodes, "net", [value("x")], [value("y")], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@settings(max_examples=30, deadline=None)
@given(layers, st.sampled_from((2, 3, 4)), st.integers(0, 15), st.integers(0, 15))
def test_nothing_beyond_the_radius_reaches_a_pixel(down, kernel_up, row, col):
    model = network(down, kernel_up)
    radius = receptive_radius(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    at = SIDE // 2 - 8 + np.array([row, col])
    image = np.zeros((1, 1, SIDE, SIDE), np.float32)
    image[0, 0, *at] = 1
    reached = np.argwhere(session.run(None, {"x": image})[0][0, 0] != 0)
    assert np.abs(reached - at).max() <= radius


def test_the_radius_is_no_wider_than_it_must():
    model = network([(3, 2, 1), (3, 1, 1), (5, 2, 1), (3, 1, 2)], 2)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    images = np.zeros((16, 1, SIDE, SIDE), np.float32)
    places = [(48 + row, 48 + col) for row in range(4) for col in range(4)]
    for image, place in zip(images, places, strict=True):
        image[0, *place] = 1
    answers = session.run(None, {"x": images})[0][:, 0] != 0
    reach = max(
        np.abs(np.argwhere(answer) - place).max() for answer, place in zip(answers, places, strict=True)
    )
    assert reach <= receptive_radius(model) <= reach + 3  # the phase of the coarsest layer


def test_what_sees_everything_has_no_radius():
    node = helper.make_node("GlobalAveragePool", ["x"], ["y"])
    model = helper.make_model(helper.make_graph([node], "net", [value("x")], [value("y")]))
    with pytest.raises(ModelError, match="GlobalAveragePool"):
        receptive_radius(model)


def test_layers_of_different_size_do_not_join():
    kernel = helper.make_tensor("w", TensorProto.FLOAT, [1, 1, 2, 2], [1.0] * 4)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["half"], strides=[2, 2]),
        helper.make_node("Add", ["x", "half"], ["y"]),
    ]
    model = helper.make_model(helper.make_graph(nodes, "net", [value("x")], [value("y")], [kernel]))
    with pytest.raises(ModelError, match="different resolution"):
        receptive_radius(model)


def test_built_in_models_have_the_exact_halo_of_their_graph():
    from roadlift.model import list_models
    from roadlift.model.library import model_bytes

    for card in list_models():
        graph = onnx.load_from_string(model_bytes(card.name)[0])
        assert card.exact_halo == -(-receptive_radius(graph) // card.stride) * card.stride
