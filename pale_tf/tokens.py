"""A feature map as a matrix of tokens, which is what matrix products and norms are fastest on.

On more than two axes, TensorFlow fuses neither bias nor GELU into the product, works out shapes at
run time where the batch is unknown, and broadcasts several times slower.
"""

from keras import ops


def to_tokens(x):
    """`[B, …, C] -> [B·…, C]`."""
    return ops.reshape(x, (-1, x.shape[-1]))


def to_map(tokens, like):
    """`[B·…, D] -> [B, …, D]`, with the axes of `like`."""
    return ops.reshape(tokens, (-1, *ops.shape(like)[1:-1], tokens.shape[-1]))


def on_tokens(layer, x):
    """Applies a layer that only mixes channels: `[B, …, C] -> [B, …, D]`."""
    return to_map(layer(to_tokens(x)), x)
