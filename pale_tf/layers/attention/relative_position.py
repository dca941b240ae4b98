"""Relative position bias, Liu et al. 2021, Swin Transformer, equation 4.

A learned number for each head and each relative position of two tokens of a window, added to their
score.
"""

import keras
from keras import ops

from pale_tf.windows import relative_position_index


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
    index = relative_position_index(window, (size, size))
    bias = ops.take(ops.cast(table, "float32"), ops.reshape(index, (-1,)), axis=0)
    length = window[0] * window[1]
    bias = ops.reshape(ops.transpose(bias), (table.shape[-1], length, length))
    return ops.tile(bias, (count, 1, 1))
