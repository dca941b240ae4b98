"""The pale block: a function over layers."""

import dataclasses

import keras
import numpy as np

from pale_tf import pale_backbone
from pale_tf.configs import NETWORKS, PaleConfig
from pale_tf.layers.blocks import State
from pale_tf.layers.blocks.pale import pale_block

CONFIG = PaleConfig("small", 4, (1, 5, 1, 1), (2, 2, 2, 2), pale_size=3)


def block_model(drop_path_rate):
    inputs = keras.Input((6, 5, 8))
    state = pale_block(State(inputs, {"kept": 1}), CONFIG, 1, 4, drop_path_rate)
    assert state.shared == {"kept": 1}
    return keras.Model(inputs, state.map)


def test_is_position_then_attention_then_mlp_each_residual():
    model = block_model(drop_path_rate=0.0)
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 8)).astype("float32")
    layer = model.get_layer
    expected = layer("stage2_block5_position")(x)
    expected += layer("stage2_block5_attention")(layer("stage2_block5_norm1")(expected))
    expected += layer("stage2_block5_mlp")(layer("stage2_block5_norm2")(expected))
    np.testing.assert_allclose(model(x), expected, atol=1e-6)


def test_blocks_share_attention_weights_by_neighbors():
    """Of 5 blocks, 1 gives to 2 and 3 to 4; the last is alone."""
    config = dataclasses.replace(CONFIG, share_attention=2)
    inputs = keras.Input((6, 5, 8))
    state = State(inputs)
    for block in range(5):
        state = pale_block(state, config, 1, block, 0.0)
    model = keras.Model(inputs, state.map)
    roles = [model.get_layer(f"stage2_block{block}_attention").sharing for block in range(1, 6)]
    assert roles == ["gives", "takes", "gives", "takes", None]


def test_blocks_of_a_stage_spend_their_mlps_on_the_same_tokens():
    config = dataclasses.replace(CONFIG, keep_tokens=(1, 0.5, 1, 1), token_scores="norm")
    inputs = keras.Input((6, 5, 8))
    state = State(inputs)
    for block in range(2):
        state = pale_block(state, config, 1, block, 0.0)
    model = keras.Model(inputs, state.map)
    selections = [layer for layer in model.layers if layer.name.endswith("_selection")]
    assert [layer.name for layer in selections] == ["stage2_block1_selection"]
    for block in (1, 2):
        _, *tokens = model.get_layer(f"stage2_block{block}_mlp").input
        assert tokens == list(selections[0].output)


def test_tokens_are_told_apart_by_their_norms():
    """Also in a network that has not been trained: a stage begins with tokens of one norm."""
    config = dataclasses.replace(NETWORKS["pale_n"], keep_tokens=0.5, token_scores="norm")
    backbone = pale_backbone(config, input_shape=(64, 64, 3))
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    for stage in (1, 2, 3):
        selection = backbone.get_layer(f"stage{stage}_block1_selection")
        x = np.array(keras.Model(backbone.input, selection.input)(images))
        norms = np.linalg.norm(x, axis=-1)
        assert norms.std() > 1e-3 * norms.mean()


def test_stages_that_keep_all_tokens_are_plain():
    """The same layers as of a configuration that selects nothing."""
    config = dataclasses.replace(CONFIG, keep_tokens=(0.5, 1, 0.5, 0.5))
    inputs = keras.Input((6, 5, 8))
    model = keras.Model(inputs, pale_block(State(inputs), config, 1, 4, 0.0).map)
    plain = block_model(drop_path_rate=0.0)
    kinds = [[(layer.name, type(layer)) for layer in m.layers[1:]] for m in (model, plain)]
    assert kinds[0] == kinds[1]


def test_drop_path_is_on_both_branches_and_absent_at_rate_0():
    rates = [layer.rate for layer in block_model(0.3).layers if "drop_path" in layer.name]
    assert rates == [0.3, 0.3]
    assert not [layer for layer in block_model(0.0).layers if "drop_path" in layer.name]
