"""The base of the attentions: projections, the scale, halves, the inference form."""

import keras
import numpy as np
import pytest

from pale_tf.layers.attention.base import Attention
from tests.pale_tf.layers.checks import randomize


class Itself(Attention):
    """Attends to nothing but adds up what it is given."""

    def attend(self, query, key, value, training=None):
        return query + 2 * key + 3 * value


def dense(layer, x):
    kernel, bias = (np.asarray(weight, "float64") for weight in layer.get_weights())
    return x @ kernel + bias


@pytest.mark.parametrize("folded", [False, True])
def test_projects_scales_the_queries_and_projects_the_output(folded):
    layer = Itself(2, projection="linear", folded=folded)
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 8))
    layer.build(x.shape)
    randomize(layer, seed=1)
    scale = 1.0 if folded else 0.5  # 4 channels a head
    mixed = dense(layer.query, x) * scale + 2 * dense(layer.key, x) + 3 * dense(layer.value, x)
    expected = dense(layer.output_projection, mixed)
    np.testing.assert_allclose(layer(x.astype("float32")), expected, atol=1e-5)


def test_halves_are_halves_of_the_channels():
    layer = Itself(2)
    query, key, value = np.random.default_rng(0).normal(size=(3, 1, 2, 2, 6)).astype("float32")
    found = layer.attend_in_halves(query, key, value, lambda q, k, v: q + k, lambda q, k, v: v - q)
    expected = np.concatenate([(query + key)[..., :3], (value - query)[..., 3:]], axis=-1)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("projection", ["separable", "linear"])
def test_the_inference_form_gives_the_same_numbers(projection):
    layer = Itself(2, projection=projection, name="itself")
    x = np.random.default_rng(0).normal(size=(1, 5, 4, 8)).astype("float32")
    layer.build(x.shape)
    randomize(layer, seed=1)
    fused = Itself.from_config(layer.fused_config())
    fused.build(x.shape)
    values = layer.fused_weights()
    assert {weight.path.split("itself/")[-1] for weight in fused.weights} == set(values)
    for weight in fused.weights:
        weight.assign(values[weight.path.split("itself/")[-1]])
    np.testing.assert_allclose(fused(x), layer(x), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "`num_heads` must be a positive integer. Received: 0"),
        ({"num_heads": 2, "projection": "dense"}, "`projection` must be one of"),
        ({"num_heads": 2, "dropout": 1.0}, r"`dropout` must be in \[0, 1\). Received: 1.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Itself(**arguments)


def test_heads_must_divide_the_channels():
    with pytest.raises(ValueError, match="`num_heads` must divide the channels"):
        Itself(3)(keras.ops.ones((1, 2, 2, 8)))
