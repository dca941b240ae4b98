"""Softmax attention inside groups."""

import jax
import keras
import numpy as np
import pytest
from keras import ops

from pale_tf.layers.attention import Place, core, make_attention
from pale_tf.layers.attention.core import mask_bias, softmax_attention, softmax_weights


def softmax(scores):
    exponents = np.exp(scores - scores.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


@pytest.mark.parametrize("keys", [5, 1])
def test_equals_the_definition(keys):
    rng = np.random.default_rng(0)
    query, key = rng.normal(size=(2, 3, 4, 8)), rng.normal(size=(2, 3, keys, 8))
    value, bias = rng.normal(size=(2, 3, keys, 6)), rng.normal(size=(3, 4, keys))
    weights = softmax(np.einsum("bgld,bgmd->bglm", query, key) + bias)
    arrays = [x.astype("float32") for x in (query, key, value, bias)]
    found = softmax_weights(*arrays[:2], arrays[3], "float32")
    np.testing.assert_allclose(found, weights, atol=1e-6)
    expected = np.einsum("bglm,bgme->bgle", weights, value)
    np.testing.assert_allclose(softmax_attention(*arrays), expected, atol=1e-6)
    halved = softmax_attention(*arrays, dropout=lambda weights: weights / 2)
    np.testing.assert_allclose(halved, expected / 2, atol=1e-6)


def test_a_masked_key_has_weight_0():
    rng = np.random.default_rng(1)
    query, key = (rng.normal(size=(1, 4, 3, 2)).astype("float32") for _ in range(2))
    mask = np.array([[True, False, True], [True, True, False]])  # of two sets, two heads each
    bias = mask_bias(mask, 2)
    assert bias.shape == (4, 1, 3)
    weights = np.asarray(softmax_weights(query, key, bias, "float32"))
    np.testing.assert_array_equal(weights[0].any(axis=1), np.repeat(mask, 2, axis=0))
    np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-6)


def test_a_mask_may_be_for_each_query():
    mask = np.array([[[True, False], [True, True]]])
    bias = np.asarray(mask_bias(mask, 3))
    assert bias.shape == (3, 2, 2)
    np.testing.assert_array_equal(bias == 0, np.repeat(mask, 3, axis=0))
    assert mask_bias(None, 3) is None


@pytest.fixture
def calls(monkeypatch):
    """Arguments that Keras' attention is called with, as if there were a GPU."""
    calls, attention = [], ops.dot_product_attention

    def counted(*arguments, **options):
        calls.append(arguments[0].shape)
        return attention(*arguments, **options)

    monkeypatch.setattr(core, "_on_gpu", lambda: True)
    monkeypatch.setattr(ops, "dot_product_attention", counted)
    return calls


def groups(dtype, length, width=32):
    rng = np.random.default_rng(2)
    return [ops.cast(rng.normal(size=(2, 3, length, width)), dtype) for _ in range(3)]


def test_one_kernel_gives_the_same(calls, monkeypatch):
    query, key, value = groups("bfloat16", 98)
    found = softmax_attention(query * 0.2, key, value)
    assert calls == [(2, 98, 3, 32)]
    monkeypatch.setattr(core, "_on_gpu", lambda: False)
    expected = softmax_attention(query * 0.2, key, value)
    assert found.shape == expected.shape
    assert len(calls) == 1
    found, expected = (np.asarray(ops.cast(x, "float32")) for x in (found, expected))
    np.testing.assert_allclose(found, expected, atol=2**-6)


@pytest.mark.parametrize(
    ("dtype", "length", "width", "options"),
    [
        ("float32", 98, 32, {}),
        ("bfloat16", 49, 32, {}),
        ("bfloat16", 98, 36, {}),
        ("bfloat16", 98, 136, {}),
        ("bfloat16", 98, 32, {"bias": np.zeros((3, 1, 98), "float32")}),
        ("bfloat16", 98, 32, {"dropout": lambda weights: weights}),
    ],
)
def test_what_the_kernel_does_not_take(dtype, length, width, options, calls):
    softmax_attention(*groups(dtype, length, width), **options)
    assert calls == []


@pytest.mark.parametrize(
    ("backend", "device", "expected"),
    [("jax", "gpu", True), ("jax", "cpu", False), ("tensorflow", "gpu", False)],
)
def test_the_kernel_is_for_gpus_under_jax(backend, device, expected, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(jax, "default_backend", lambda: device)
    assert core._on_gpu.__wrapped__() == expected


@pytest.mark.parametrize(("training", "taken"), [(False, True), (True, False)])
def test_dropout_keeps_the_kernel_out_of_training_alone(training, taken, calls):
    layer = make_attention("global", Place(0, 0), 2, projection="linear", dropout=0.5)
    layer.dtype_policy = keras.DTypePolicy("bfloat16")
    layer(ops.ones((1, 4, 4, 32), "bfloat16"), training=training)
    assert bool(calls) == taken
