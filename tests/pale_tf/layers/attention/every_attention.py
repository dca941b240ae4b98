"""The tests that every attention passes, and the forms that attentions take."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf import visualize
from pale_tf.layers.attention import Place
from tests.pale_tf import attention_oracle, oracle
from tests.pale_tf.layers.checks import randomize, run_layer

SIZES = [(14, 14), (10, 23), (9, 5)]

# Of every attention, the forms that it takes by place and by option: name, place, arguments.
FORMS = {
    "pale": ("pale", Place(0, 0), {}),
    "pale, pooled by 2": ("pale", Place(0, 0), {"pooling": 2}),
    "pale, pooled by 3": ("pale", Place(0, 0), {"pooling": 3, "pale_size": 3}),
    "pale_vanilla": ("pale_vanilla", Place(0, 0), {}),
    "pale_sequential, rows": ("pale_sequential", Place(0, 0), {}),
    "pale_sequential, columns": ("pale_sequential", Place(0, 1), {}),
    "pale_sequential, pooled": ("pale_sequential", Place(0, 1), {"pooling": 4}),
    "global": ("global", Place(0, 0), {}),
    "axial, height": ("axial", Place(0, 0), {}),
    "axial, width": ("axial", Place(0, 1), {}),
    "axial, a short span": ("axial", Place(0, 0), {"span": 3}),
    "axial, without positions": ("axial", Place(0, 1), {"position_sensitive": False}),
    "window": ("window", Place(0, 1), {}),
    "shifted_window": ("shifted_window", Place(0, 1), {}),
    "shifted_window of 4": ("shifted_window", Place(0, 1), {"window_size": 4}),
    "window, no bias": ("window", Place(0, 1), {"relative_position_bias": False}),
    "shuffled_window": ("shuffled_window", Place(0, 1), {}),
    "shuffled_window of 4": ("shuffled_window", Place(0, 1), {"window_size": 4}),
    "messenger": ("messenger", Place(2, 0), {}),
    "messenger, small regions": ("messenger", Place(2, 0), {"window_size": 3}),
    "messenger, alone": ("messenger", Place(3, 0), {}),
    "messenger, no bias": ("messenger", Place(2, 0), {"relative_position_bias": False}),
    "cross_shaped, 1": ("cross_shaped", Place(0, 0), {}),
    "cross_shaped, 7": ("cross_shaped", Place(2, 0), {}),
    "cross_shaped, no LePE": ("cross_shaped", Place(1, 0), {"lepe": False}),
    "spatial_reduction, 4": ("spatial_reduction", Place(1, 0), {}),
    "spatial_reduction, 1": ("spatial_reduction", Place(3, 0), {}),
    "deformable, 4": ("deformable", Place(1, 0), {}),
    "deformable, groups": ("deformable", Place(2, 0), {"groups": 2}),
}

# Tests that trace graphs, which takes seconds: of all forms of an attention but the first, slow.
TRACED = ("test_layer", "test_no_tensor_of_a_rank_above_4")


def built(make, size, **kwargs):
    layer = make(projection="linear", **kwargs)
    layer.build((None, *size, 16))
    randomize(layer, seed=0)
    return layer


def pale(layer):
    return type(layer).__name__ == "PSAttention"


def expected_outputs(layer, x):
    if not pale(layer):
        return attention_oracle.outputs(layer, x)
    weights = {
        name: attention_oracle.dense(getattr(layer, name), x) for name in ("query", "key", "value")
    }
    out = oracle.pale_outputs(
        *weights.values(), layer.num_heads, layer.pale_size, layer.implementation, layer.pooling
    )
    return attention_oracle.dense(layer.output_projection, out)


def expected_region(layer, token, size, query):
    if not pale(layer):
        return attention_oracle.region(layer, token, size, query)
    return oracle.pale_region(token, *size, layer.pale_size, layer.implementation)


class EveryAttention:
    """Tests of all forms of some attentions; a subclass names them.

    `make` is given by conftest.py: for each form, what makes the layer.
    """

    attentions = ()

    @pytest.mark.parametrize("size", SIZES, ids=str)
    def test_equals_the_brute_force_oracle(self, make, size):
        layer = built(make, size)
        x = np.random.default_rng(1).normal(size=(2, *size, 16))
        actual = keras.ops.convert_to_numpy(layer(x.astype("float32")))
        for image, output in zip(x, actual, strict=True):
            np.testing.assert_allclose(output, expected_outputs(layer, image), rtol=0, atol=1e-5)

    @pytest.mark.parametrize("size", SIZES, ids=str)
    def test_the_measured_region_is_that_of_the_definition(self, make, size):
        layer = built(make, size)
        if hasattr(layer, "offsets"):  # where tanh is saturated, float32 sees no change
            layer.offsets.kernel.assign(layer.offsets.kernel / 10)
        token = (size[0] // 2 + 1, 2)
        measured = visualize.region(layer, size, token)
        x = np.random.default_rng(0).normal(size=(1, *size, 16)).astype("float32")
        query = keras.ops.convert_to_numpy(layer.project_query(x))[0].astype("float64")
        expected = np.zeros(size, bool)
        for place in expected_region(layer, token, size, query):
            expected[place] = True
        np.testing.assert_array_equal(measured, expected)

    def test_layer(self, make):
        run_layer(make, channels=16)

    def test_a_gradient_reaches_every_weight(self, make):
        layer = make()
        x = np.random.default_rng(3).normal(size=(2, 28, 30, 16)).astype("float32")
        layer.build(x.shape)
        randomize(layer, seed=4)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, training=True) * np.arange(16, dtype="float32"))
        weights = layer.trainable_weights
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        for weight, gradient in zip(weights, gradients, strict=True):
            if isinstance(gradient, tf.IndexedSlices):
                gradient = tf.convert_to_tensor(gradient)
            assert gradient is not None, weight.path
            # A bias of the keys shifts all scores of a query alike, and softmax does not see it.
            if not weight.path.endswith("key/pointwise/bias"):
                assert np.any(gradient), weight.path

    def test_no_tensor_of_a_rank_above_4(self, make):
        for size in ((14, 14), (10, 23), (None, None)):
            graph = (
                tf.function(make()).get_concrete_function(tf.TensorSpec((None, *size, 16))).graph
            )
            tensors = [output for op in graph.get_operations() for output in op.outputs]
            assert max(x.shape.rank for x in tensors if x.dtype != tf.resource) <= 4
