"""MLP."""

import math

import numpy as np
import pytest

from pale_tf.layers.mlp import MLP
from tests.pale_tf.layers.checks import run_layer


def test_layer():
    run_layer(lambda **kwargs: MLP(ratio=4, **kwargs), weight_count=4)


def test_is_two_products_with_an_exact_gelu_between():
    layer = MLP(ratio=2)
    x = np.random.default_rng(0).normal(size=(5, 6))
    layer.build(x.shape)
    kernel1, bias1, kernel2, bias2 = layer.get_weights()
    hidden = x @ kernel1 + bias1
    hidden *= 0.5 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2)))
    np.testing.assert_allclose(layer(x.astype("float32")), hidden @ kernel2 + bias2, atol=1e-5)


def test_bad_ratio():
    with pytest.raises(ValueError, match=r"`ratio` must be positive. Received: ratio=0"):
        MLP(ratio=0)
