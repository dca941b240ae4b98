"""SeparableProjection. Its values are checked with the attention's."""

import keras
import numpy as np

from pale_tf.layers.projection import SeparableProjection
from tests.pale_tf.layers.checks import run_layer


def test_layer():
    run_layer(SeparableProjection, weight_count=7)


def test_training_normalizes_the_batch_and_moves_the_statistics():
    layer = SeparableProjection()
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(8, 6, 6, 4)).astype("float32")
    layer(x, training=True)
    convolved = keras.ops.convert_to_numpy(layer.depthwise(x)).astype("float64")
    mean, variance = convolved.mean((0, 1, 2)), convolved.var((0, 1, 2))
    np.testing.assert_allclose(layer.norm.moving_mean, 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(layer.norm.moving_variance, 0.9 + 0.1 * variance, rtol=1e-4)
