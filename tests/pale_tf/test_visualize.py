"""Measurements of tokens, against definitions."""

import itertools

import keras
import numpy as np
import pytest

from pale_tf import pale_backbone, visualize
from pale_tf.layers.attention import Place, make_attention
from tests.pale_tf import attention_oracle
from tests.pale_tf.layers.checks import randomize

SIZE, TOKEN = (10, 13), (4, 6)


def built(name, block=1, **options):
    layer = make_attention(name, Place(1, block), 4, projection="linear", **options)
    layer.build((None, *SIZE, 16))
    randomize(layer, seed=0)
    return layer


@pytest.mark.parametrize("name", ["global", "shifted_window", "cross_shaped", "axial"])
def test_attention_weights_are_a_softmax_over_the_region(name):
    layer = built(name)
    x = np.random.default_rng(1).normal(size=(1, *SIZE, 16)).astype("float32")
    weights = visualize.attention_weights(layer, x, TOKEN)
    assert weights.shape == (4, *SIZE)
    np.testing.assert_allclose(weights.sum((1, 2)), 1, atol=1e-5)
    assert weights.min() > -1e-6
    region = attention_oracle.region(layer, TOKEN, SIZE)
    for place in np.ndindex(SIZE):
        assert np.any(weights[:, *place] > 1e-6) <= (place in region)


def test_attention_weights_are_those_of_the_scores():
    layer = built("global")
    x = np.random.default_rng(2).normal(size=(1, *SIZE, 16))
    query = attention_oracle.dense(layer.query, x[0])[TOKEN].reshape(4, 4) / 2
    key = attention_oracle.dense(layer.key, x[0]).reshape(*SIZE, 4, 4)
    scores = np.einsum("hd,rchd->hrc", query, key)
    expected = np.exp(scores) / np.exp(scores).sum((1, 2), keepdims=True)
    actual = visualize.attention_weights(layer, x.astype("float32"), TOKEN)
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    every = visualize.attention_weights(layer, x.astype("float32"))
    assert every.shape == (*SIZE, 4, *SIZE)
    np.testing.assert_allclose(every[TOKEN], actual, atol=1e-6)


def test_halves_of_a_pale_are_rows_then_columns():
    layer = built("pale", pale_size=2)
    x = np.random.default_rng(3).normal(size=(1, *SIZE, 16)).astype("float32")
    weights = visualize.attention_weights(layer, x, TOKEN)
    rows = np.nonzero(weights[:2].sum((0, 2)) > 1e-6)[0]
    columns = np.nonzero(weights[2:].sum((0, 1)) > 1e-6)[0]
    assert list(rows) == [4, 9]  # five groups
    assert list(columns) == [6]  # seven


@pytest.mark.parametrize(
    "layer", [make_attention("messenger", Place(1, 0), 4), keras.layers.Dense(3)], ids=type
)
def test_no_weights_of_what_has_none(layer):
    with pytest.raises(ValueError, match="`layer` must be an `Attention` other than"):
        visualize.attention_weights(layer, np.zeros((1, 4, 4, 16), "float32"), TOKEN)


@pytest.mark.parametrize("options", [{"keep": 0.5}, {"sharing": "takes"}], ids=str)
def test_no_weights_that_depend_on_values_or_are_those_of_another_block(options):
    layer = make_attention("pale", Place(1, 0), 4, **options)
    with pytest.raises(ValueError, match="`layer` must have weights of its own"):
        visualize.attention_weights(layer, np.zeros((1, 4, 4, 16), "float32"), TOKEN)


def test_receptive_fields_grow_and_are_those_of_differences():
    keras.utils.set_random_seed(0)
    backbone = pale_backbone("nano", input_shape=(48, 64, 3))
    images = np.random.default_rng(4).uniform(0, 255, (1, 48, 64, 3)).astype("float32")
    fields = visualize.effective_receptive_field(backbone, images)
    assert list(fields) == ["P2", "P3", "P4", "P5"]
    for field in fields.values():
        assert field.shape == (48, 64)
        assert field.max() == 1
    wide = [float((field > 0.01).mean()) for field in fields.values()]
    # Where a field covers the whole image already, single pixels fall below the bound by chance.
    assert all(later > earlier - 0.01 for earlier, later in itertools.pairwise(wide))
    assert wide[0] < 0.2 < 0.9 < wide[-1]

    def middle(images):
        features = np.asarray(backbone(images)["P2"], "float64")
        return features[0, 6, 8].sum()

    steps = {}
    for row, column in ((26, 34), (20, 34)):
        change = np.zeros_like(images)
        change[0, row, column, 1] = 1.0
        steps[row, column] = (middle(images + change) - middle(images - change)) / 2
    gradient = visualize._gradient(lambda x: keras.ops.sum(backbone(x)["P2"][:, 6, 8]), images)
    for place, expected in steps.items():
        assert gradient[0, *place, 1] == pytest.approx(expected, rel=0.02, abs=1e-4)
