"""Cross-shaped windows: Dong et al. 2022, CSWin Transformer, sections 3.2 and 3.3."""

import functools

import keras
from keras import ops

from pale_tf import windows
from pale_tf.checks import check_positive_int
from pale_tf.layers.attention.base import Attention
from pale_tf.layers.attention.core import mask_bias

# Of the four stages of CSWin at 224×224.
STRIPE_WIDTHS = (1, 2, 7, 7)


@keras.saving.register_keras_serializable(package="pale_tf")
class CrossShapedAttention(Attention):
    """Self-attention inside horizontal and vertical stripes: `[B, H, W, C] -> [B, H, W, C]`.

    The first half of the channels attends inside stripes of `stripe_width` neighboring rows, the
    second half inside stripes of as many columns.

    Args:
        num_heads: Attention heads over all channels, half of them for the rows.
        stripe_width: Rows, or columns, of a stripe.
        lepe: Whether a depth-wise 3×3 convolution of the values of each stripe is added to what it
            attends to (locally-enhanced position encoding). CSWin has it.
        **kwargs: The other arguments of `pale_tf.layers.attention.Attention`.

    Raises:
        ValueError: If an argument is out of range, or the channels do not divide into halves and
            heads.
    """

    halves = 2

    def __init__(self, num_heads, stripe_width=1, lepe=True, **kwargs):
        super().__init__(num_heads, **kwargs)
        self.stripe_width = check_positive_int("stripe_width", stripe_width)
        self.lepe = lepe

    def build(self, input_shape):
        super().build(input_shape)
        if not self.lepe:
            return
        half = (*input_shape[:-1], input_shape[-1] // 2)
        self.lepe_rows, self.lepe_columns = (
            keras.layers.DepthwiseConv2D(
                3, padding="same", data_format="channels_last", dtype=self.dtype_policy, name=name
            )
            for name in ("lepe_rows", "lepe_columns")
        )
        self.lepe_rows.build(half)
        self.lepe_columns.build(half)

    def mix(self, query, key, value, training=None):
        outputs = self.attend(query, key, value, training)
        return outputs + self._encode(value) if self.lepe else outputs

    def attend(self, query, key, value, training=None):
        rows, columns = (
            functools.partial(self._attend_stripes, stripe=stripe, training=training)
            for stripe in self._stripes(query)
        )
        return self.attend_in_halves(query, key, value, rows, columns)

    def _stripes(self, x):
        """`(h, w)` of the horizontal and of the vertical stripes of a map."""
        _, height, width, _ = ops.shape(x)
        size = self.stripe_width
        return [windows.fit_window(s, height, width) for s in ((size, width), (height, size))]

    def _attend_stripes(self, query, key, value, stripe, training):
        """Attention inside stripes: three times `[B, H, W, D]` -> `[B, H, W, D]`."""
        _, height, width, _ = ops.shape(query)
        group = functools.partial(windows.group_windows, window=stripe)
        mask = windows.real_tokens(height, width, lambda x: group(x, num_heads=1))
        outputs = self.softmax_attention(
            *(group(x, num_heads=self.group_heads) for x in (query, key, value)),
            mask_bias(mask, self.group_heads),
            training,
        )
        return windows.ungroup_windows(outputs, height, width, stripe, self.group_heads)

    def _encode(self, value):
        """Locally-enhanced position encoding: `[B, H, W, C]` -> `[B, H, W, C]`."""
        _, height, width, _ = ops.shape(value)
        encoded = []
        layers = (self.lepe_rows, self.lepe_columns)
        halves = ops.split(value, 2, axis=-1)
        for layer, half, stripe in zip(layers, halves, self._stripes(value), strict=True):
            x = windows.group_windows(half, stripe, 1)  # [B, N, h·w, D]
            _, count, length, depth = ops.shape(x)
            x = layer(ops.reshape(x, (-1, *stripe, depth)))  # [B·N, h, w, D]
            x = ops.reshape(x, (-1, count, length, depth))
            encoded.append(windows.ungroup_windows(x, height, width, stripe, 1))
        return ops.concatenate(encoded, axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "stripe_width": self.stripe_width,
            "lepe": self.lepe,
        }


def cross_shaped(place, **options):
    """CSWin's stripe width of the stage, in all its blocks."""
    return CrossShapedAttention(**{"stripe_width": STRIPE_WIDTHS[place.stage], **options})
