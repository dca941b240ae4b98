"""GELU, against Python's own error function and differences."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf.layers.gelu import _compiled, _eager, gelu

X = np.concatenate([np.linspace(-12, 12, 481), [-300.0, 300.0]])


def distribution(x):
    return 0.5 * np.vectorize(math.erfc)(-x / math.sqrt(2))


forms = pytest.mark.parametrize("form", [_eager, _compiled])


def value_and_gradient(form, x, upstream):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = form(x)
    return y, tape.gradient(y, x, tf.cast(upstream, x.dtype))


def slope(x):
    return distribution(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


@forms
def test_is_the_exact_gelu_and_its_derivative(form):
    upstream = np.random.default_rng(0).normal(size=X.shape)
    y, gradient = value_and_gradient(form, X.astype("float32"), upstream)
    np.testing.assert_allclose(y, X * distribution(X), atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(gradient, upstream * slope(X), atol=2e-6)


@forms
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_small_tails_survive_16_bits(dtype, form):
    """1 + erf(x) would be 0, or wrong by a tenth, where x is far below 0."""
    x = tf.cast(np.linspace(-3, -1, 41), dtype)
    y, gradient = value_and_gradient(form, x, np.ones(41))
    exact = np.asarray(tf.cast(x, "float64"))
    assert y.dtype == gradient.dtype == x.dtype
    rounding = {"float16": 2**-11, "bfloat16": 2**-8}[dtype]
    y, gradient = (np.asarray(tf.cast(value, "float64")) for value in (y, gradient))
    np.testing.assert_allclose(y, exact * distribution(exact), rtol=12 * rounding)
    np.testing.assert_allclose(gradient, slope(exact), atol=2 * rounding)


def test_far_tails_have_the_error_of_float32():
    x = tf.cast(np.linspace(-12, -3, 73), "bfloat16")
    exact = np.asarray(tf.cast(x, "float64"))
    y = np.asarray(tf.cast(_compiled(x), "float64"))
    np.testing.assert_allclose(y, exact * distribution(exact), atol=1e-6, rtol=2**-7)


@pytest.mark.parametrize("training", [False, True])
def test_equals_the_gelu_of_keras(training):
    x = X.astype("float32")
    np.testing.assert_allclose(gelu(x, training), keras.activations.gelu(x), atol=1e-6)
