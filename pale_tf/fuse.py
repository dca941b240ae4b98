"""The inference form of a network: the same numbers from fewer operations.

This module handles how layers are connected. Each layer folds itself: `pale_tf.layers.folding`.
"""

import typing

import keras
import numpy as np

from pale_tf import names
from pale_tf.layers.folding import (
    AFFINE,
    SCALE,
    Foldable,
    assign_weights,
    fold_affine,
    own_weights,
    to_float64,
)
from pale_tf.layers.normalization import LayerNorm


class Fold(typing.NamedTuple):
    """The affine part of a norm, which another layer takes in.

    Attributes:
        norm: Name of the norm.
        scale: Factor of each channel, float64 `[C]`.
        shift: Summand of each channel after the scale, float64 `[C]`, or None.
        config: Changes in the configuration of the norm.
    """

    norm: str
    scale: np.ndarray
    shift: np.ndarray | None
    config: dict


def fuse(model, input_shape=None, dtype="float32"):
    """Makes the inference form of a network of this package.

    What is affine is folded into the point-wise layer or the convolution that follows, where that
    is exact: BatchNorm of the projections, the attention's scale, the affine part of the MLP's
    LayerNorm and, before average pooling, of the last one, and the deviation that the preprocessing
    divides by. The affine part of the attention's LayerNorm stays, for a depth-wise convolution
    with zero padding follows. Stochastic depth and dropout are gone.

    Args:
        model: A functional `keras.Model` of layers of this package, of subclasses of them, and of
            layers of Keras. It is left as it is.
        input_shape: `(H, W, 3)` for another image size than the model's, or None.
        dtype: Dtype policy of the result. Weights are folded in float64.

    Returns:
        A `keras.Model` with the same outputs as `model(images, training=False)`; layers that stand
        for others carry their names.

    Raises:
        ValueError: If the model is an inference form already, or has a layer whose weights it does
            not know how to carry over.
    """
    if any(getattr(layer, "folded", False) for layer in model.layers):
        raise ValueError(
            "`model` must be a network as it is trained. Received: what `fuse` has made already"
        )
    _check_layers(model)
    image = None
    if input_shape is not None:
        image = keras.tree.map_structure(
            lambda tensor: keras.Input(input_shape, name=tensor.name), model.input
        )
    folds = _find_folds(model)
    norms = {fold.norm: fold for fold in folds.values()}
    gone = {layer.name for layer in model.layers if _fused_config(layer) is None}
    pairs = []

    def fused_layer(layer):
        if isinstance(layer, keras.layers.InputLayer) or layer.name in gone:
            return layer
        if _is_functional(layer):
            return fuse(layer, dtype=dtype)
        config = _fused_config(layer)
        if isinstance(layer, keras.layers.Layer) and not names.gives_scores(layer.name):
            config["dtype"] = dtype
        if layer.name in norms:
            config |= norms[layer.name].config
        pairs.append((layer, type(layer).from_config(config)))
        return pairs[-1][1]

    def call(layer, *inputs, **kwargs):
        return inputs[0] if layer.name in gone else layer(*inputs, **kwargs)

    fused = keras.models.clone_model(model, image, clone_function=fused_layer, call_function=call)
    for original, layer in pairs:
        if original.name not in norms and isinstance(original, keras.layers.Layer):
            _transfer(original, layer, folds.get(original.name))
    return fused


def _check_layers(model):
    """Raises a `ValueError` that names the layers with weights that are neither ours nor Keras'."""
    unknown = [
        f"{layer.name} ({type(layer).__name__})"
        for layer in model.layers
        if layer.weights and not (_is_ours(layer) or _is_keras(layer) or _is_functional(layer))
    ]
    if unknown:
        raise ValueError(
            "`model` must have its weights in layers of Keras, and in layers that say how they "
            f"fold: see `pale_tf.layers.folding.Foldable`. Received: {', '.join(unknown)}"
        )


def _is_ours(layer):
    return isinstance(layer, Foldable)


def _is_keras(layer):
    return type(layer).__module__.startswith("keras.")


def _is_functional(layer):
    """Whether a layer is a model inside the model: it is fused by itself."""
    return isinstance(layer, keras.Model) and hasattr(layer, "operations")


def _fused_config(layer):
    """Configuration of the inference form of a layer; None if nothing is left of it."""
    if isinstance(layer, keras.layers.Dropout):
        return None
    return layer.fused_config() if _is_ours(layer) else layer.get_config()


def _find_folds(model):
    """By the name of the layer that takes it in, the `Fold` of a norm.

    The norm must feed that layer and nothing else: not the user, either. Between them there may be
    an average over the map.
    """
    consumers, layers = _consumers(model), {layer.name: layer for layer in model.layers}
    folds = {}
    for norm in model.layers:
        fold = _affine_part(norm)
        after = layers.get(_only(consumers[norm.name]))
        if fold and isinstance(after, keras.layers.GlobalAveragePooling2D):
            after = layers.get(_only(consumers[after.name]))
        if fold and after and _absorbs(after, fold) and not _is_shared(model, after):
            folds[after.name] = fold
    return folds


def _affine_part(layer):
    """The `Fold` of a norm that ends in an affine transform of the last axis, or None."""
    if type(layer) in (LayerNorm, keras.layers.LayerNormalization):
        if layer.axis not in (-1, [-1]) or not (layer.scale and layer.center):
            return None
        scale, shift = (to_float64(weight) for weight in (layer.gamma, layer.beta))
        return Fold(layer.name, scale, shift, {"scale": False, "center": False})
    if type(layer) is keras.layers.Normalization:
        if layer.input_variance is None or layer.invert or tuple(layer.axis) != (-1,):
            return None
        variance = np.asarray(layer.input_variance, "float64").reshape(-1)
        config = {"variance": [1.0] * len(variance)}
        return Fold(layer.name, 1 / np.sqrt(variance), None, config)
    return None


def _absorbs(layer, fold):
    """Whether a layer can take a `Fold` in."""
    if type(layer) is keras.layers.Dense:
        return len(layer.weights) == 2  # kernel and bias, nothing adapted or quantized
    enough = (AFFINE,) if fold.shift is not None else (AFFINE, SCALE)
    return _is_ours(layer) and layer.absorbs in enough


def _consumers(model):
    """By the name of each operation, the names of what reads its outputs; `""` is the user."""
    consumers = {operation.name: [] for operation in model.operations}
    for nodes in model._nodes_by_depth.values():
        for node in nodes:
            for tensor in node.input_tensors:
                consumers[tensor._keras_history.operation.name].append(node.operation.name)
    for tensor in model.outputs:
        consumers[tensor._keras_history.operation.name].append("")
    return consumers


def _only(values):
    """The one value of a list; None if there are more, or none."""
    return values[0] if len(values) == 1 else None


def _is_shared(model, layer):
    """Whether a model calls a layer more than once."""
    nodes = [node for nodes in model._nodes_by_depth.values() for node in nodes]
    return sum(node.operation is layer for node in nodes) > 1


def _transfer(original, layer, fold):
    """Gives a layer of the fused model the weights of the one that it stands for."""
    if fold is None and _fused_config(original) == original.get_config():
        layer.set_weights(original.get_weights())
        return
    scale, shift = (fold.scale, fold.shift) if fold else (None, None)
    if _is_ours(original):
        values = original.fused_weights(scale, shift)
    else:
        values = own_weights(original)
        fold_affine(values, "", scale, shift)
    assign_weights(layer, values)
