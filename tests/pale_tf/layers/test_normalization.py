"""BatchNorm, against Keras' own: outputs, statistics and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pale_tf.layers.normalization import BatchNorm, moments
from tests.pale_tf.layers.checks import randomize, run_layer


def test_layer():
    run_layer(BatchNorm, weight_count=4)


def trained(layer, x, upstream, shape=None):
    """Outputs and gradients of a training step, in a graph that knows `shape`."""

    @tf.function(input_signature=[tf.TensorSpec(shape or x.shape)] * 2)
    def run(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        variables = [x, layer.gamma.value, layer.beta.value]
        return [y, *tape.gradient(y, variables, upstream)]

    return [np.asarray(value) for value in run(x, upstream)]


def both(shape, **options):
    layers = []
    for make in (BatchNorm, keras.layers.BatchNormalization):
        layer = make(momentum=0.9, epsilon=1e-5, **options)
        layer.build(shape)
        randomize(layer, 0)
        layers.append(layer)
    return layers


@settings(max_examples=20, deadline=None)
@example(size=(1, 2, 1, 3), offset=0.0, dynamic=False)  # two pixels that are nearly the same
@given(
    size=st.tuples(st.integers(1, 3), st.integers(2, 9), st.integers(1, 9), st.integers(1, 5)),
    offset=st.floats(-3, 3),
    dynamic=st.booleans(),
)
def test_equals_keras_in_training(size, offset, dynamic):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=size) + offset).astype("float32")
    upstream = rng.normal(size=size).astype("float32")
    ours, reference = both(size)
    shape = (None, None, None, size[-1]) if dynamic else None
    found, expected = trained(ours, x, upstream, shape), trained(reference, x, upstream)
    # The variance is the mean of squares less the square of the mean: where a channel varies little
    # around its mean, rounding of the former is a large part of it.
    squares, variance = np.mean(x**2, (0, 1, 2)), np.var(x, (0, 1, 2))
    tolerance = 1e-4 + 1e-6 * (squares / (variance + ours.epsilon)).max()
    for a, b in zip(found + ours.get_weights(), expected + reference.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance * max(1.0, abs(b).max()))


def test_a_constant_map_has_no_variance():
    """The mean of squares less the square of the mean may be a little below 0."""
    x = np.broadcast_to(np.linspace(10, 1000, 64, dtype="float32"), (3, 5, 7, 64))
    layer, _ = both(x.shape)
    assert (np.mean(x**2, (0, 1, 2)) - np.mean(x, (0, 1, 2)) ** 2).min() < -layer.epsilon
    assert (np.asarray(moments(x)[1]) >= 0.0).all()
    assert all(np.isfinite(value).all() for value in trained(layer, x, x))


@pytest.mark.parametrize(
    "options", [{"scale": False}, {"center": False}, {"axis": 1}, {"renorm": True}], ids=str
)
def test_leaves_to_keras_what_the_networks_do_not_use(options):
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype("float32")
    ours, reference = both(x.shape, **options)
    np.testing.assert_array_equal(ours(x, training=True), reference(x, training=True))


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16"])
def test_averages_are_made_in_float32(dtype):
    x = np.random.default_rng(0).normal(1.0, 1.0, size=(4, 9, 9, 3)).astype("float32")
    ours, reference = both(x.shape, dtype=dtype)
    for layer in (ours, reference):
        layer(x, training=True)
    for a, b in zip(ours.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(a.astype("float32"), b.astype("float32"), rtol=2**-8)


@pytest.mark.parametrize("training", [False, None])
def test_equals_keras_in_inference(training):
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype("float32")
    ours, reference = both(x.shape)
    np.testing.assert_array_equal(ours(x, training=training), reference(x, training=training))


def test_a_frozen_layer_keeps_its_statistics():
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype("float32")
    ours, reference = both(x.shape)
    ours.trainable = reference.trainable = False
    before = ours.get_weights()
    np.testing.assert_array_equal(ours(x, training=True), reference(x, training=True))
    for a, b in zip(ours.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
