"""Scores of units: a weight of ones whose L1 norm is a loss, and which does not decay."""

import keras
import numpy as np
import pytest

from pale_tf.decay import no_weight_decay
from pale_tf.layers.mlp import MLP
from pale_tf.layers.scores import check_sparsity


def test_scores_are_ones_at_first_and_their_l1_norm_is_a_loss():
    layer = MLP(ratio=2, sparsity=0.25)
    inputs = keras.Input((3, 3, 4))
    model = keras.Model(inputs, layer(inputs))
    np.testing.assert_array_equal(layer.scores, np.ones(8))
    layer.scores.assign(np.linspace(-1, 1, 8))
    (loss,) = model.losses
    np.testing.assert_allclose(loss, 0.25 * abs(np.linspace(-1, 1, 8)).sum(), rtol=1e-6)
    assert any(weight is layer.scores for weight in no_weight_decay(model))


@pytest.mark.parametrize("sparsity", [-1e-9, float("inf"), float("nan"), "some"])
def test_bad_weights_of_the_loss(sparsity):
    with pytest.raises(ValueError, match="`sparsity` must be 0 or positive, finite"):
        check_sparsity(sparsity)
