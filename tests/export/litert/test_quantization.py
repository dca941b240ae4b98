"""Quantization, on models made by hand."""

import dataclasses

import numpy as np
import tensorflow as tf

from export.litert import quantization
from export.tasks.classify import TASK
from export.verification.running import lite_outputs, open_lite


def test_layers_with_the_largest_errors_stay_in_float_until_the_bounds_hold():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=size).astype("float32") for size in ((12, 8), (8, 8), (8, 5))]

    @tf.function(input_signature=[tf.TensorSpec((1, 2, 2, 3), name="images")])
    def serve(images):
        x = tf.reshape(images, (1, 12))
        for matrix in weights:
            x = tf.sin(x @ matrix)
        return {"logits": x, "probabilities": tf.nn.softmax(x)}

    model = tf.lite.TFLiteConverter.from_concrete_functions(
        [serve.get_concrete_function()], tf.Module()
    ).convert()
    images = rng.uniform(0, 1, (8, 2, 2, 3)).astype("float32")
    strict = dataclasses.replace(TASK, bounds={"int8": {"error": 1e-5}})  # not for eight bits
    quantized, report = quantization.quantize_static(model, images, strict)
    assert [attempt["layers_in_float"] for attempt in report["attempts"]] == [0, 1, 2, 3]
    errors = [attempt["error"] for attempt in report["attempts"]]
    assert errors[-1] < 1e-5 < errors[0]
    assert all(layer["float"] for layer in report["layers"])
    outputs = lite_outputs(open_lite(quantized), images)
    np.testing.assert_allclose(outputs["logits"], serve_all(serve, images), atol=1e-5)


def serve_all(serve, images):
    return np.concatenate([serve(image[None])["logits"] for image in images])
