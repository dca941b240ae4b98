"""Interpolation and pooling of lines as products of matrices, for any size known or unknown."""

from keras import ops

from pale_tf.sizes import ceil_div


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


def tap_weights(size, old_size, taps):
    """Weights with which the taps of a convolution see a resized line.

    The line of `old_size` entries is resized to `size` by bilinear interpolation, with half-pixel
    centers and without antialiasing, and padded with zeros.

    Args:
        size, old_size: Integers or integer tensors.
        taps: Width of the kernel, odd.

    Returns:
        float32 `[taps, size, old_size]`: entry `(t, i, j)` is the share of entry `j` in what tap
        `t` meets at place `i`.
    """
    shifts = ops.expand_dims(ops.arange(taps, dtype="float32"), -1) - taps // 2
    places = ops.arange(size, dtype="float32") + shifts
    ratio = ops.cast(old_size, "float32") / ops.cast(size, "float32")
    last = ops.cast(old_size - 1, "float32")
    positions = ops.clip((places + 0.5) * ratio - 0.5, 0.0, last)
    inside = (places >= 0) & (places < ops.cast(size, "float32"))
    return hat_weights(positions, old_size) * ops.expand_dims(ops.cast(inside, "float32"), -1)


def pooling_weights(bins, size):
    """Weights with which adaptive average pooling takes the entries of a line.

    Bin `i` is the mean from entry `floor(i·size/bins)` up to `ceil((i + 1)·size/bins)`, as in
    PyTorch. Bins overlap where `bins` does not divide `size`, and repeat where it is larger.

    Args:
        bins: An integer.
        size: An integer or an integer tensor.

    Returns:
        float32 `[bins, size]`.
    """
    index = ops.expand_dims(ops.arange(bins, dtype="int32"), -1)
    first, end = index * size // bins, ceil_div((index + 1) * size, bins)
    entries = ops.arange(size, dtype="int32")
    inside = ops.cast((entries >= first) & (entries < end), "float32")
    return inside / ops.sum(inside, axis=-1, keepdims=True)
