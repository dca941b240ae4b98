"""DropPath."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pale_tf.layers.drop_path import DropPath
from tests.pale_tf.layers.checks import run_layer


def test_layer():
    run_layer(lambda **kwargs: DropPath(0.3, seed=1, **kwargs), weight_count=0)


@settings(max_examples=20, deadline=None)
@given(rate=st.floats(0.0, 0.95), seed=st.integers(0, 2**31 - 1))
def test_a_sample_is_dropped_whole_or_kept_and_scaled(rate, seed):
    x = np.random.default_rng(0).normal(size=(32, 3, 2, 4)).astype("float32")
    y = keras.ops.convert_to_numpy(DropPath(rate, seed=seed)(x, training=True))
    for sample, output in zip(x, y, strict=True):
        if np.any(output):
            np.testing.assert_allclose(output, sample / (1 - rate), rtol=1e-5)


def test_drops_at_its_rate_and_differently_at_each_call():
    layer = DropPath(0.3, seed=1)
    ones = np.ones((10_000, 1), "float32")
    first, second = (keras.ops.convert_to_numpy(layer(ones, training=True)) for _ in range(2))
    # Four standard deviations of a binomial mean: 4·sqrt(0.3·0.7/10000) = 0.018.
    assert abs((first == 0).mean() - 0.3) < 0.018
    assert (first != second).any()


def test_inference_is_the_identity():
    x = np.ones((4, 2), "float32")
    np.testing.assert_array_equal(DropPath(0.9)(x, training=False), x)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_bad_rate(rate):
    with pytest.raises(ValueError, match=rf"`rate` must be in \[0, 1\). Received: {rate}"):
        DropPath(rate)


def test_a_frozen_layer_drops_nothing():
    x, layer = np.ones((4, 2), "float32"), DropPath(0.9)
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True), x)
