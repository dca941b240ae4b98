"""Messenger tokens: Fang et al. 2022, MSG-Transformer, section 3."""

import keras
from keras import ops

from pale_tf import windows
from pale_tf.checks import check_positive_int
from pale_tf.layers.attention.base import Attention
from pale_tf.layers.attention.core import mask_bias
from pale_tf.layers.attention.relative_position import add_table, position_bias
from pale_tf.sizes import ceil_div

# Windows along a side of a region in the four stages of MSG-Transformer.
REGION_SIZES = (4, 4, 2, 1)


@keras.saving.register_keras_serializable(package="pale_tf")
class MessengerAttention(Attention):
    """Self-attention inside windows with one more token, a messenger: `[B, H, W, C]` to the same.

    1. The messenger of a window attends to the window's tokens.
    2. The messengers of a region of `R × R` windows exchange channels: with `C / R²` channels in a
       part, part `j` of messenger `i` becomes part `i` of messenger `j`.
    3. The window's tokens attend to each other and to the messenger.

    In the paper, messengers live on from block to block, and what they received in a block is read
    in the next. Here a layer does all three, so that it can stand in the place of any other: the
    messengers start from one learned token in every layer, and where a region is larger than the
    map, the windows that are not there send zeros. Both are this project's choices.

    Args:
        num_heads: Attention heads.
        window_size: Rows and columns of a window.
        region_size: `R`; its square divides the channels.
        relative_position_bias: Whether learned numbers for each relative position, and for the
            messenger, are added to the scores. MSG-Transformer has them.
        **kwargs: The other arguments of `pale_tf.layers.attention.Attention`.

    Raises:
        ValueError: If an argument is out of range, or the heads or the region do not divide the
            channels.
    """

    def __init__(
        self, num_heads, window_size=7, region_size=1, relative_position_bias=True, **kwargs
    ):
        super().__init__(num_heads, **kwargs)
        self.window_size = check_positive_int("window_size", window_size)
        self.region_size = check_positive_int("region_size", region_size)
        self.relative_position_bias = relative_position_bias

    def check_channels(self, channels):
        if channels % self.region_size**2:
            raise ValueError(
                f"The square of `region_size` must divide the channels, {channels}. "
                f"Received: {self.region_size}"
            )
        return super().check_channels(channels)

    def build(self, input_shape):
        super().build(input_shape)
        channels = input_shape[-1]
        normal = keras.initializers.TruncatedNormal(stddev=0.02)
        self.messenger = self.add_weight(shape=(channels,), initializer=normal, name="messenger")
        self.messenger_key = self.dense(channels, "messenger_key")
        self.messenger_value = self.dense(channels, "messenger_value")
        for layer in (self.messenger_key, self.messenger_value):
            layer.build(input_shape)
        if self.relative_position_bias:
            self.position_table = add_table(self, self.window_size)
            self.messenger_bias = self.add_weight(
                shape=(self.num_heads,),
                initializer="zeros",
                autocast=False,
                name="messenger_bias",
            )

    def attend(self, query, key, value, training=None):
        _, height, width, _ = ops.shape(query)
        window = windows.fit_window((self.window_size, self.window_size), height, width)

        def group(x, num_heads=self.num_heads):
            return windows.group_windows(x, window, num_heads)

        mask = windows.real_tokens(height, width, lambda x: group(x, 1))
        mask = mask_bias(mask, self.num_heads)  # [N·heads, 1, L]
        query, key, value = (group(x) for x in (query, key, value))  # [B, N·heads, L, D]
        grid = ceil_div(height, window[0]), ceil_div(width, window[1])
        news = self._exchange(self._gather(key, value, mask, grid, training))
        one = (-1, ops.shape(query)[1], 1, query.shape[-1])
        key = ops.concatenate([key, ops.reshape(self.messenger_key(news), one)], axis=2)
        value = ops.concatenate([value, ops.reshape(self.messenger_value(news), one)], axis=2)
        bias = self._bias(mask, window, grid[0] * grid[1])
        outputs = self.softmax_attention(query, key, value, bias, training)
        return windows.ungroup_windows(outputs, height, width, window, self.num_heads)

    def _gather(self, key, value, mask, grid, training):
        """Lets each messenger attend to its window: `[B, n_r, n_c, C]`."""
        heads, depth = self.num_heads, key.shape[-1]
        query = ops.cast(self.messenger * self.scale, key.dtype)
        query = ops.reshape(query, (1, heads, 1, depth))
        query = ops.tile(query, (1, grid[0] * grid[1], 1, 1))  # [1, N·heads, 1, D]
        outputs = self.softmax_attention(query, key, value, mask, training)
        return ops.reshape(outputs, (-1, *grid, heads * depth))

    def _exchange(self, messengers):
        """Lets the messengers of each region exchange channels: `[B, n_r, n_c, C]` to the same."""
        if self.region_size == 1:
            return messengers
        _, rows, columns, channels = ops.shape(messengers)
        region, count = (self.region_size, self.region_size), self.region_size**2
        x = windows.group_windows(messengers, region, 1)  # [B, regions, R², C]
        regions = ops.shape(x)[1]
        x = ops.reshape(x, (-1, count, count, channels // count))
        x = ops.transpose(x, (0, 2, 1, 3))
        x = ops.reshape(x, (-1, regions, count, channels))
        return windows.ungroup_windows(x, rows, columns, region, 1)

    def _bias(self, mask, window, count):
        """Summand of the scores: `[N·heads, 1 or L, L + 1]`, the messenger last, or None."""
        if not self.relative_position_bias:
            return mask if mask is None else ops.pad(mask, ((0, 0), (0, 0), (0, 1)))
        bias = position_bias(self.position_table, window, self.window_size, count)
        column = ops.reshape(ops.cast(self.messenger_bias, "float32"), (-1, 1, 1))
        column = ops.tile(column, (count, window[0] * window[1], 1))  # [N·heads, L, 1]
        bias = bias if mask is None else bias + mask
        return ops.concatenate([bias, column], axis=2)  # [N·heads, L, L + 1]

    def no_weight_decay(self):
        return [self.position_table] if self.relative_position_bias else []

    def get_config(self):
        return {
            **super().get_config(),
            "window_size": self.window_size,
            "region_size": self.region_size,
            "relative_position_bias": self.relative_position_bias,
        }


def messenger(place, **options):
    """MSG-Transformer's region of the stage, in all its blocks."""
    return MessengerAttention(**{"region_size": REGION_SIZES[place.stage], **options})
