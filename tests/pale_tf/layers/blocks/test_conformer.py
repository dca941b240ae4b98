"""Conformer's block against its definition, and as a network."""

import keras
import numpy as np
import scipy.special

from pale_tf import PaleConfig
from pale_tf.layers.blocks import State
from pale_tf.layers.blocks.conformer import conformer_block
from tests.pale_tf.attention_oracle import dense, double, layer_norm
from tests.pale_tf.decoders import oracle
from tests.pale_tf.layers.checks import randomize

CONFIG = PaleConfig("small", 4, (1, 2, 1, 1), (2, 2, 2, 2), pale_size=3)


def conv_norm(layer, x):
    """ConvNorm in inference."""
    x = oracle.convolve(x, double(layer.kernel))
    gamma, beta, mean, variance = map(double, layer.norm.weights)
    x = (x - mean) / np.sqrt(variance + layer.norm.epsilon) * gamma + beta
    return np.maximum(x, 0) if layer.activate else x


def bottleneck(layers, name, x, coupled=0.0):
    inner = conv_norm(layers(f"{name}_conv2"), conv_norm(layers(f"{name}_conv1"), x) + coupled)
    return np.maximum(x + conv_norm(layers(f"{name}_conv3"), inner), 0), inner


def test_both_branches_are_the_definition():
    inputs = keras.Input((5, 6, 8))
    first = conformer_block(State(inputs), CONFIG, 1, 0, 0.0)
    last = conformer_block(first, CONFIG, 1, 1, 0.0)
    model = keras.Model(inputs, last.map)
    for seed, layer in enumerate(model.layers):
        randomize(layer, seed)
    layers = model.get_layer
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 8))

    branch = tokens = x
    for block in (1, 2):
        name = f"stage2_block{block}"
        if block == 1:
            branch, inner = bottleneck(layers, f"{name}_branch", branch)
        else:  # what only the end of the branch would need is not in the model
            inner = conv_norm(layers(f"{name}_branch_conv1"), branch)
            inner = conv_norm(layers(f"{name}_branch_conv2"), inner)
        down = layer_norm(layers(f"{name}_down_norm"), dense(layers(f"{name}_down"), inner))
        tokens = tokens + down * scipy.special.ndtr(down)
        plain = keras.Model(layers(f"{name}_join").output, layers(f"{name}_add2").output)
        tokens = np.array(plain(tokens.astype("float32"))).astype("float64")
        if block == 1:
            up = conv_norm(layers(f"{name}_up"), tokens)
            branch, _ = bottleneck(layers, f"{name}_fusion", branch, up)
    np.testing.assert_allclose(model(x.astype("float32")), tokens, rtol=1e-4, atol=1e-4)


def test_the_branch_ends_with_the_stage():
    inputs = keras.Input((5, 6, 8))
    state = conformer_block(State(inputs), CONFIG, 1, 1, 0.0)
    names = {layer.name for layer in keras.Model(inputs, state.map).layers}
    assert "stage2_block2_down" in names
    assert not any("fusion" in name or name.endswith("_up") for name in names)
    assert not state.shared
