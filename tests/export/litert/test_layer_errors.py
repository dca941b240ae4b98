"""Errors of quantized layers, on models made by hand."""

import numpy as np
import tensorflow as tf

from export.litert import layer_errors, quantization


def test_layers_without_a_bias_have_errors_too():
    """The converter drops a bias of zeros, which an untrained network is full of."""
    weights = np.random.default_rng(0).normal(size=(12, 5)).astype("float32")

    @tf.function(input_signature=[tf.TensorSpec((1, 2, 2, 3), name="images")])
    def serve(images):
        return {"logits": tf.reshape(images, (1, 12)) @ weights}

    model = tf.lite.TFLiteConverter.from_concrete_functions(
        [serve.get_concrete_function()], tf.Module()
    ).convert()
    images = np.random.default_rng(1).uniform(0, 255, (4, 2, 2, 3)).astype("float32")
    calibration = quantization.calibrate(model, images)
    quantized = quantization.apply_static(model, calibration, in_float=())
    (error,) = layer_errors.layer_errors(model, quantized, images).values()
    assert 1e-4 < error < 0.05


def test_convolutions_may_pad_and_end_in_relu():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 5)).astype("float32")

    @tf.function(input_signature=[tf.TensorSpec((1, 6, 6, 3), name="images")])
    def serve(images):
        return {"logits": tf.nn.relu(tf.nn.conv2d(images - 128, kernel, 1, "SAME") - 10.0)}

    model = tf.lite.TFLiteConverter.from_concrete_functions(
        [serve.get_concrete_function()], tf.Module()
    ).convert()
    images = np.random.default_rng(1).uniform(0, 255, (4, 6, 6, 3)).astype("float32")
    calibration = quantization.calibrate(model, images)
    quantized = quantization.apply_static(model, calibration, in_float=())
    (error,) = layer_errors.layer_errors(model, quantized, images).values()
    assert 1e-4 < error < 0.05
