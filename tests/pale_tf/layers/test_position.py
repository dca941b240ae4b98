"""ConditionalPositionEncoding."""

import keras
import numpy as np

from pale_tf.layers.position import ConditionalPositionEncoding
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
