"""Resizing to the size of another map, and adaptive pooling."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pale_tf.layers.resizing import AdaptiveAveragePooling, Doubling, ResizeLike
from tests.pale_tf.decoders import oracle
from tests.pale_tf.layers.checks import run_layer

side = st.integers(1, 15)


@settings(max_examples=30, deadline=None)
@given(size=st.tuples(side, side), bins=st.sampled_from([1, 2, 3, 6]))
def test_pooling_takes_the_windows_of_pytorch_at_any_size(size, bins):
    x = np.random.default_rng(0).normal(size=(2, *size, 3))
    found = AdaptiveAveragePooling(bins)(x.astype("float32"))
    np.testing.assert_allclose(found, oracle.pool(x, bins), atol=1e-5)


def test_pooling_as_a_layer():
    run_layer(
        lambda **kwargs: AdaptiveAveragePooling(3, **kwargs),
        weight_count=0,
        output_shape=lambda shape: (shape[0], 3, 3, shape[-1]),
    )
    with pytest.raises(ValueError, match=r"`bins` must be a positive integer. Received: 0"):
        AdaptiveAveragePooling(0)


@settings(max_examples=30, deadline=None)
@given(old=st.tuples(side, side), new=st.tuples(side, side))
def test_resizing_is_bilinear_with_half_pixel_centers(old, new):
    x = np.random.default_rng(0).normal(size=(2, *old, 3))
    found = ResizeLike()([x.astype("float32"), np.zeros((2, *new, 1), "float32")])
    np.testing.assert_allclose(found, oracle.resize(x, *new), atol=1e-5)


def test_resizing_to_a_size_known_at_run_time_only():
    inputs = [keras.Input((None, None, 2)), keras.Input((None, None, 3))]
    model = keras.Model(inputs, ResizeLike()(inputs))
    assert model.output_shape == (None, None, None, 2)
    x = np.random.default_rng(1).normal(size=(1, 4, 3, 2))
    given = [x.astype("float32"), np.zeros((1, 7, 9, 3), "float32")]
    spec = [tf.TensorSpec((None, None, None, width)) for width in (2, 3)]
    found = tf.function(model, input_signature=[spec])(given)
    np.testing.assert_allclose(found, oracle.resize(x, 7, 9), atol=1e-5)


def test_doubling_repeats_rows_and_columns():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")
    found = Doubling()(x)
    np.testing.assert_array_equal(found, x.repeat(2, axis=1).repeat(2, axis=2))
    run_layer(
        lambda **kwargs: Doubling(**kwargs),
        weight_count=0,
        output_shape=lambda shape: (shape[0], 2 * shape[1], 2 * shape[2], shape[-1]),
    )
