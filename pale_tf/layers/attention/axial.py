"""Axial attention: Wang et al. 2020, Axial-DeepLab, sections 3.1 and 3.2."""

import functools

import keras
from keras import ops

from pale_tf import partition
from pale_tf.checks import check_positive_int
from pale_tf.layers.attention.base import Attention
from pale_tf.layers.attention.core import softmax_weights

AXES = ("height", "width")


@keras.saving.register_keras_serializable(package="pale_tf")
class AxialAttention(Attention):
    """Self-attention along one axis: `[B, H, W, C] -> [B, H, W, C]`, any H and W.

    With position-sensitive terms, `q·k` becomes `q·k + q·r_q + k·r_k` and `v` becomes `v + r_v`,
    where the `r` are learned for each distance of two tokens and shared by the heads. The scale of
    the scores, which the paper does not have, is that of all attentions here.

    Args:
        num_heads: Attention heads.
        axis: `"height"` (a token sees its column) or `"width"` (its row). In Axial-DeepLab a layer
            of each follow each other.
        position_sensitive: Whether there are position-sensitive terms. Axial-DeepLab has them.
        span: The distance beyond which all distances count as one.
        **kwargs: The other arguments of `pale_tf.layers.attention.Attention`.

    Raises:
        ValueError: If an argument is out of range, or the heads do not divide the channels.
    """

    def __init__(self, num_heads, axis="height", position_sensitive=True, span=56, **kwargs):
        super().__init__(num_heads, **kwargs)
        if axis not in AXES:
            raise ValueError(f"`axis` must be one of {AXES}. Received: {axis!r}")
        self.axis = axis
        self.position_sensitive = position_sensitive
        self.span = check_positive_int("span", span)

    def build(self, input_shape):
        super().build(input_shape)
        if self.position_sensitive:
            self.positions = [
                self.add_weight(
                    shape=(2 * self.span + 1, input_shape[-1] // self.num_heads),
                    initializer=keras.initializers.TruncatedNormal(stddev=0.02),
                    name=f"position_{name}",
                )
                for name in ("query", "key", "value")
            ]

    def attend(self, query, key, value, training=None):
        _, height, width, _ = ops.shape(query)
        if self.axis == "width":
            lines, group, ungroup = height, partition.group_rows, partition.ungroup_rows
        else:
            lines, group, ungroup = width, partition.group_columns, partition.ungroup_columns
        # A group is one line: [B, lines·heads, L, D].
        query, key, value = (group(x, lines, self.num_heads) for x in (query, key, value))
        attend = self._attend_positions if self.position_sensitive else self.softmax_attention
        outputs = attend(query, key, value, training=training)
        return ungroup(outputs, height, width, lines, self.num_heads)

    def _attend_positions(self, query, key, value, training):
        """Softmax attention with position-sensitive terms: three `[B, G, L, D]` -> one."""
        for_query, for_key, for_value = self._position_terms(ops.shape(query)[2], query.dtype)
        bias = ops.cast(_by_place(query, ops.transpose(for_query, (0, 2, 1))), "float32")
        # The keys' term is made for each key, and turned.
        for_key = ops.transpose(for_key, (1, 2, 0)) * ops.cast(self.scale, key.dtype)
        bias = bias + ops.cast(ops.transpose(_by_place(key, for_key), (0, 1, 3, 2)), "float32")
        weights = softmax_weights(query, key, bias, value.dtype)
        weights = self.dropout_layer(weights, training=training)
        return ops.matmul(weights, value) + _by_place(weights, for_value)

    def _position_terms(self, length, dtype):
        """The `r` of all pairs of tokens of a line: three `[L, L, D]`, query's place first."""
        place = ops.arange(length, dtype="int32")
        distance = ops.expand_dims(place, 0) - ops.expand_dims(place, 1)
        index = ops.reshape(ops.clip(distance, -self.span, self.span) + self.span, (-1,))
        take = functools.partial(ops.take, indices=index, axis=0)
        return [
            ops.cast(ops.reshape(take(weight), (length, length, weight.shape[-1])), dtype)
            for weight in self.positions
        ]

    def no_weight_decay(self):
        return self.positions if self.position_sensitive else []

    def get_config(self):
        return {
            **super().get_config(),
            "axis": self.axis,
            "position_sensitive": self.position_sensitive,
            "span": self.span,
        }


def _by_place(x, matrices):
    """Multiplies what stands at place `l`, of `[B, G, L, D]`, by matrix `l` of `[L, D, E]`."""
    _, groups, length, depth = ops.shape(x)
    x = ops.transpose(ops.reshape(x, (-1, length, depth)), (1, 0, 2))  # [L, B·G, D]
    x = ops.transpose(ops.matmul(x, matrices), (1, 0, 2))  # [B·G, L, E]
    return ops.reshape(x, (-1, groups, length, ops.shape(matrices)[2]))


def axial(place, **options):
    """Along the height in even blocks, along the width in odd ones: Axial-DeepLab."""
    return AxialAttention(**{"axis": AXES[place.block % 2], **options})
