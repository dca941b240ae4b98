"""The dual-stream block against its definition."""

import keras
import numpy as np

from pale_tf import PaleConfig
from pale_tf.layers.blocks import State
from pale_tf.layers.blocks.ds import ds_block
from tests.pale_tf.attention_oracle import dense, double, layer_norm
from tests.pale_tf.layers.checks import randomize
from tests.pale_tf.layers.test_local_mlp import convolved

CONFIG = PaleConfig("small", 4, (1, 1, 1, 1), (2, 2, 2, 2), pale_size=3, position="none")


def pooled(x):
    """Means of 2×2 tokens of `[H, W, C]`, of those that there are."""
    height, width, _ = x.shape
    rows, columns = range(0, height, 2), range(0, width, 2)
    return np.array([[x[r : r + 2, c : c + 2].mean((0, 1)) for c in columns] for r in rows])


def test_both_streams_are_the_definition():
    inputs = keras.Input((5, 6, 8))
    model = keras.Model(inputs, ds_block(State(inputs), CONFIG, 1, 0, 0.0).map)
    for seed, layer in enumerate(model.layers):
        randomize(layer, seed)

    def layer(part):
        return model.get_layer(f"stage2_block1_{part}")

    def run(part, *arguments):
        """A layer that has tests of its own, on one image."""
        tensors = [x[None].astype("float32") for x in arguments]
        outputs = layer(part)(tensors[0] if len(tensors) == 1 else tensors)
        return keras.tree.map_structure(lambda x: np.array(x)[0].astype("float64"), outputs)

    x = np.random.default_rng(0).normal(size=(5, 6, 8))
    normed = layer_norm(layer("norm1"), x)
    near, far = dense(layer("local"), normed), pooled(dense(layer("global"), normed))
    convolution = layer("local_conv")
    near = near + convolved(layer_norm(layer("local_norm1"), near), double(convolution.kernel))
    near = near + double(convolution.bias)
    far = far + run("attention", layer_norm(layer("global_norm1"), far))
    news = run(
        "alignment", layer_norm(layer("local_norm2"), near), layer_norm(layer("global_norm2"), far)
    )
    near, far = near + news[0], run("global_resize", far + news[1], near)
    expected = x + dense(layer("mix"), np.concatenate([near, far], axis=-1))
    expected = expected + run("mlp", layer_norm(layer("norm2"), expected))
    np.testing.assert_allclose(model(x[None].astype("float32"))[0], expected, rtol=1e-4, atol=1e-4)
