"""Mobile-Former's block: who reads whom, and in which order."""

import keras
import numpy as np

from pale_tf import PaleConfig
from pale_tf.layers.blocks import State
from pale_tf.layers.blocks.mobile_former import COUNT, TOKENS, WIDTH, mobile_former_block
from tests.pale_tf.layers.checks import randomize

CONFIG = PaleConfig("small", 4, (1, 2, 1, 1), (2, 2, 2, 2), pale_size=3)


def test_tokens_read_the_map_before_the_block_and_the_map_reads_them_after_it():
    inputs = keras.Input((5, 6, 8))
    state = State(inputs)
    for block in range(2):
        state = mobile_former_block(state, CONFIG, 1, block, 0.0)
    model = keras.Model(inputs, [state.map, state.shared[TOKENS]])
    for seed, layer in enumerate(model.layers):
        randomize(layer, seed)
    layer = model.get_layer
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 8)).astype("float32")

    expected, tokens = x, layer("stage2_block1_tokens")(x)
    for block in (1, 2):
        name = f"stage2_block{block}"
        read = layer(f"{name}_read_norm")(expected)
        tokens = layer(f"{name}_to_former")([read, tokens])
        tokens = layer(f"{name}_former")(tokens)
        before = inputs if block == 1 else layer("stage2_block1_add3").output
        plain = keras.Model(before, layer(f"{name}_add2").output)
        expected = plain(expected)
        written = layer(f"{name}_write_norm")(expected)
        expected = expected + layer(f"{name}_to_mobile")([written, tokens])
    found, found_tokens = model(x)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found_tokens, tokens, atol=1e-5)
    assert found_tokens.shape == (2, COUNT, WIDTH)
