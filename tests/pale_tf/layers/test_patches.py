"""Patches that do not overlap."""

import keras
import numpy as np
import pytest

from pale_tf.layers.patches import PatchEmbedding, PatchMerging
from tests.pale_tf.layers.checks import randomize, run_layer


def ceil_shape(divisor):
    return lambda shape: (shape[0], -(-shape[1] // divisor), -(-shape[2] // divisor), 12)


def normed(x, norm):
    gamma, beta = norm.get_weights()
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def patches(x, size):
    """The patches of a map `[H, W, C]`, padded with zeros: `[h, w, size·size·C]`, row by row."""
    x = np.pad(x, [(0, -x.shape[0] % size), (0, -x.shape[1] % size), (0, 0)])
    rows, columns = range(0, x.shape[0], size), range(0, x.shape[1], size)
    return np.array([[x[r : r + size, c : c + size].ravel() for c in columns] for r in rows])


def test_layers():
    run_layer(lambda **kw: PatchEmbedding(12, **kw), weight_count=4, output_shape=ceil_shape(4))
    run_layer(lambda **kw: PatchMerging(12, **kw), weight_count=3, output_shape=ceil_shape(2))


@pytest.mark.parametrize("size", [(8, 12), (9, 7), (3, 2)])
def test_embedding_is_a_product_with_each_patch(size):
    layer = PatchEmbedding(5)
    x = np.random.default_rng(0).normal(size=(*size, 3))
    layer.build((None, *size, 3))
    randomize(layer, seed=1)
    kernel, bias = layer.convolution.get_weights()
    expected = normed(patches(x, 4) @ kernel.reshape(-1, 5) + bias, layer.norm)
    actual = keras.ops.convert_to_numpy(layer(x[None].astype("float32")))[0]
    np.testing.assert_allclose(actual, expected, atol=1e-4)


@pytest.mark.parametrize("size", [(8, 12), (9, 7), (1, 1)])
def test_merging_norms_four_tokens_and_mixes_them(size):
    layer = PatchMerging(5)
    x = np.random.default_rng(0).normal(size=(*size, 3))
    layer.build((None, *size, 3))
    randomize(layer, seed=1)
    expected = normed(patches(x, 2), layer.norm) @ np.asarray(layer.pointwise.kernel)
    actual = keras.ops.convert_to_numpy(layer(x[None].astype("float32")))[0]
    np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"`filters` must be a positive integer. Received: 0"):
        PatchMerging(0)
    with pytest.raises(ValueError, match=r"`size` must be a positive integer. Received: -4"):
        PatchEmbedding(8, size=-4)
