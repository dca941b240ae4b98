"""Multiply-accumulates of a layer or a network, counted from its graph."""

import math

import tensorflow as tf


def macs_of(layer, shape):
    """Multiply-accumulates of a layer for one image; its shape, or a list of shapes for several
    inputs, is without the batch."""
    return sum(map(multiply_accumulates, trace(layer, shape)))


def trace(function, shape):
    """Operations of the graph of a function of a batch of one; shapes as in `macs_of`."""
    if isinstance(shape, list):
        spec = [tf.TensorSpec((1, *each)) for each in shape]
    else:
        spec = tf.TensorSpec((1, *shape))
    return tf.function(function).get_concrete_function(spec).graph.get_operations()


def multiply_accumulates(op):
    """Multiply-accumulates of a TensorFlow operation: of convolutions and matrix products."""
    if op.type == "Conv2D":
        kernel_height, kernel_width, channels, _ = op.inputs[1].shape
        return math.prod(op.outputs[0].shape) * kernel_height * kernel_width * channels
    if op.type == "Conv2DBackpropInput":  # a transposed convolution
        return math.prod(op.inputs[2].shape[:3]) * math.prod(op.inputs[1].shape)
    if op.type == "DepthwiseConv2dNative":
        return math.prod(op.outputs[0].shape) * math.prod(op.inputs[1].shape[:2])
    if op.type in ("MatMul", "BatchMatMulV2"):
        transposed = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
        return math.prod(op.outputs[0].shape) * op.inputs[0].shape[-2 if transposed else -1]
    if "Conv" in op.type or "MatMul" in op.type or op.type == "Einsum":
        raise ValueError(f"do not know how to count operation {op.name} of type {op.type}")
    return 0
