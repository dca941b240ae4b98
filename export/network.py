"""The network that all artifacts are made from: one set of weights, every output."""

import keras
import tensorflow as tf

from common.errors import SettingError
from pale_tf import backbone, fuse
from pale_tf.layers.attention import Attention
from pale_tf.names import LEVELS


def inference_network(network, task, size=None, dtype="float32"):
    """Makes the inference form of a network.

    Args:
        network: A `keras.Model` of images in 0..255.
        task: Its `Task`.
        size: Height and width of the images, in pixels, or None for the network's own.
        dtype: Dtype policy of the result, in which the task may keep some layers in float32.

    Returns:
        A `keras.Model` whose output is a dict: the outputs of the task and, if the network has a
        backbone of this project, the pyramid `P2` to `P5`.

    Raises:
        SettingError: If there is no such form, or no size.
    """
    height, width = network.input_shape[1:3]
    if size is None and (height is None or height != width):
        raise SettingError(
            "argument --size: needed, for the network's own images are not square and of one size; "
            f"their height and width are {height}, {width}"
        )
    try:
        folded = fuse(network, input_shape=size and (size, size, 3), dtype=dtype)
    except ValueError as error:
        raise SettingError(f"argument RUN: {error}") from error
    outputs = task.outputs(folded) | pyramid(folded)
    return keras.Model(folded.inputs[0], outputs, name=network.name)


def served(outputs):
    """The outputs of an inference form that are served: all but the pyramid."""
    return {name: value for name, value in outputs.items() if name not in LEVELS}


def features(outputs):
    """The pyramid among the outputs of an inference form; empty if it has none."""
    return {name: value for name, value in outputs.items() if name in LEVELS}


def pyramid(network):
    """The pyramid `P2` to `P5` inside a network; empty if it has no backbone of this project."""
    try:
        return backbone.pyramid(network)
    except ValueError:
        return {}


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
