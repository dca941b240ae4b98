"""Errors that eight bits make in each layer by itself."""

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils

LAYERS = ("FULLY_CONNECTED", "CONV_2D")
IMAGES = 8
PIXELS = 2**19  # of all images together: what layers get of them is kept in memory
PADDINGS = {schema.Padding.SAME: "SAME", schema.Padding.VALID: "VALID"}
RELU = schema.ActivationFunctionType.RELU


def layer_errors(model, quantized, images):
    """The relative error of each quantized layer on what it gets in the float model.

    Args:
        model: Bytes of a model in float32.
        quantized: Bytes of the same model with all layers of `LAYERS` in eight bits.
        images: float32 `[N, S, S, 3]`; the first 8 are used, or fewer if they are
            large.

    Returns:
        Dict from the name of a layer's output to `‖eight bits - float‖ / ‖float‖`.
    """
    most = min(IMAGES, max(1, PIXELS // images[0, ..., 0].size))
    given = inputs_of_layers(model, images[:most])
    layers, twins = read_layers(model), read_layers(quantized)
    errors = {}
    for layer, twin in zip(layers, twins, strict=True):
        x = given[layer["input"]["index"]]
        bias = values(layer["bias"]) if layer["bias"] else 0.0
        exact = apply(layer, x, values(layer["weights"]), bias)
        x = rounded(x, twin["input"])
        approximate = rounded(apply(layer, x, values(twin["weights"]), bias), twin["output"])
        errors[layer["name"]] = float(
            np.linalg.norm(approximate - exact) / max(np.linalg.norm(exact), 1e-12)
        )
    return errors


def inputs_of_layers(model, images):
    """Inputs of each layer, by tensor index, for all images together."""
    interpreter = Interpreter(
        model_content=model,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    wanted = {layer["input"]["index"] for layer in read_layers(model)}
    seen = {index: [] for index in wanted}
    for image in images:
        interpreter.set_tensor(entry["index"], np.resize(image, entry["shape"]))
        interpreter.invoke()
        for index in wanted:
            seen[index].append(interpreter.get_tensor(index))
    return {index: np.concatenate(parts) for index, parts in seen.items()}


def read_layers(model):
    """Layers of a model in order: name, options, and tensors as dicts."""
    contents = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    graph = contents.subgraphs[0]
    layers = []
    for operation in graph.operators:
        if flatbuffer_utils.opcode_to_name(contents, operation.opcodeIndex) not in LAYERS:
            continue
        tensors = [
            {"index": index, "tensor": graph.tensors[index], "model": contents}
            for index in (*operation.inputs[:2], operation.outputs[0])
        ]
        bias = [index for index in operation.inputs[2:] if index >= 0]  # left out if it is 0
        layers.append(
            {
                "name": tensors[-1]["tensor"].name.decode(),
                "bias": {"tensor": graph.tensors[bias[0]], "model": contents} if bias else None,
                "options": operation.builtinOptions,
                **dict(zip(("input", "weights", "output"), tensors, strict=True)),
            }
        )
    return layers


def apply(layer, x, weights, bias):
    """The output of a layer, in floats."""
    options = layer["options"]
    if weights.ndim == 2:
        y = x.reshape(-1, weights.shape[1]) @ weights.T
    else:
        kernel, padding = weights.transpose(1, 2, 3, 0), PADDINGS[options.padding]
        y = tf.nn.conv2d(x, kernel, options.strideH, padding).numpy()
    return np.maximum(y + bias, 0) if options.fusedActivationFunction == RELU else y + bias


def values(entry):
    """The numbers of a constant tensor, in float32."""
    tensor = entry["tensor"]
    data = np.asarray(entry["model"].buffers[tensor.buffer].data, np.uint8).tobytes()
    scale = tensor.quantization.scale if tensor.quantization else None
    if scale is None or not len(scale):
        return np.frombuffer(data, np.float32).reshape(tensor.shape)
    numbers = np.frombuffer(data, np.int8).reshape(tensor.shape).astype(np.float32)
    return numbers * np.reshape(scale, (-1, *[1] * (numbers.ndim - 1)))


def rounded(x, entry):
    """`x` as the eight bits of a tensor hold it."""
    quantization = entry["tensor"].quantization
    scale, zero = quantization.scale[0], quantization.zeroPoint[0]
    return (np.clip(np.round(x / scale) + zero, -128, 127) - zero) * np.float32(scale)
