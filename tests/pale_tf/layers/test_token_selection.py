"""Scores, masks and rankings of tokens, against their definition."""

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from pale_tf.layers.token_selection import RATIO_WEIGHT, TokenSelection
from tests.pale_tf.attention_oracle import dense, layer_norm
from tests.pale_tf.layers.checks import randomize

SIZE = (5, 6)


def built(scores, keep=0.4, **options):
    layer = TokenSelection(keep, scores, name="selection", **options)
    layer.build((None, *SIZE, 8))
    randomize(layer, seed=0)
    return layer


def maps(seed=1, channels=8, size=SIZE):
    return np.random.default_rng(seed).normal(size=(3, *size, channels))


def gelu(x):
    return x * scipy.special.ndtr(x)


def expected_logits(layer, image):
    """DynamicViT's predictor of one map: `[N, 2]`, before the softmax."""
    x = gelu(dense(layer.embed, layer_norm(layer.norm, image.reshape(-1, 8))))
    x = np.concatenate([x[:, :4], np.tile(x[:, 4:].mean(0), (len(x), 1))], axis=1)
    return dense(layer.score, gelu(dense(layer.hidden2, gelu(dense(layer.hidden1, x)))))


def test_the_predictor_ranks_as_its_definition():
    layer, x = built("predictor"), maps()
    mask, ranking, ranks = layer(x.astype("float32"))
    assert layer.losses == []
    np.testing.assert_array_equal(
        np.take_along_axis(ranks.numpy(), ranking.numpy(), 1), 3 * [range(30)]
    )
    for image, kept, order in zip(x, np.array(mask), np.array(ranking), strict=True):
        logits = expected_logits(layer, image)
        expected = np.argsort(-scipy.special.log_softmax(logits, axis=1)[:, 0])
        np.testing.assert_array_equal(order, expected)
        assert kept.sum() == 12  # of 30
        assert set(np.flatnonzero(kept)) == set(expected[:12])


def test_the_norm_ranks_by_the_lengths_of_features():
    layer, x = built("norm"), maps()
    assert layer.weights == []
    for training in (False, True):
        mask, ranking, _ = layer(x.astype("float32"), training=training)
        norms = np.linalg.norm(x.reshape(3, -1, 8), axis=-1)
        np.testing.assert_array_equal(ranking, np.argsort(-norms, axis=1))
        kept = np.sort(norms, axis=1)[:, -12:-11] <= norms
        np.testing.assert_array_equal(np.array(mask).reshape(3, -1), kept)
    assert layer.losses == []


def test_noise_keeps_tokens_as_often_as_their_probability():
    layer, x = built("predictor", seed=3), maps()[:1]
    draws = [np.array(layer(x.astype("float32"), training=True)[0]) for _ in range(400)]
    probabilities = scipy.special.softmax(expected_logits(layer, x[0]), axis=1)[:, 0]
    assert set(np.unique(draws)) == {0.0, 1.0}
    found = np.mean(draws, axis=0).reshape(-1)
    # Six standard deviations of a mean of 400.
    assert (abs(found - probabilities) < 6 * np.sqrt(0.25 / 400)).all()


def test_the_loss_is_of_the_share_that_noise_keeps():
    layer = built("predictor", seed=4)
    mask, *_ = layer(maps().astype("float32"), training=True)
    shares = np.array(mask).mean(axis=(1, 2, 3))
    (loss,) = layer.losses
    np.testing.assert_allclose(loss, RATIO_WEIGHT * np.mean((shares - 0.4) ** 2), rtol=1e-5)


def test_the_gradient_goes_through_the_probability():
    layer, x = built("predictor", seed=5), tf.constant(maps(), tf.float32)
    with tf.GradientTape() as tape:
        mask, *_ = layer(x, training=True)
        loss = tf.reduce_sum(mask * np.random.default_rng(6).normal(size=mask.shape))
    gradients = tape.gradient(loss, [weight.value for weight in layer.trainable_weights])
    for weight, gradient in zip(layer.trainable_weights, gradients, strict=True):
        assert np.any(gradient), weight.path


def test_a_frozen_layer_selects_as_in_inference():
    layer, x = built("predictor"), maps().astype("float32")
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True)[0], layer(x, training=False)[0])
    assert layer.losses == []


@pytest.mark.parametrize("scores", ["predictor", "norm"])
def test_sizes_and_precisions(scores):
    layer = built(scores)
    inputs = keras.Input((None, None, 8))
    model = keras.Model(inputs, layer(inputs))
    shapes = [output.shape for output in model.outputs]
    assert shapes == [(None, None, None, 1), (None, None), (None, None)]
    x = maps(2, size=(3, 7)).astype("float32")
    for found, expected in zip(model.predict(x, verbose=0), layer(x), strict=True):
        np.testing.assert_array_equal(found, expected)
    copy = TokenSelection.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    outputs = TokenSelection(0.4, scores, dtype="mixed_float16")(x, training=True)
    assert [output.dtype for output in outputs] == ["float16", "int32", "int32"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0,), r"`keep` must be in \(0, 1\]. Received: 0.0"),
        ((1.5,), r"`keep` must be in \(0, 1\]. Received: 1.5"),
        ((0.5, "attention"), "`scores` must be one of .* Received: 'attention'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        TokenSelection(*arguments)
