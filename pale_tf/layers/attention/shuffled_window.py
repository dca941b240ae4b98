"""Shuffled windows: Huang et al. 2021, Shuffle Transformer, section 3.2."""

import keras

from pale_tf import windows
from pale_tf.layers.attention.window import WindowAttention
from pale_tf.sizes import ceil_div


@keras.saving.register_keras_serializable(package="pale_tf")
class ShuffledWindowAttention(WindowAttention):
    """Self-attention inside windows of a spatially shuffled map: `[B, H, W, C] -> [B, H, W, C]`.

    With `N = ceil(H / window_size)` windows along an axis, row `r` belongs to window `r mod N`;
    columns likewise. A window's tokens are spread evenly over the whole map.

    The paper's neighbor-window connection, a depth-wise convolution between attention and MLP, is
    no part of the attention. The convolution of CPE takes that place in this backbone.

    Args:
        num_heads: Attention heads.
        window_size: The most rows and columns of a window.
        relative_position_bias: As in `WindowAttention`, for positions inside the shuffled window.
            Shuffle Transformer has it.
        padding: `"masked"`, or `"swin"` where tokens attend to padding, as in `WindowAttention`.
        **kwargs: The other arguments of `pale_tf.layers.attention.Attention`.

    Raises:
        ValueError: If an argument is out of range, or the heads do not divide the channels.
    """

    def __init__(
        self, num_heads, window_size=7, relative_position_bias=True, padding="masked", **kwargs
    ):
        if padding not in ("masked", "swin"):
            raise ValueError(f'`padding` must be "masked" or "swin". Received: {padding!r}')
        super().__init__(
            num_heads,
            window_size,
            shift=False,
            always_partition=False,
            relative_position_bias=relative_position_bias,
            padding=padding,
            **kwargs,
        )

    def window_of(self, height, width):
        groups = self._groups(height, width)
        return tuple(ceil_div(*pair) for pair in zip((height, width), groups, strict=True))

    def arrange(self, x, window):
        _, height, width, _ = keras.ops.shape(x)
        return windows.interlace(x, self._groups(height, width))

    def restore(self, x, height, width, window):
        return windows.deinterlace(x, height, width, self._groups(height, width))

    def _groups(self, height, width):
        return ceil_div(height, self.window_size), ceil_div(width, self.window_size)

    def get_config(self):
        config = super().get_config()
        del config["shift"], config["always_partition"]
        return config


def shuffled_window(place, **options):
    """Plain windows in even blocks, shuffled ones in odd blocks: Shuffle Transformer."""
    return (ShuffledWindowAttention if place.block % 2 else WindowAttention)(**options)
