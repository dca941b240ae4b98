"""An MLP that is spent on some tokens, against its definition, token by token."""

import keras
import numpy as np
import pytest
import scipy.special

from pale_tf.layers.selective_mlp import SelectiveMLP
from tests.pale_tf.attention_oracle import dense
from tests.pale_tf.layers.checks import randomize

SIZE = (3, 5)


def built(keep=0.3, size=SIZE):
    layer = SelectiveMLP(keep, ratio=2, name="mlp")
    count = size[0] * size[1]
    layer.build([(None, *size, 8), (None, *size, 1), (None, count), (None, count)])
    randomize(layer, seed=0)
    return layer


def inputs(seed=1, size=SIZE):
    """Maps, masks of the best 5 of 15 or of one of one, rankings, and ranks."""
    rng, count = np.random.default_rng(seed), size[0] * size[1]
    x = rng.normal(size=(2, *size, 8))
    ranking = rng.permuted(np.tile(np.arange(count), (2, 1)), axis=1)
    ranks = np.argsort(ranking, axis=1)
    return x, (ranks < np.ceil(count * 0.3)).reshape(2, *size, 1), ranking, ranks


def expected_outputs(layer, x, kept):
    hidden = dense(layer.expand, x)
    slow = dense(layer.contract, hidden * scipy.special.ndtr(hidden))
    return np.where(kept, slow, dense(layer.fast, x))


def as_tensors(x, kept, *order):
    return [x.astype("float32"), kept.astype("float32"), *(x.astype("int32") for x in order)]


@pytest.mark.parametrize("size", [SIZE, (1, 1)], ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_both_paths_are_the_definition(training, size):
    layer, (x, kept, *order) = built(size=size), inputs(size=size)
    found = layer(as_tensors(x, kept, *order), training=training)
    np.testing.assert_allclose(found, expected_outputs(layer, x, kept), rtol=0, atol=1e-5)


def test_sizes_that_are_known_at_run_time():
    layer, arguments = built(), as_tensors(*inputs())
    symbols = [
        keras.Input((None, None, 8)),
        keras.Input((None, None, 1)),
        keras.Input((None,), dtype="int32"),
        keras.Input((None,), dtype="int32"),
    ]
    model = keras.Model(symbols, layer(symbols))
    assert model.output_shape == (None, None, None, 8)
    np.testing.assert_allclose(model.predict(arguments, verbose=0), layer(arguments), atol=1e-6)


def test_computes_the_hidden_layer_again_for_the_gradient():
    layer, arguments = built(), as_tensors(*inputs())
    expected = layer(arguments, training=True)
    layer.rematerialize = True
    np.testing.assert_allclose(layer(arguments, training=True), expected, atol=1e-6)


def test_config():
    layer = built()
    copy = SelectiveMLP.from_config(layer.get_config())
    assert (copy.get_config(), copy.keep, copy.ratio) == (layer.get_config(), 0.3, 2)
    with pytest.raises(ValueError, match=r"`keep` must be in \(0, 1\]. Received: 0"):
        SelectiveMLP(0)
