"""Warm-up requests: what TF Serving runs before a version takes traffic."""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

FILE = "assets.extra/tf_serving_warmup_requests"  # where the server looks for it

# A stock CPU server refuses what XLA must compile, and with it the whole version.
NOT_WARMED = ("serving_xla",)


def write_warmup(path, name, signatures, batches, size):
    """Writes one request for every signature and batch size, as a TFRecord of `PredictionLog`.

    Args:
        path: File to write.
        name: Name of the served model.
        signatures: Concrete functions of one input each, by signature.
        batches: Batch sizes.
        size: Height and width of the images, in pixels, for signatures that take any.
    """
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, function in signatures.items():
            if signature in NOT_WARMED:
                continue
            ((spec,), _) = function.structured_input_signature
            for batch in batches:
                request = predict_pb2.PredictRequest()
                request.model_spec.name = name
                request.model_spec.signature_name = signature
                request.inputs[spec.name].CopyFrom(_example(spec, batch, size))
                log = prediction_log_pb2.PredictionLog(
                    predict_log=prediction_log_pb2.PredictLog(request=request)
                )
                writer.write(log.SerializeToString())


def _example(spec, batch, size):
    """A `TensorProto` of `batch` equal images. One value stands for all: the file stays small."""
    shape = [batch, *(side or size for side in spec.shape[1:])]
    if spec.dtype == tf.string:
        image = tf.io.encode_png(np.zeros((size, size, 3), "uint8")).numpy()
        return tf.make_tensor_proto(image, shape=shape)
    return tf.make_tensor_proto(0.0, dtype=spec.dtype, shape=shape)
