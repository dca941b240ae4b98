"""OpenVINO models in eight bits: which layers, and how far from the numbers in float32."""

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from export.intermediate.quantization import last_layers, quantize
from tests.export.plug_in import compile_model


def product(x, units, name):
    kernel = (
        np.random.default_rng(units)
        .normal(size=(x.get_output_partial_shape(0)[-1].get_length(), units))
        .astype("float32")
    )
    node = ops.matmul(x, ops.constant(kernel), False, False)
    node.set_friendly_name(name)
    return node


def model(batch):
    """Depth-wise convolution, hidden layer, two heads of which one ends in a function."""
    images = ops.parameter([batch, 4, 4, 3], np.float32)
    x = ops.transpose(images, [0, 3, 1, 2])
    kernels = np.random.default_rng(0).normal(size=(3, 1, 1, 3, 3)).astype("float32")
    x = ops.group_convolution(x, ops.constant(kernels), [1, 1], [1, 1], [1, 1], [1, 1])
    x = ops.relu(product(ops.transpose(x, [0, 2, 3, 1]), 32, "hidden"))
    scores = ops.tanh(ops.multiply(product(x, 5, "scores"), ops.constant(np.float32(1e-3))))
    return openvino.Model([scores, product(x, 7, "boxes")], [images])


def test_the_layers_of_the_outputs_are_the_last_of_their_kind():
    assert sorted(last_layers(model(2))) == ["boxes", "scores"]


@pytest.mark.parametrize("batch", [1, 4, -1])
def test_only_what_is_between_is_in_eight_bits(batch):
    images = np.random.default_rng(0).uniform(0, 255, (6, 4, 4, 3)).astype("float32")
    quantized = quantize(model(batch), images)
    nodes = quantized.get_ops()
    assert [node.get_type_name() for node in nodes].count("FakeQuantize") == 1
    kernels = [node.shape for node in nodes if node.get_element_type() == openvino.Type.i8]
    assert list(map(list, kernels)) == [[3, 32]]
    part = images[: abs(batch)]
    exact, found = (
        list(compile_model(m, {"INFERENCE_PRECISION_HINT": "f32"})(part).values())
        for m in (model(batch), quantized)
    )
    for a, b in zip(exact, found, strict=True):
        assert 0 < np.sqrt(np.mean((a - b) ** 2)) < 0.05 * a.std()
