"""Pale-T in the forms that are timed."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from benchmarks.artifacts import SIZE
from export.litert.conversion import convert
from export.network import inference_network
from export.saved_model import write_model
from export.serving.signatures import concrete, make_signatures
from pale_tf import PaleT


def make_network():
    """Pale-T with random weights of which none is 0 or 1, as after training.

    TensorFlow leaves out the addition of a constant 0: zero biases would look faster than they are.
    """
    keras.utils.set_random_seed(0)
    network = PaleT(input_shape=(SIZE, SIZE, 3), drop_path_rate=0.0)
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if weight.path.endswith(("gamma", "variance")):
            weight.assign(rng.uniform(0.8, 1.2, weight.shape))
        elif weight.path.endswith(("bias", "beta", "mean")):
            weight.assign(rng.normal(0.0, 0.02, weight.shape))
    return network


def write_saved_model(network, folder, dtype="float32"):
    """Writes what export makes for TF Serving: of its signatures, `serving_default` alone."""
    fused = inference_network(network, dtype=dtype)
    signatures = make_signatures(fused, list(map(str, range(1000))), 0.875, "off")
    write_model(folder, fused, {"serving_default": signatures["serving_default"]})


def write_as_trained(network, folder):
    """Writes the network without its inference form, with the same signature."""

    def serving_default(images):
        return {"logits": network(images, training=False)}

    images = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32, name="images")
    write_model(folder, network, {"serving_default": concrete(serving_default, images)})


def write_lite(network, file):
    """Writes what export makes for LiteRT, for one image."""
    pathlib.Path(file).write_bytes(convert(inference_network(network), 1))
