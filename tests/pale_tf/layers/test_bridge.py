"""The bridge between a map and global tokens, against its definition."""

import keras
import numpy as np
import pytest
import scipy.special

from pale_tf.decay import no_weight_decay
from pale_tf.layers.bridge import Former, FormerToMobile, GlobalTokens, MobileToFormer
from tests.pale_tf.attention_oracle import dense, double, layer_norm
from tests.pale_tf.layers.checks import randomize

MAP, TOKENS = (2, 3, 5, 8), (2, 4, 6)


def arrays():
    rng = np.random.default_rng(0)
    return rng.normal(size=MAP), rng.normal(size=TOKENS)


def built(layer, shapes):
    layer.build(shapes)
    randomize(layer, seed=1)
    return layer


def attention(query, key, value, heads):
    """Of one image, head by head."""
    outputs = []
    for q, k, v in zip(*(np.split(x, heads, axis=1) for x in (query, key, value)), strict=True):
        outputs.append(scipy.special.softmax(q @ k.T * q.shape[1] ** -0.5, axis=1) @ v)
    return np.concatenate(outputs, axis=1)


def as_float32(*values):
    return [value.astype("float32") for value in values]


def test_tokens_read_the_map():
    layer, (x, tokens) = built(MobileToFormer(2), [MAP, TOKENS]), arrays()
    found = layer(as_float32(x, tokens))
    for image, z, output in zip(x.reshape(2, 15, 8), tokens, found, strict=True):
        update = attention(dense(layer.query, z), image, image, heads=2)
        expected = layer_norm(layer.output_norm, z + dense(layer.output_projection, update))
        np.testing.assert_allclose(output, expected, atol=1e-5)


def test_tokens_read_each_other():
    layer, (_, tokens) = built(Former(3), TOKENS), arrays()
    found = layer(*as_float32(tokens))
    for z, output in zip(tokens, found, strict=True):
        parts = (dense(part, z) for part in (layer.query, layer.key, layer.value))
        z = layer_norm(
            layer.attention_norm, z + dense(layer.output_projection, attention(*parts, 3))
        )
        hidden = dense(layer.expand, z)
        update = dense(layer.contract, hidden * scipy.special.ndtr(hidden))
        np.testing.assert_allclose(output, layer_norm(layer.mlp_norm, z + update), atol=1e-5)


def test_the_map_reads_tokens():
    layer, (x, tokens) = built(FormerToMobile(4), [MAP, TOKENS]), arrays()
    found = np.array(layer(as_float32(x, tokens)))
    for image, z, output in zip(x.reshape(2, 15, 8), tokens, found, strict=True):
        expected = attention(image, dense(layer.key, z), dense(layer.value, z), heads=4)
        np.testing.assert_allclose(output.reshape(15, 8), expected, atol=1e-5)


def test_tokens_are_learned_and_do_not_decay():
    layer = GlobalTokens(3, 5)
    inputs = keras.Input((4, 4, 2))
    model = keras.Model(inputs, layer(inputs))
    found = model(np.zeros((2, 4, 4, 2), "float32"))
    np.testing.assert_array_equal(found, np.stack([double(layer.tokens)] * 2))
    assert [id(weight) for weight in no_weight_decay(model)] == [id(layer.tokens)]


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (MobileToFormer(2), [(None, None, None, 8), TOKENS]),
        (Former(3), TOKENS),
        (FormerToMobile(4), [(None, None, None, 8), TOKENS]),
        (GlobalTokens(4, 6), (None, None, None, 8)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_config_and_sizes_that_are_known_at_run_time(layer, shapes):
    shapes = shapes if isinstance(shapes, list) else [shapes]
    symbols = [keras.Input(shape[1:]) for shape in shapes]
    outputs = layer(symbols if len(symbols) > 1 else symbols[0])
    arguments = [x for x in as_float32(*arrays()) for s in symbols if len(s.shape) == x.ndim]
    model = keras.Model(symbols, outputs)
    expected = layer(arguments if len(arguments) > 1 else arguments[0])
    np.testing.assert_allclose(model.predict(arguments, verbose=0), expected, atol=1e-6)
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
