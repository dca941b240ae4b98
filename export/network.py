"""The network that all artifacts are made from: one set of weights, every output."""

import keras
import tensorflow as tf

from common.errors import SettingError
from common.trained import in_float32
from pale_tf import fuse
from pale_tf.layers.attention import Attention

LEVELS = ("P2", "P3", "P4", "P5")


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
    folded = _fold(network, size, dtype)
    outputs = task.outputs(folded) | pyramid(folded)
    return keras.Model(folded.inputs[0], outputs, name=network.name)


def _fold(network, size, dtype):
    """The network with all that can be folded; one without layers of this project has nothing."""
    names = map(keras.saving.get_registered_name, map(type, network.layers))
    if not any(name.startswith("pale_tf>") for name in names):
        if dtype != "float32":
            raise SettingError(
                f"argument --precision: {dtype} is for networks of this project. {network.name} "
                "has no layer of it"
            )
        return in_float32(network, size)
    try:
        return fuse(network, input_shape=size and (size, size, 3), dtype=dtype)
    except ValueError as error:
        raise SettingError(f"argument RUN: {error}") from error


def served(outputs):
    """What is served of the outputs of an inference form: all but the pyramid."""
    return {name: value for name, value in outputs.items() if name not in LEVELS}


def features(outputs):
    """The pyramid among the outputs of an inference form; empty if it has none."""
    return {name: value for name, value in outputs.items() if name in LEVELS}


def pyramid(network):
    """The outputs of the four stages of a network, `P2` to `P5`; empty if it has no stages."""
    blocks = [layer for layer in network.layers if "_block" in layer.name]
    last = {layer.name.split("_block")[0]: layer for layer in blocks}
    if not last:
        return {}
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
