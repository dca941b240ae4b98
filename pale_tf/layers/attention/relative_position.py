"""Relative position bias, Liu et al. 2021, Swin Transformer, equation 4.

A learned number for each head and each relative position of two tokens of a window, added to their
score.
"""

import keras
import numpy as np
from keras import ops


def add_table(layer, size):
    """Gives an attention the weight that `position_bias` takes.

    Args:
        layer: An `Attention`.
        size: Rows and columns of its largest window.

    Returns:
        The weight, `[(2·size - 1)², heads]`.
    """
    return layer.add_weight(
        shape=((2 * size - 1) ** 2, layer.num_heads),
        initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        autocast=False,
        name="position_table",
    )


def position_bias(table, window, size, count):
    """The bias of all pairs of tokens of some windows.

    Args:
        table: The weight of `add_table`.
        window: `(h, w)` of a window.
        size: Rows and columns of the largest window.
        count: Number of windows, `N`.

    Returns:
        float32 `[N·heads, h·w, h·w]`.
    """
    length = window[0] * window[1]
    index = ops.reshape(_index(window, size), (-1,))
    bias = ops.take(ops.cast(table, "float32"), index, axis=0)  # [(h·w)², heads]
    bias = ops.reshape(ops.transpose(bias), (table.shape[-1], length, length))
    return ops.tile(bias, (count, 1, 1))


def _index(window, size):
    """Row of the table for each pair of tokens, int32 `[h·w, h·w]`: NumPy's for a known window."""
    high, wide = window
    xp = np if isinstance(high, int) and isinstance(wide, int) else ops
    place = xp.arange(high * wide, dtype="int32")
    row, column = place // wide, place % wide
    rows = xp.expand_dims(row, 1) - xp.expand_dims(row, 0) + size - 1
    columns = xp.expand_dims(column, 1) - xp.expand_dims(column, 0) + size - 1
    return rows * (2 * size - 1) + columns
