"""Global attention against its definition."""

import keras
import numpy as np
import pytest

from pale_tf.layers.attention import GlobalAttention
from tests.pale_tf import oracle
from tests.pale_tf.layers.attention.every_attention import EveryAttention
from tests.pale_tf.layers.attention.test_pale import oracle_weights
from tests.pale_tf.layers.checks import randomize, run_layer


class TestGlobalAttention(EveryAttention):
    attentions = ("global",)


@pytest.mark.parametrize(("size", "stride"), [((6, 5), 2), ((7, 8), 3), ((1, 1), 2)], ids=str)
def test_with_a_stride_keys_and_values_are_of_every_other_token(size, stride):
    layer = GlobalAttention(2, stride=stride)
    layer.build((None, *size, 8))
    randomize(layer, seed=0)
    weights = oracle_weights(layer)
    x = np.random.default_rng(1).normal(size=(2, *size, 8))
    found = keras.ops.convert_to_numpy(layer(x.astype("float32")))
    for image, output in zip(x, found, strict=True):
        query, key, value = (
            oracle.separable(image, weights[name]) for name in ("query", "key", "value")
        )
        key, value = key[::stride, ::stride], value[::stride, ::stride]
        tokens = set(np.ndindex(*key.shape[:2]))
        expected = [
            oracle.attend(token, tokens, query, key, value, 2) for token in np.ndindex(*size)
        ]
        expected = np.array(expected) @ weights["output"]["kernel"] + weights["output"]["bias"]
        np.testing.assert_allclose(output.reshape(-1, 8), expected, rtol=0, atol=1e-5)


def test_layer_with_a_stride():
    run_layer(lambda **kwargs: GlobalAttention(2, stride=2, **kwargs))


def test_a_stride_needs_a_convolution():
    with pytest.raises(ValueError, match=r"`stride` must be 1 without convolutions. Received: 2"):
        GlobalAttention(2, stride=2, projection="linear")
