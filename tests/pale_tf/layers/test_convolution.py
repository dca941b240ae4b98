"""Convolutions with BatchNorm and ReLU."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pale_tf.layers.convolution import ConvNorm, PyramidConvNorm
from tests.pale_tf.decoders import oracle
from tests.pale_tf.layers.checks import randomize, run_layer


@pytest.mark.parametrize("normalize", [True, False])
def test_layer(normalize):
    run_layer(
        lambda **kwargs: ConvNorm(6, 3, normalize=normalize, **kwargs),
        weight_count=5 if normalize else 2,
        output_shape=lambda shape: (*shape[:-1], 6),
    )


def test_without_relu():
    layer, linear = ConvNorm(6, 3), ConvNorm(6, 3, activate=False)
    for each in (layer, linear):
        each.build((None, 4, 5, 3))
        randomize(each, seed=0)
    x = np.random.default_rng(1).normal(size=(2, 4, 5, 3)).astype("float32")
    assert np.array(linear(x)).min() < 0
    np.testing.assert_allclose(np.maximum(linear(x), 0), layer(x), atol=1e-6)
    assert ConvNorm.from_config(linear.get_config()).activate is False


def test_training_normalizes_the_batch():
    layer = ConvNorm(4, 3)
    x = np.random.default_rng(0).normal(1.0, 2.0, size=(4, 6, 5, 3))
    found = layer(x.astype("float32"), training=True)
    convolved = oracle.convolve(x, np.array(layer.kernel))
    expected = convolved - convolved.mean((0, 1, 2))
    expected /= np.sqrt(convolved.var((0, 1, 2)) + 1e-5)
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-5)


def pyramid(rng, sizes, widths):
    return [rng.normal(size=(2, *size, width)) for size, width in zip(sizes, widths, strict=True)]


side = st.integers(1, 12)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.tuples(side, side), min_size=1, max_size=3), taps=st.sampled_from([1, 3]))
def test_levels_of_any_size_equal_resizing_joining_and_convolving(sizes, taps):
    levels = pyramid(np.random.default_rng(0), sizes, (3, 2, 4)[: len(sizes)])
    layer = PyramidConvNorm(5, taps)
    inputs = [level.astype("float32") for level in levels]
    layer(inputs)
    randomize(layer, seed=1)
    joined = np.concatenate([oracle.resize(level, *sizes[0]) for level in levels], axis=-1)
    weights = {weight.name: np.array(weight, "float64") for weight in layer.weights}
    expected = oracle.conv_norm(joined, weights)
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-4, atol=1e-4)


def test_pyramid_config_dynamic_size_and_mixed_precision():
    shapes = [(None, None, None, width) for width in (3, 2)]
    layer = PyramidConvNorm(4, 3, dtype="mixed_float16", name="joined")
    clone = PyramidConvNorm.from_config(layer.get_config())
    assert clone.get_config() == layer.get_config()
    assert layer.compute_output_shape(shapes) == (None, None, None, 4)
    inputs = [keras.Input(shape[1:]) for shape in shapes]
    model = keras.Model(inputs, layer(inputs))
    levels = pyramid(np.random.default_rng(2), [(7, 9), (4, 5)], (3, 2))
    levels = [level.astype("float32") for level in levels]
    found = model(levels)
    assert keras.backend.standardize_dtype(found.dtype) == "float16"
    exact = PyramidConvNorm(4, 3)
    exact(levels)
    exact.set_weights(layer.get_weights())
    np.testing.assert_allclose(found, exact(levels), atol=0.02)


def test_pyramid_gives_a_gradient_to_levels_and_kernel():
    import tensorflow as tf

    levels = pyramid(np.random.default_rng(3), [(6, 5), (3, 2), (2, 1)], (2, 3, 2))
    levels = [tf.constant(level.astype("float32")) for level in levels]
    layer = PyramidConvNorm(3, 3, normalize=False)
    layer(levels)
    upstream = np.random.default_rng(4).normal(size=(2, 6, 5, 3)).astype("float32")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(levels)
        found = tf.reduce_sum(layer.convolve(levels) * upstream)
        joined = [keras.ops.image.resize(level, (6, 5), antialias=False) for level in levels]
        joined = keras.ops.conv(tf.concat(joined, -1), layer.kernel, padding="same")
        expected = tf.reduce_sum(joined * upstream)
    sources = [*levels, layer.kernel.value]
    pairs = zip(tape.gradient(found, sources), tape.gradient(expected, sources), strict=True)
    for gradient, plain in pairs:
        np.testing.assert_allclose(gradient, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3), "`filters` must be a positive integer. Received: 0"),
        ((4, 2.5), "`kernel_size` must be a positive integer. Received: 2.5"),
        ((4, 2), "`kernel_size` must be odd. Received: 2"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConvNorm(*arguments)
