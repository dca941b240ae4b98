"""Pooling of a feature map along its lines. Pure functions, no weights."""

from keras import ops

from pale_tf.sizes import ceil_div, equal, pad_end


def pool_rows(x, length):
    """Means of neighbors in each row: `[B, H, W, C] -> [B, H, ceil(W / length), C]`.

    Args:
        x: Feature map of any H and W.
        length: Tokens of a mean. The last one of a row is of those that are left.

    Returns:
        Feature map.
    """
    _, height, width, channels = ops.shape(x)
    count = ceil_div(width, length)
    means = ops.reshape(pad_end(x, 2, count * length - width), (-1, count, length, channels))
    return ops.reshape(_means(means, width), (-1, height, count, channels))


def pool_columns(x, length):
    """Means of neighbors in each column: `[B, H, W, C] -> [B, ceil(H / length), W, C]`."""
    _, height, width, channels = ops.shape(x)
    count = ceil_div(height, length)
    x = ops.reshape(pad_end(x, 1, count * length - height), (-1, count, length, width * channels))
    return ops.reshape(_means(x, height), (-1, count, width, channels))


def _means(x, size):
    """Means over axis 2 of `[N, count, length, C]`, of the `size` lines that are no padding."""
    _, count, length, _ = ops.shape(x)
    if equal(count * length, size):
        return ops.mean(x, axis=2)
    left = ops.minimum(size - ops.arange(count, dtype="int32") * length, length)
    return ops.sum(x, axis=2) / ops.cast(ops.reshape(left, (1, count, 1)), x.dtype)
