"""Regions that tokens and networks look at, measured and not taken from definitions. No pictures.

`python -m benchmarks.figure1` draws them.
"""

import keras
import numpy as np
from keras import ops

from pale_tf.layers.attention import Attention, MessengerAttention

# A change of the output below this share of the largest output is rounding.
NOISE = 1e-6


def region(layer, size, token, channels=16, seed=0, batch_size=64):
    """The tokens on which the output of one token depends.

    The input of every token of a random map is changed, one at a time. With separable projections,
    the 3×3 neighbors of what a token attends to are in the region too.

    Args:
        layer: A layer from `[B, H, W, C]` to `[B, H, W, C]`.
        size: `(H, W)` of the map.
        token: `(row, column)` of the token.
        channels: `C`.
        seed: Seed of the map and of the changes.
        batch_size: Tokens changed at a time, each in a map of its own.

    Returns:
        Boolean `[H, W]`.
    """
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(1, *size, channels)).astype("float32")
    places = np.array(list(np.ndindex(*size)))
    changed = np.zeros(size, bool)
    for start in range(0, len(places), batch_size):
        rows, columns = places[start : start + batch_size].T
        maps = np.repeat(base, len(rows) + 1, axis=0)  # the last stays as it is
        maps[np.arange(len(rows)), rows, columns] += rng.normal(0, 3, (len(rows), channels))
        outputs = ops.convert_to_numpy(layer(maps))[:, token[0], token[1]].astype("float64")
        difference = abs(outputs[:-1] - outputs[-1]).max(axis=-1)
        changed[rows, columns] = difference > NOISE * abs(outputs).max()
    return changed


def attention_weights(layer, inputs, token=None):
    """The weights with which one token, or every token, attends to the others.

    What a token receives is linear in the values: values of 0 and 1 read the weights off, whatever
    the attention groups and however.

    Args:
        layer: An `Attention` that has been built.
        inputs: One feature map `[1, H, W, C]`.
        token: `(row, column)` of the token, or None for all.

    Returns:
        float32 `[heads, H', W']`, or `[H, W, heads, H', W']` for all tokens, where `(H', W')` is
        the size of the map of keys: the input's, a reduced one for `SpatialReductionAttention` and
        for `GlobalAttention` with a stride, the grid of points for `DeformableAttention`. A
        parallel form has the heads of the rows first, then those of the columns.

    Raises:
        ValueError: If the layer is no `Attention`, or a `MessengerAttention`, where values pass
            through messengers that are keys too; if values choose the groups that attend; or if the
            weights are those of another block.
    """
    if not isinstance(layer, Attention) or isinstance(layer, MessengerAttention):
        raise ValueError(
            "`layer` must be an `Attention` other than `MessengerAttention`. "
            f"Received: {type(layer).__name__}"
        )
    if getattr(layer, "keep", 1) < 1 or layer.sharing == "takes":
        raise ValueError(
            "`layer` must have weights of its own that do not depend on its values. Received: "
            f"{layer.name}, with {layer.get_config()}"
        )
    query, key, value = layer.project(ops.convert_to_tensor(inputs), training=False)
    heads = layer.halves * layer.group_heads
    _, *size, channels = value.shape
    depth = channels // heads

    def received(values):
        outputs = layer.attend(query, key, ops.cast(values, value.dtype), training=False)
        outputs = ops.convert_to_numpy(ops.cast(outputs, "float32"))
        outputs = outputs[0] if token is None else outputs[0, token[0], token[1]]
        return outputs.reshape(*outputs.shape[:-1], heads, depth)

    # The position terms of the values add to it.
    offset = received(np.zeros(value.shape, "float32"))
    tokens, weights = size[0] * size[1], []
    for start in range(0, tokens, depth):
        count = min(depth, tokens - start)
        values = np.zeros((tokens, heads, depth), "float32")
        values[start + np.arange(count), :, np.arange(count)] = 1
        read = received(values.reshape(1, *size, channels)) - offset
        weights.append(read[..., :count])
    weights = np.concatenate(weights, axis=-1)
    return weights.reshape(*weights.shape[:-1], *size)


def effective_receptive_field(backbone, images):
    """How much each pixel moves the middle token of every stage (Luo et al. 2016, section 3).

    Args:
        backbone: A model that `pale_tf.pale_backbone` makes.
        images: `[B, H, W, 3]`, over which is averaged.

    Returns:
        Dict of `"P2"` to `"P5"`: float32 `[H, W]`, the mean size of the gradient of the sum of the
        token's channels with respect to the pixel, divided by its largest value.
    """
    fields = {}
    for level in backbone.output:
        stage = keras.Model(backbone.input, backbone.output[level])

        def middle(images, stage=stage):
            features = stage(images, training=False)
            return ops.sum(features[:, features.shape[1] // 2, features.shape[2] // 2])

        gradient = abs(_gradient(middle, images)).sum(axis=-1).mean(axis=0)
        fields[level] = gradient / max(gradient.max(), np.finfo("float32").tiny)
    return fields


def _gradient(function, x):
    """Gradient of a scalar function, on the backends that the package is tested on."""
    x = ops.convert_to_tensor(x, "float32")
    if keras.backend.backend() == "jax":
        import jax

        return ops.convert_to_numpy(jax.grad(function)(x))
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"gradients need the backend tensorflow or jax. Received: {keras.backend.backend()!r}"
        )
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return tape.gradient(value, x).numpy()
