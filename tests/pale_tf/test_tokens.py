"""A map as a matrix of tokens."""

import keras
import numpy as np
import tensorflow as tf

from pale_tf.tokens import on_tokens, to_map, to_tokens

MAP = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")


def test_tokens_are_the_rows_of_a_matrix_and_come_back():
    tokens = to_tokens(MAP)
    np.testing.assert_array_equal(tokens, MAP.reshape(24, 5))
    np.testing.assert_array_equal(to_map(tokens, MAP), MAP)
    np.testing.assert_array_equal(to_map(tokens[:, :2], MAP), MAP[..., :2])


def test_a_layer_on_tokens_is_the_layer_on_the_map():
    layer = keras.layers.Dense(3)
    found = on_tokens(layer, MAP)
    assert found.shape == (2, 3, 4, 3)
    np.testing.assert_allclose(found, MAP @ np.asarray(layer.kernel), atol=1e-6)


def test_sizes_may_be_unknown():
    layer = keras.layers.Dense(3)
    layer.build((None, 5))
    function = tf.function(lambda x: on_tokens(layer, x))
    function = function.get_concrete_function(tf.TensorSpec((None, None, None, 5)))
    np.testing.assert_allclose(function(tf.constant(MAP)), on_tokens(layer, MAP), atol=1e-6)
