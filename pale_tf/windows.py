"""Feature map <-> windows of neighboring tokens. Pure functions, no weights.

A stripe is a window as wide, or as high, as the map. Where windows do not divide the map, zeros are
appended below and on the right, and `real_tokens` says what is real. As in `partition`, grouping
and splitting into heads are one operation, no tensor has a rank above 4, and sizes may be integers
or scalar integer tensors.
"""

import numpy as np
from keras import ops

from pale_tf.sizes import ceil_div, crop, equal, pad_to_windows


def fit_window(window, height, width):
    """`(h, w)` of a window that is no larger than the map."""
    return tuple(smaller(a, b) for a, b in zip(window, (height, width), strict=True))


def smaller(a, b):
    """The smaller one of two sizes."""
    return min(a, b) if isinstance(a, int) and isinstance(b, int) else ops.minimum(a, b)


def group_windows(x, window, num_heads):
    """Gathers windows and splits the channels into heads.

    Args:
        x: Feature map, `[B, H, W, C]`.
        window: `(h, w)`.
        num_heads: Number of heads; divides `C`.

    Returns:
        `[B, N·heads, h·w, C/heads]` with `N = ceil(H/h)·ceil(W/w)`; windows, and the tokens of
        each, are ordered by row, then column.
    """
    high, wide = window
    _, height, width, channels = ops.shape(x)
    rows, columns = ceil_div(height, high), ceil_div(width, wide)
    x = pad_to_windows(x, window)
    if not equal(columns, 1):
        x = ops.reshape(x, (-1, high, columns, wide * channels))  # [B·n_r, h, n_c, w·C]
        x = ops.transpose(x, (0, 2, 1, 3))  # [B·n_r, n_c, h, w·C]
    x = ops.reshape(x, (-1, high * wide, num_heads, channels // num_heads))
    x = ops.transpose(x, (0, 2, 1, 3))  # [B·N, heads, h·w, C/heads]
    return ops.reshape(x, (-1, rows * columns * num_heads, high * wide, channels // num_heads))


def ungroup_windows(x, height, width, window, num_heads):
    """Inverse of `group_windows`: `[B, N·heads, h·w, C/heads]` -> `[B, H, W, C]`."""
    high, wide = window
    rows, columns, depth = ceil_div(height, high), ceil_div(width, wide), x.shape[-1]
    x = ops.reshape(x, (-1, num_heads, high * wide, depth))  # [B·N, heads, h·w, C/heads]
    x = ops.transpose(x, (0, 2, 1, 3))  # [B·N, h·w, heads, C/heads]
    if not equal(columns, 1):
        x = ops.reshape(x, (-1, columns, high, wide * num_heads * depth))  # [B·n_r, n_c, h, w·C]
        x = ops.transpose(x, (0, 2, 1, 3))  # [B·n_r, h, n_c, w·C]
    x = ops.reshape(x, (-1, rows * high, columns * wide, num_heads * depth))
    return crop(x, height, width)


def real_tokens(height, width, group):
    """Says which tokens of each group are real.

    Args:
        height, width: Size of the map.
        group: Function that groups a feature map for one head, such as `group_windows`: from
            `[B, H, W, 1]` to `[B, N, L, 1]`.

    Returns:
        Boolean `[N, L]`, or None if the groups have no more tokens than the map.
    """
    real = ops.ones((1, height, width, 1), "float32")
    grouped = group(real)
    if _size(grouped) is not None and _size(grouped) == _size(real):
        return None
    return ops.reshape(grouped > 0.5, ops.shape(grouped)[1:3])


def interlace(x, num_groups):
    """Makes interlaced lines neighbors, on both axes.

    Line `k·N + g` goes to place `g·s + k`, with `N` groups of `s = ceil(size / N)` lines. Zeros are
    appended up to `N·s` lines first.

    Args:
        x: Feature map, `[B, H, W, C]`.
        num_groups: `N` of the rows and of the columns.

    Returns:
        `[B, N_r·s_r, N_c·s_c, C]`.
    """
    _, height, width, channels = ops.shape(x)
    (rows, columns) = num_groups
    high, wide = ceil_div(height, rows), ceil_div(width, columns)
    x = pad_to_windows(x, num_groups)
    x = _exchange(x, high, rows, columns * wide * channels)
    x = _exchange(x, wide, columns, channels)
    return ops.reshape(x, (-1, rows * high, columns * wide, channels))


def deinterlace(x, height, width, num_groups):
    """Inverse of `interlace`: `[B, N_r·s_r, N_c·s_c, C]` -> `[B, H, W, C]`."""
    (rows, columns), channels = num_groups, x.shape[-1]
    high, wide = ceil_div(height, rows), ceil_div(width, columns)
    x = _exchange(x, rows, high, columns * wide * channels)
    x = _exchange(x, columns, wide, channels)
    return crop(ops.reshape(x, (-1, rows * high, columns * wide, channels)), height, width)


def roll(x, rows, columns):
    """Moves a map up by `rows` and left by `columns`; what leaves it comes in on the other side."""
    for axis, shift in ((1, rows), (2, columns)):
        if not equal(shift, 0):
            head = x[:, :shift] if axis == 1 else x[:, :, :shift]
            tail = x[:, shift:] if axis == 1 else x[:, :, shift:]
            x = ops.concatenate([tail, head], axis=axis)
    return x


def _exchange(x, outer, inner, rest):
    """Swaps two neighboring axes, of which memory holds `[…, outer, inner, rest]`."""
    x = ops.reshape(x, (-1, outer, inner, rest))
    return ops.transpose(x, (0, 2, 1, 3))


def _size(x):
    return None if None in x.shape else int(np.prod(x.shape))
