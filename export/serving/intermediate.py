"""OpenVINO's intermediate representation (IR) of a network."""

import os
import tempfile

import openvino
import tensorflow as tf

from export.network import served
from export.serving.signatures import concrete, images_spec

FILE = "model.xml"
PRECISION = ("pale_tf", "precision")  # where the file says for which precision it was made


def convert(network, task, batch, precision):
    """Converts a network to an `openvino.Model`.

    Args:
        network: What `inference_network` returns.
        task: Its `Task`.
        batch: Images in a batch, or None for any number. OpenVINO makes larger and faster kernels
            of operations whose shapes it knows.
        precision: To be recorded in the model. The numbers stay float32.

    Returns:
        An `openvino.Model` from `images` to what the signature `serving_default` gives.
    """
    names = task.signatures["serving_default"]
    spec = images_spec(network, batch)
    serve = concrete(lambda images: served(network(images, training=False), names), spec)
    holder = tf.Module()
    holder.weights = [variable.value for variable in network.variables]
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(holder, folder, signatures=serve)
        # Not `openvino.convert_model`: it tells Intel that it was used.
        model = openvino.Core().read_model(folder)
        model.validate_nodes_and_infer_types()
    model.set_rt_info(precision, list(PRECISION))
    return model


def write(model, folder, compressed):
    """Writes a model and its weights into a folder; `compressed` stores them in float16."""
    openvino.save_model(model, os.fspath(folder / FILE), compress_to_fp16=compressed)


def describe(model):
    """In words, what a model takes and gives, as `signatures.describe` has it."""
    (given,), wanted = model.inputs, model.outputs
    return f"{_tensor(given)} → {', '.join(map(_tensor, wanted))}"


def _tensor(output):
    dimensions = list(output.partial_shape)
    sizes = ["any" if size.is_dynamic else str(size.get_length()) for size in dimensions]
    if dimensions and dimensions[0].is_dynamic:
        sizes[0] = "N"
    kind = output.element_type.to_dtype().name
    return f"{output.any_name} {kind} [{', '.join(sizes)}]"
