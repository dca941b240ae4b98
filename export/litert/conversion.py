"""Conversion of a network to the bytes of a LiteRT file."""

import tempfile

import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from common.preparation import crop_fraction_of
from export.litert import metadata
from export.network import served
from export.serving.signatures import images_spec, write_model


def convert(network, task, batch, float16=False):
    """Converts a network to a LiteRT model in floats.

    Args:
        network: What `inference_network` returns.
        task: Its `Task`.
        batch: Images in a batch. It is fixed: with a dynamic one, the file would be full of
            operations on shapes, which no delegate takes.
        float16: Whether weights are stored in float16.

    Returns:
        Bytes.
    """

    @tf.function(input_signature=[images_spec(network, batch)])
    def serve(images):
        return served(network(images, training=False), task.lite)

    with tempfile.TemporaryDirectory() as folder:
        # From a concrete function the converter would silently drop the weights.
        write_model(folder, network, serve.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if float16:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


def add_metadata(model, trained, task, network, precision):
    """Adds the task's files and the normalization to the bytes of a model.

    Args:
        model: Bytes.
        trained: The `Trained` that it was made from.
        task: Its `Task`.
        network: Its inference form.
        precision: To be named in the description.

    Returns:
        Bytes.
    """
    contents = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    names = {entry.tensorIndex: entry.name.decode() for entry in contents.signatureDefs[0].outputs}
    outputs = [names[index] for index in contents.subgraphs[0].outputs]
    axis_files = {output: task.axis_files.get(output) for output in outputs}
    description = f"{precision}, from {trained.file}"
    buffer = schema.BufferT()
    buffer.data = list(
        metadata.make_metadata(network.name, description, network.input_shape[1], axis_files)
    )
    contents.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = metadata.NAME, len(contents.buffers) - 1
    contents.metadata = [*(contents.metadata or []), entry]
    packed = bytes(flatbuffer_utils.convert_object_to_bytearray(contents))
    about = {
        "task": trained.recipe["task"],
        "crop_fraction": crop_fraction_of(trained.recipe),
        "dataset": trained.recipe.get("dataset"),
    }
    return packed + metadata.pack(task.files(trained), about)
