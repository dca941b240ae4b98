"""Pale-T, and other networks, in the forms that are timed."""

import pathlib

import keras
import numpy as np

from benchmarks.artifacts import SIZE, images_of
from export.intermediate import conversion
from export.litert.conversion import convert
from export.litert.quantization import apply_static, calibrate, quantize_dynamic
from export.network import inference_network, served
from export.serving.signatures import concrete, images_spec, write_model
from export.tasks.classify import TASK
from pale_tf import PaleT

CALIBRATION_IMAGES = 8  # of noise: eight bits are as fast whatever their scales are


def make_network():
    """Pale-T with random weights of which none is 0 or 1, as after training."""
    keras.utils.set_random_seed(0)
    return disturb(PaleT(input_shape=(SIZE, SIZE, 3), drop_path_rate=0.0))


def disturb(network):
    """Gives a network random numbers for weights that begin as 0 or 1, and returns it.

    TensorFlow leaves out the addition of a constant 0: zero biases would look faster than they are.
    """
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if weight.path.endswith(("gamma", "variance")):
            weight.assign(rng.uniform(0.8, 1.2, weight.shape))
        elif weight.path.endswith(("bias", "beta", "mean")):
            weight.assign(rng.normal(0.0, 0.02, weight.shape))
    return network


def write_saved_model(network, folder, dtype="float32", task=TASK):
    """Writes what export makes for TF Serving: of its signatures, `serving_default` alone."""
    fused = inference_network(network, task, dtype=dtype)
    write(folder, fused, lambda images: served(fused(images, training=False)))


def write_as_trained(network, folder):
    """Writes the network without its inference form, with the same signature."""
    write(folder, network, lambda images: {"logits": network(images, training=False)})


def write(folder, network, function):
    """Writes a SavedModel with a function of images as its `serving_default`."""
    write_model(folder, network, {"serving_default": concrete(function, images_spec(network))})


def write_lite(network, file, task=TASK, batch=1, precision="float32"):
    """Writes what export makes for LiteRT; in eight bits, all layers that it ever quantizes."""
    model = convert(inference_network(network, task), task, batch)
    if precision == "dynamic":
        model = quantize_dynamic(model)
    if precision == "int8":
        model = apply_static(
            model, calibrate(model, images_of(CALIBRATION_IMAGES, SIZE)), in_float=()
        )
    pathlib.Path(file).write_bytes(model)


def write_openvino(network, folder, batches, precision="float32", task=TASK):
    """Writes what export makes for OpenVINO, for each batch: `folder/BATCH/model.xml`."""
    fused = inference_network(network, task)
    for batch in batches:
        path = pathlib.Path(folder, str(batch))
        path.mkdir(parents=True)
        images = images_of(CALIBRATION_IMAGES, SIZE)
        model = conversion.convert(fused, task, batch, precision, images)
        conversion.write(model, path, compressed=False)
