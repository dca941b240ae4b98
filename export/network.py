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
        size: Height and width of the images, in pixels, or None for what the network takes.
        dtype: Dtype policy of the result, in which the task may keep some layers in float32.

    Returns:
        A `keras.Model` whose output is a dict: the outputs of the task and, if the network has a
        backbone of this project, the pyramid `P2` to `P5`.

    Raises:
        SettingError: If there is no such form.
    """
    try:
        folded = fuse(network, input_shape=size and (size, size, 3), dtype=dtype)
    except ValueError as error:
        raise SettingError(f"argument RUN: {error}") from error
    outputs = task.outputs(folded) | pyramid(folded)
    return keras.Model(folded.inputs[0], outputs, name=network.name)


def served_size(trained, task, size=None):
    """Height and width of the images that a server's model takes, in pixels.

    Args:
        trained: A `Trained`.
        task: Its `Task`.
        size: What the user wants, or None.

    Returns:
        `size`, or `fixed_size`; None for any, where network and task take images of any size.

    Raises:
        SettingError: As `fixed_size` does.
    """
    if size is None and task.any_size and trained.network.input_shape[1:3] == (None, None):
        return None
    return fixed_size(trained, size)


def fixed_size(trained, size=None):
    """Height and width of the images of a network that gets one size, in pixels.

    Args:
        trained: A `Trained`.
        size: What the user wants, or None for the network's own or, if it takes any, the run's.

    Raises:
        SettingError: If the size is not known.
    """
    height, width = trained.network.input_shape[1:3]
    if height is None and width is None:
        height = width = trained.recipe.get("image_size")
    size = height if size is None and height == width else size
    if type(size) is not int or size < 1:
        raise SettingError(
            "argument --size: needed, for the network's own images are not square and of one size; "
            f"their height and width are {height}, {width}"
        )
    return size


def served(outputs, names=None):
    """The outputs of an inference form that are served: `names`, or all but the pyramid."""
    return {
        name: value
        for name, value in outputs.items()
        if (name in names if names else name not in LEVELS)
    }


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
