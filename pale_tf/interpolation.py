"""Linear interpolation as a product of matrices, for any size known or unknown."""

from keras import ops


def hat_weights(positions, size):
    """Weights with which linear interpolation takes the entries of a line.

    Args:
        positions: Where to take the line, float32 `[…]`; entry `i` lies at `i`, and what lies
            outside of `0 … size - 1` is 0.
        size: Number of entries, an integer or an integer tensor.

    Returns:
        float32 `[…, size]`.
    """
    entries = ops.arange(size, dtype="float32")
    return ops.relu(1.0 - ops.abs(ops.expand_dims(positions, -1) - entries))


def resize_weights(size, old_size):
    """Weights with which a line of `old_size` entries becomes one of `size`, ends on ends.

    Args:
        size: An integer or an integer tensor.
        old_size: An integer.

    Returns:
        float32 `[size, old_size]`.
    """
    last = ops.cast(ops.maximum(size - 1, 1), "float32")
    return hat_weights(ops.arange(size, dtype="float32") * ((old_size - 1) / last), old_size)
