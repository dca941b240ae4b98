"""Conversion of a network to an OpenVINO model, and its files."""

import os
import tempfile

import openvino

from common.errors import SettingError, WriteError
from export.intermediate.kernels import rewrite
from export.network import served
from export.serving.signatures import concrete, images_spec, write_model
from export.verification.running import (
    OPENVINO_FILE,
    OPENVINO_PRECISION,
    openvino_hints,
    openvino_reason,
)


def convert(network, task, batch, precision, images=None):
    """Converts a network to an `openvino.Model`.

    Args:
        network: What `inference_network` returns.
        task: Its `Task`.
        batch: Images in a batch, or None for any number. OpenVINO makes larger and faster kernels
            of operations whose shapes it knows.
        precision: To be recorded in the model. The numbers stay float32, but in int8.
        images: float32 `[N, S, S, 3]` to calibrate int8 with.

    Returns:
        An `openvino.Model` from `images` to what the signature `serving_default` gives, in the
        operations of `kernels.rewrite`.

    Raises:
        SettingError: If OpenVINO lacks an operation of the network.
    """
    names = task.signatures["serving_default"]
    spec = images_spec(network, batch)
    serve = concrete(lambda images: served(network(images, training=False), names), spec)
    with tempfile.TemporaryDirectory() as folder:
        write_model(folder, network, serve)
        try:
            # Not `openvino.convert_model`: it tells Intel that it was used.
            model = openvino.Core().read_model(folder)
            model.validate_nodes_and_infer_types()
        except RuntimeError as error:
            raise SettingError(
                f"argument RUN: OpenVINO cannot read it: {openvino_reason(error)}"
            ) from error
    rewrite(model, convolutions=precision != "int8")
    if precision == "int8":
        from export.intermediate.quantization import quantize  # NNCF takes seconds to import

        model = quantize(model, images)
    model.set_rt_info(precision, OPENVINO_PRECISION)
    return model


def write(model, folder, compressed):
    """Writes a model and its weights into a folder.

    Args:
        model: An `openvino.Model`.
        folder: A `pathlib.Path`.
        compressed: Whether the weights are stored in float16.

    Raises:
        WriteError: If that is not possible.
    """
    try:
        openvino.save_model(model, os.fspath(folder / OPENVINO_FILE), compress_to_fp16=compressed)
    except RuntimeError as error:
        raise WriteError(f"cannot write {folder}: {openvino_reason(error)}") from error


def hints_of(file):
    """`openvino_hints` of a file; none if it is not one of this project."""
    try:
        return openvino_hints(openvino.Core().read_model(file))
    except RuntimeError:
        return {}


def describe(model):
    """In words, what a model takes and gives, as `signatures.describe` has it."""
    (given,), wanted = model.inputs, model.outputs
    return f"{_tensor(given)} → {', '.join(map(_tensor, wanted))}"


def _tensor(output):
    dimensions = list(output.partial_shape)
    sizes = ["any" if size.is_dynamic else str(size.get_length()) for size in dimensions]
    if dimensions and dimensions[0].is_dynamic:
        sizes[0] = "N"
    kind = "string"
    if output.element_type != openvino.Type.string:
        kind = output.element_type.to_dtype().name
    return f"{output.any_name} {kind} [{', '.join(sizes)}]"
