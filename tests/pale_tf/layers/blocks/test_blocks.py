"""The registry of blocks, and what blocks share."""

import keras
import numpy as np
import pytest

from pale_tf import PaleConfig, fuse, pale_network
from pale_tf.layers.blocks import BLOCKS, State
from tests.pale_tf.test_fuse import assert_same, disturbed


def gate_block(state, config, stage, block, drop_path_rate):
    """Scales the map by a gate that the first block of a stage makes and all others share."""
    prefix = f"stage{stage + 1}_block{block + 1}"
    gate = state.shared.get("gate")
    if gate is None:
        gate = keras.layers.Dense(1, activation="sigmoid", name=f"{prefix}_gate")(state.map)
    x = keras.layers.Multiply(name=f"{prefix}_multiply")([state.map, gate])
    return State(x, {**state.shared, "gate": gate})


@pytest.fixture
def config(monkeypatch):
    monkeypatch.setitem(BLOCKS, "gate", gate_block)
    return PaleConfig("gated", 8, (3, 1, 2, 1), (2, 2, 2, 2), block="gate")


def test_blocks_of_a_stage_share_and_stages_do_not(config):
    model = disturbed(pale_network(config, input_shape=(64, 64, 3), classes=3))
    gates = [layer.name for layer in model.layers if layer.name.endswith("_gate")]
    assert gates == [f"stage{stage}_block1_gate" for stage in (1, 2, 3, 4)]
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    parts = ("stage1_merging", "stage1_block1_gate", "stage1_block3_multiply")
    outputs = [model.get_layer(part).output for part in parts]
    x, gate, after = map(np.asarray, keras.Model(model.inputs[0], outputs)(images))
    kernel, bias = model.get_layer("stage1_block1_gate").get_weights()
    np.testing.assert_allclose(gate, 1 / (1 + np.exp(-(x @ kernel + bias))), atol=1e-6)
    np.testing.assert_allclose(after, x * gate**3, atol=1e-5)


def test_such_a_network_has_a_pyramid_and_an_inference_form(config):
    model = disturbed(pale_network(config, input_shape=(64, 48, 3), classes=3))
    assert model.pyramid_level_inputs["P4"] == "stage3_block2_multiply"
    assert_same(model, fuse(model), (64, 48))


def test_a_map_from_a_layer_of_another_name_is_refused(config, monkeypatch):
    def nameless(state, *_):
        return State(keras.layers.ReLU(name="relu")(state.map))

    monkeypatch.setitem(BLOCKS, "gate", nameless)
    with pytest.raises(ValueError, match=r"named stage1_block1_.*Received: 'gate', with 'relu'"):
        pale_network(config, input_shape=(64, 64, 3))


@pytest.mark.parametrize("block", ["dense", None, 3])
def test_an_unknown_block_is_refused(block):
    with pytest.raises(
        ValueError, match=r"`block` must be one of \['conformer', .*'pale'\]. Received: "
    ):
        PaleConfig("mine", 8, (1, 1, 1, 1), (2, 2, 2, 2), block=block)
