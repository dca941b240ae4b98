"""Attention from some tokens to others: the base of what joins two streams."""

import keras
from keras import ops

from pale_tf.checks import check_heads, check_positive_int
from pale_tf.layers.attention.core import softmax_attention
from pale_tf.layers.folding import Foldable
from pale_tf.layers.normalization import LayerNorm


class CrossAttention(Foldable, keras.layers.Layer):
    """Base of layers in which tokens attend to others: heads and projections.

    Args:
        num_heads: Attention heads; they divide the channels.
        kernel_initializer: Initializer of the kernels.
    """

    def __init__(self, num_heads=2, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.num_heads = check_positive_int("num_heads", num_heads)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.rematerialize = False  # `pale_tf.rematerialize` sets it

    def dense(self, units, width, name):
        """A built layer from `width` to `units` channels."""
        layer = keras.layers.Dense(
            units,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, None, width))
        return layer

    def norm(self, width, name="norm"):
        """A built LayerNorm."""
        layer = LayerNorm(dtype=self.dtype_policy, name=name)
        layer.build((None, None, width))
        return layer

    def attend(self, query, key, value):
        """Lets `[B, L, C]` attend to `[B, M, C]`; keys and values have the same channels."""
        channels = query.shape[-1]
        check_heads(channels, self.num_heads, 1)
        mix = keras.remat(softmax_attention) if self.rematerialize else softmax_attention
        outputs = mix(
            self._in_heads(query * (channels // self.num_heads) ** -0.5),
            self._in_heads(key),
            self._in_heads(value),
        )
        outputs = ops.transpose(outputs, (0, 2, 1, 3))
        return ops.reshape(outputs, (-1, ops.shape(query)[1], channels))

    def _in_heads(self, x):
        """`[B, L, C] -> [B, heads, L, C/heads]`."""
        _, count, channels = ops.shape(x)
        x = ops.reshape(x, (-1, count, self.num_heads, channels // self.num_heads))
        return ops.transpose(x, (0, 2, 1, 3))

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def flat(x):
    """`[B, H, W, C] -> [B, H·W, C]`."""
    _, height, width, channels = ops.shape(x)
    return ops.reshape(x, (-1, height * width, channels))
