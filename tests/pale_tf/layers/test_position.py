"""Position encodings."""

import keras
import numpy as np

from pale_tf.layers.position import AbsolutePositionEncoding, ConditionalPositionEncoding
from tests.pale_tf.layers.checks import run_layer


def test_layer():
    run_layer(ConditionalPositionEncoding, weight_count=2)


def test_adds_the_depthwise_convolution_of_the_input():
    layer = ConditionalPositionEncoding()
    x = np.random.default_rng(0).normal(size=(1, 5, 4, 3))
    layer.build(x.shape)
    kernel, bias = np.random.default_rng(1).normal(size=(3, 3, 3, 1)), np.array([1.0, 2.0, 3.0])
    layer.depthwise.kernel.assign(kernel)
    layer.bias.assign(bias)
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    convolved = sum(
        padded[:, i : i + 5, j : j + 4] * kernel[i, j, :, 0] for i in range(3) for j in range(3)
    )
    actual = keras.ops.convert_to_numpy(layer(x.astype("float32")))
    np.testing.assert_allclose(actual, x + convolved + bias, atol=1e-5)


def test_absolute_positions_add_the_learned_map_or_its_interpolation():
    layer = AbsolutePositionEncoding(size=(3, 2))
    layer.build((None, 3, 2, 1))
    layer.map.assign(np.arange(6).reshape(3, 2, 1))  # 2 a row, 1 a column: linear
    zeros = np.zeros((1, 3, 2, 1), "float32")
    np.testing.assert_array_equal(layer(zeros)[0, ..., 0], [[0, 1], [2, 3], [4, 5]])
    larger = keras.ops.convert_to_numpy(layer(np.ones((1, 5, 3, 1), "float32")))[0, ..., 0]
    expected = 1 + np.linspace(0, 4, 5)[:, None] + np.linspace(0, 1, 3)
    np.testing.assert_allclose(larger, expected, atol=1e-5)


def test_absolute_layer():
    run_layer(AbsolutePositionEncoding, weight_count=1)


def test_positions_do_not_decay():
    conditional, absolute = ConditionalPositionEncoding(), AbsolutePositionEncoding()
    for layer in (conditional, absolute):
        layer.build((None, 8, 8, 4))
    assert conditional.no_weight_decay() == [conditional.depthwise.kernel]
    assert absolute.no_weight_decay() == [absolute.map]
