"""From a network to the bytes of a LiteRT file."""

import tempfile

import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from common.trained import read_dataset
from export.litert import metadata
from export.serving.signatures import SCORES, pick


def convert(network, batch, float16=False):
    """Converts a network to a LiteRT model in floats.

    Args:
        network: What `inference_network` returns.
        batch: Images in a batch. It is fixed: with a dynamic one, the file would be full of
            operations on shapes, which no delegate takes.
        float16: Whether weights are stored in float16.

    Returns:
        Bytes.
    """
    spec = tf.TensorSpec((batch, *network.input_shape[1:]), tf.float32, name="images")

    @tf.function(input_signature=[spec])
    def serve(images):
        return pick(network(images, training=False), SCORES)

    holder = tf.Module()
    holder.weights = [variable.value for variable in network.variables]
    with tempfile.TemporaryDirectory() as folder:
        # From a concrete function the converter would silently drop the weights.
        tf.saved_model.save(holder, folder, signatures=serve.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if float16:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


def add_metadata(model, trained, network, precision):
    """Adds labels and normalisation to the bytes of a model.

    Args:
        model: Bytes.
        trained: The `Trained` that it was made from.
        network: Its inference form.
        precision: To be named in the description.

    Returns:
        Bytes.
    """
    contents = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    names = {entry.tensorIndex: entry.name.decode() for entry in contents.signatureDefs[0].outputs}
    outputs = [names[index] for index in contents.subgraphs[0].outputs]
    description = f"{precision}, from {trained.file}"
    buffer = schema.BufferT()
    buffer.data = list(
        metadata.make_metadata(network.name, description, network.input_shape[1], outputs)
    )
    contents.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = metadata.NAME, len(contents.buffers) - 1
    contents.metadata = [*(contents.metadata or []), entry]
    packed = bytes(flatbuffer_utils.convert_object_to_bytearray(contents))
    dataset = read_dataset(trained.folder)
    return packed + metadata.pack(trained.labels, trained.crop_fraction, dataset)
