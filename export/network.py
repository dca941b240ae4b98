"""The network that all artifacts are made from: one set of weights, every output."""

import keras
import tensorflow as tf

from common.errors import SettingError
from pale_tf import fuse
from pale_tf.layers.attention import Attention


def inference_network(network, size=None, dtype="float32"):
    """Makes the inference form of a classifier of this project.

    Args:
        network: A `keras.Model` of images in 0..255 to class scores that ends in the layer
            `predictions`, as `PaleT` and its like do.
        size: Height and width of the images, in pixels, or None for the network's own.
        dtype: Dtype policy of the result; the classifier is in float32.

    Returns:
        A `keras.Model` whose output is a dict: `logits` and `probabilities`,
        `[N, classes]`, and the pyramid `P2` to `P5`.

    Raises:
        SettingError: If it is not such a network, or there is no size.
    """
    check_classifier(network)
    height, width = network.input_shape[1:3]
    if size is None and (height is None or height != width):
        raise SettingError(
            "argument --size: needed, for the network's own images are not square and of one size; "
            f"their height and width are {height}, {width}"
        )
    shape = None if size is None else (size, size, 3)
    fused = fuse(network, input_shape=shape, dtype=dtype)
    predictions = fused.get_layer("predictions")
    config = predictions.get_config() | {"activation": None, "name": "logits"}
    dense = keras.layers.Dense.from_config(config)
    logits = dense(predictions.input)
    dense.set_weights(predictions.get_weights())
    linear = predictions.activation is keras.activations.linear
    activation = keras.activations.softmax if linear else predictions.activation
    outputs = {"logits": logits, "probabilities": activation(logits)}
    return keras.Model(fused.inputs[0], outputs | pyramid(fused), name=network.name)


def check_classifier(network):
    """Raises a `SettingError` unless the network is one of this project with a classifier."""
    names = {layer.name for layer in network.layers}
    if not {"predictions", "stage4_merging"} <= names:
        raise SettingError(
            f"argument RUN: must be a Pale Transformer with a classifier; {network.name} has no "
            "layer named predictions"
        )


def pyramid(network):
    """The outputs of the four stages of a network, `P2` to `P5`."""
    blocks = [layer for layer in network.layers if "_block" in layer.name]
    last = {layer.name.split("_block")[0]: layer for layer in blocks}
    return {f"P{stage + 1}": last[f"stage{stage}"].output for stage in range(1, 5)}


def compile_attention(network):
    """The same network, on the same weights, with each attention compiled by XLA."""

    def call(layer, *inputs, **kwargs):
        if isinstance(layer, Attention):
            layer = Compiled(layer, name=f"{layer.name}_xla")
        return layer(*inputs, **kwargs)

    return keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=call)


class Compiled(keras.layers.Layer):
    """Another layer, whose call XLA must compile."""

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer
        self.compiled = tf.function(layer.call, jit_compile=True)
        self.built = True

    def call(self, inputs):
        return self.compiled(inputs)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)
