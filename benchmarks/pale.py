"""Pale-T in the forms that are timed."""

import tempfile

import keras
import numpy as np
import tensorflow as tf

from export.lite import convert
from export.network import inference_network
from export.reload import open_lite
from export.saved_model import write_model
from export.signatures import make_signatures
from pale_tf import PaleT


def make_network(size=224, **options):
    """Pale-T with random weights of which none is 0 or 1, as after training.

    TensorFlow leaves out the addition of a constant 0: zero biases would look faster than they are.
    """
    keras.utils.set_random_seed(0)
    network = PaleT(input_shape=(size, size, 3), drop_path_rate=0.0, **options)
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if weight.path.endswith(("gamma", "variance")):
            weight.assign(rng.uniform(0.8, 1.2, weight.shape))
        elif weight.path.endswith(("bias", "beta", "mean")):
            weight.assign(rng.normal(0.0, 0.02, weight.shape))
    return network


def images_of(batch, size=224):
    return np.random.default_rng(0).uniform(0, 255, (batch, size, size, 3)).astype("float32")


def graph(network, batch):
    """A function that runs a network on a batch, as a graph of TensorFlow."""
    run = tf.function(lambda images: network(images, training=False))
    images = tf.constant(images_of(batch, network.input_shape[1]))
    return lambda: run(images).numpy()


def saved_model(network, dtype="float32"):
    """`serving_default` of what export makes, loaded again: a function of images."""
    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(network, folder, dtype)
        loaded = tf.saved_model.load(folder)
    serve = loaded.signatures["serving_default"]

    def run(images):
        return serve(images=tf.constant(images))["logits"].numpy()

    run.model = loaded  # which the signature alone does not keep
    return run


def write_saved_model(network, folder, dtype="float32"):
    """Writes what export makes for TF Serving: of its signatures, `serving_default` alone."""
    fused = inference_network(network, dtype=dtype)
    signatures = make_signatures(fused, list(map(str, range(1000))), 0.875, "off")
    write_model(folder, fused, {"serving_default": signatures["serving_default"]})


def lite(network, batch=1):
    """What export makes for LiteRT, on two threads: a function of nothing."""
    interpreter = open_lite(convert(inference_network(network), batch))
    entry = interpreter.get_input_details()[0]
    interpreter.set_tensor(entry["index"], images_of(batch, network.input_shape[1]))
    return interpreter.invoke
