"""The small networks that are compared."""

import types

import numpy as np
import pytest

from benchmarks.attention_networks import digits_config, first_stage_network, long_range_config
from pale_tf.layers.attention import ATTENTIONS


@pytest.mark.parametrize("make", [digits_config, long_range_config])
def test_configurations_differ_in_the_attention_alone(make):
    shapes = {
        (c.embed_dim, c.depths, c.num_heads, c.pale_size, c.projection, c.position)
        for c in map(make, ATTENTIONS)
    }
    assert len(shapes) == 1


@pytest.mark.parametrize("attention", ["pale", "axial", "global"])
def test_classifies_by_the_first_stage(attention):
    recipe = types.SimpleNamespace(model=long_range_config(attention), image_size=64)
    network = first_stage_network(recipe, types.SimpleNamespace(labels=["a", "b", "c"]))
    blocks = {layer.name for layer in network.layers if "block" in layer.name}
    assert {name.split("_")[0] for name in blocks} == {"stage1"}
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3))
    probabilities = network.predict_on_batch(images)
    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1.0, rtol=1e-5)
