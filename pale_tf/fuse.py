"""The inference form of a network: the same numbers from fewer operations."""

import keras
import numpy as np

from pale_tf.layers.attention import Attention
from pale_tf.layers.drop_path import DropPath
from pale_tf.layers.merging import OverlappingMerging
from pale_tf.layers.mlp import MLP
from pale_tf.layers.patches import PatchEmbedding


def fuse(model, input_shape=None, dtype="float32"):
    """Makes the inference form of a network of this package.

    What is affine is folded into the point-wise layer or the convolution that follows, where that
    is exact: BatchNorm of the projections, the attention's scale, the affine part of the MLP's
    LayerNorm and, before average pooling, of the last one, and the deviation that the preprocessing
    divides by. The affine part of the attention's LayerNorm stays, for a depth-wise convolution
    with zero padding follows. Stochastic depth and dropout are gone.

    Args:
        model: A functional `keras.Model` of this package, or one made of its layers under the names
            that its networks give them. It is left as it is.
        input_shape: `(H, W, 3)` for another image size than the model's, or None.
        dtype: Dtype policy of the result. Weights are folded in float64.

    Returns:
        A `keras.Model` with the same outputs as `model(images, training=False)`; layers that stand
        for others carry their names.

    Raises:
        ValueError: If the model is an inference form already.
    """
    if any(isinstance(layer, Attention) and layer.folded for layer in model.layers):
        raise ValueError(
            "`model` must be a network as it is trained. Received: what `fuse` has made already"
        )
    image = None
    if input_shape is not None:
        image = keras.tree.map_structure(
            lambda tensor: keras.Input(input_shape, name=tensor.name), model.input
        )
    folded = _foldable_norms(model)

    def fused_layer(layer):
        config = layer.get_config()
        if layer.name != "predictions":  # in float32 whatever the rest is in
            config["dtype"] = dtype
        if isinstance(layer, keras.layers.InputLayer):
            return layer
        if isinstance(layer, Attention):
            config["folded"] = True
        if layer.name in folded and isinstance(layer, keras.layers.LayerNormalization):
            config |= {"center": False, "scale": False}
        if layer.name in folded and isinstance(layer, keras.layers.Normalization):
            config["variance"] = [1.0] * len(config["mean"])
        return type(layer).from_config(config)

    def call(layer, inputs, **kwargs):
        return inputs if isinstance(layer, DropPath) else layer(inputs, **kwargs)

    fused = keras.models.clone_model(model, image, clone_function=fused_layer, call_function=call)
    for layer in fused.layers:
        _transfer(model, layer, folded)
    return fused


def _foldable_norms(model):
    """Names of the norms whose affine part goes into the layer after, mapped to its name.

    A norm that is an output of the model, or feeds one that is not the layer expected, stays.
    """
    consumers = _consumers(model)
    pairs = {name: name.replace("_norm2", "_mlp") for name in consumers if name.endswith("_norm2")}
    pairs["normalization"] = "stage1_merging"
    folded = {name: after for name, after in pairs.items() if consumers.get(name) == {after}}
    if consumers.get("norm") == {"avg_pool"} and consumers["avg_pool"] == {"predictions"}:
        folded["norm"] = "predictions"
    return folded


def _consumers(model):
    """By the name of each layer, the names of what its outputs go to; `""` is the user."""
    consumers = {layer.name: set() for layer in model.layers}
    for layer in model.layers:
        for node in layer._inbound_nodes:
            for tensor in node.input_tensors:
                consumers.setdefault(tensor._keras_history.operation.name, set()).add(layer.name)
    for tensor in model.outputs:
        consumers[tensor._keras_history.operation.name].add("")
    return consumers


def _transfer(model, layer, folded):
    """Gives `layer`, of the fused model, the weights of the layer of `model` it stands for."""
    original = model.get_layer(layer.name)
    before = {after: name for name, after in folded.items()}.get(layer.name)
    before = model.get_layer(before) if before else None
    if isinstance(layer, Attention):
        _fold_attention(original, layer)
    elif layer.name in folded:
        pass  # has no weights left
    elif before is None:
        layer.set_weights(original.get_weights())
    elif isinstance(layer, MLP):
        _set(layer.expand, *_fold_affine(*_weights(before), *_weights(original.expand)))
        layer.contract.set_weights(original.contract.get_weights())
    elif isinstance(layer, keras.layers.Dense):
        _set(layer, *_fold_affine(*_weights(before), *_weights(original)))
    elif isinstance(layer, OverlappingMerging | PatchEmbedding):
        kernel, bias = _weights(original.convolution)
        deviation = np.sqrt(np.asarray(before.input_variance, "float64").reshape(-1))
        _set(layer.convolution, kernel / deviation[:, None], bias)
        layer.norm.set_weights(original.norm.get_weights())


def _fold_attention(original, fused):
    """Folds BatchNorms and scale of an attention into its point-wise kernels."""
    # What else the layer holds keeps its values; BatchNorms are gone.
    values = {_path(original, weight): weight for weight in original.weights}
    for weight in fused.weights:
        weight.assign(values[_path(fused, weight)])
    for name in ("query", "key", "value"):
        source, target = getattr(original, name), getattr(fused, name)
        factor = original.scale if name == "query" else 1.0
        if original.projection == "separable":
            gamma, beta, mean, variance = _weights(source.norm)
            scale = gamma / np.sqrt(variance + source.norm.epsilon)
            source, target = source.pointwise, target.pointwise
            kernel, bias = _fold_affine(scale, beta - mean * scale, *_weights(source))
        else:
            kernel, bias = _weights(source)
        _set(target, kernel * factor, bias * factor)


def _path(layer, weight):
    """Path of a weight inside a layer, whatever holds the layer."""
    return weight.path.split(f"{layer.name}/", 1)[1]


def _fold_affine(scale, shift, kernel, bias):
    """Kernel and bias of `(x * scale + shift) @ kernel + bias`, as one point-wise layer."""
    return scale[:, None] * kernel, shift @ kernel + bias


def _weights(layer):
    """The weights of a layer, in float64."""
    return [np.asarray(weight, "float64") for weight in layer.get_weights()]


def _set(layer, kernel, bias):
    layer.set_weights([kernel.astype("float32"), bias.astype("float32")])
