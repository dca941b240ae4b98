"""Window attention, plain and shifted: Liu et al. 2021, Swin Transformer, section 3.2."""

import keras
from keras import ops

from pale_tf import windows
from pale_tf.checks import check_positive_int
from pale_tf.layers.attention.base import Attention
from pale_tf.layers.attention.core import mask_bias
from pale_tf.layers.attention.relative_position import add_table, position_bias
from pale_tf.sizes import ceil_div, crop, equal, pad_to_windows

PADDINGS = ("masked", "swin", "timm")


@keras.saving.register_keras_serializable(package="pale_tf")
class WindowAttention(Attention):
    """Self-attention inside windows: `[B, H, W, C] -> [B, H, W, C]`, any H and W.

    The windows of a shifted map begin half a window further down and right, and are smaller at the
    border. An axis that one window covers is not shifted. Padding is masked.

    Implementations of Swin let tokens attend to padding, which they append before they project the
    map: keys and values of padding are biases. `padding` says whose numbers a layer gives:

    | padding | appended | windows of a map that is no larger than one |
    |---|---|---|
    | `"masked"` | out of sight | as large as the map, shifted along the longer side alone |
    | `"swin"` | before the shift: Swin's dense predictors, transformers | square, not shifted |
    | `"timm"` | after the shift | as with `"masked"` |

    Args:
        num_heads: Attention heads.
        window_size: Rows and columns of a window.
        shift: Whether the windows are shifted, by `window_size // 2`.
        relative_position_bias: Whether a learned number for each relative position is added to the
            scores. Swin has it.
        padding: `"masked"`, `"swin"` or `"timm"`, see above.
        always_partition: Whether a map no larger than a window is padded to one, which may be
            shifted, as in Swin's dense predictors. Only with `padding="swin"`.
        **kwargs: The other arguments of `pale_tf.layers.attention.Attention`.

    Raises:
        ValueError: If an argument is out of range, or the heads do not divide the channels.
    """

    def __init__(
        self,
        num_heads,
        window_size=7,
        shift=False,
        relative_position_bias=True,
        padding="masked",
        always_partition=False,
        **kwargs,
    ):
        super().__init__(num_heads, **kwargs)
        if padding not in PADDINGS:
            raise ValueError(f"`padding` must be one of {PADDINGS}. Received: {padding!r}")
        if always_partition and padding != "swin":
            raise ValueError(
                f'`always_partition` needs `padding="swin"`. Received: padding={padding!r}'
            )
        self.window_size = check_positive_int("window_size", window_size)
        self.shift = shift
        self.relative_position_bias = relative_position_bias
        self.padding = padding
        self.always_partition = always_partition

    def build(self, input_shape):
        super().build(input_shape)
        if self.relative_position_bias:
            self.position_table = add_table(self, self.window_size)

    def call(self, inputs, training=None):
        if self.padding == "masked":
            return super().call(inputs, training)
        _, height, width, _ = ops.shape(inputs)
        shifts = self._shifts(height, width) if self.padding == "timm" else (0, 0)
        x = pad_to_windows(windows.roll(inputs, *shifts), self.window_of(height, width))
        return _roll_back(crop(super().call(x, training), height, width), shifts)

    def attend(self, query, key, value, training=None):
        _, height, width, _ = ops.shape(query)
        window = self.window_of(height, width)

        def group(x, num_heads=self.num_heads):
            return windows.group_windows(self.arrange(x, window), window, num_heads)

        bias = mask_bias(self.mask(height, width, group), self.num_heads)
        query, key, value = (group(x) for x in (query, key, value))  # [B, N·heads, h·w, D]
        if self.relative_position_bias:
            count = ops.shape(query)[1] // self.num_heads
            position = position_bias(self.position_table, window, self.window_size, count)
            bias = position if bias is None else bias + position
        outputs = self.softmax_attention(query, key, value, bias, training)
        covered = (ceil_div(a, b) * b for a, b in zip((height, width), window, strict=True))
        outputs = windows.ungroup_windows(outputs, *covered, window, self.num_heads)
        return self.restore(outputs, height, width, window)

    def window_of(self, height, width):
        """`(h, w)` of the windows of a map."""
        window = (self.window_size, self.window_size)
        if self.always_partition:
            return window
        if self.padding == "swin":
            height = width = windows.smaller(height, width)
        return windows.fit_window(window, height, width)

    def arrange(self, x, window):
        """Pads a map `[B, H, W, C]` to whole windows, and moves it to where they begin."""
        _, height, width, _ = ops.shape(x)
        return windows.roll(pad_to_windows(x, window), *self._shifts_inside(height, width))

    def restore(self, x, height, width, window):
        """Inverse of `arrange`: `[B, H, W, C]`."""
        return crop(_roll_back(x, self._shifts_inside(height, width)), height, width)

    def mask(self, height, width, group):
        """Mask of tokens that see each other: boolean `[N, L]`, `[N, L, L]`, or None for all."""
        down, right = self._shifts(height, width)
        if equal(down, 0) and equal(right, 0):
            if self.padding != "masked":
                return None
            return windows.real_tokens(height, width, lambda x: group(x, 1))
        # Tokens that the roll brought from the other side are a window of their own.
        rows, columns = (
            self._from_the_other_side(*axis) for axis in ((height, down), (width, right))
        )
        parts = 1.0 + 2 * ops.expand_dims(rows, 1) + ops.expand_dims(columns, 0)  # [H, W]
        parts = group(ops.expand_dims(parts, (0, 3)), 1)[0]  # [N, L, 1], 0 for padding
        return ops.equal(parts, ops.transpose(parts, (0, 2, 1)))

    def _from_the_other_side(self, size, shift):
        """1 for lines of a map that the roll brings from the other side, 0 for others: `[size]`."""
        lines = ops.arange(size)
        # timm's mask: padding lies behind what it rolled, but counts as that.
        brought = lines >= size - shift if self.padding == "timm" else lines < shift
        return ops.cast(brought, "float32")

    def _shifts_inside(self, height, width):
        """Rows and columns by which a map is shifted after it was projected."""
        return (0, 0) if self.padding == "timm" else self._shifts(height, width)

    def _shifts(self, height, width):
        """Rows and columns by which the windows are shifted."""
        if self.always_partition:
            return [self.window_size // 2 if self.shift else 0] * 2
        if self.padding == "swin":
            height = width = windows.smaller(height, width)
        return [self._shift(size) for size in (height, width)]

    def _shift(self, size):
        if not self.shift:
            return 0
        if isinstance(size, int):
            return self.window_size // 2 if size > self.window_size else 0
        return ops.where(size > self.window_size, self.window_size // 2, 0)

    def no_weight_decay(self):
        return [self.position_table] if self.relative_position_bias else []

    def get_config(self):
        return {
            **super().get_config(),
            "window_size": self.window_size,
            "shift": self.shift,
            "relative_position_bias": self.relative_position_bias,
            "padding": self.padding,
            "always_partition": self.always_partition,
        }


def _roll_back(x, shifts):
    """Undoes `windows.roll` by some shifts."""
    pairs = zip(ops.shape(x)[1:3], shifts, strict=True)
    return windows.roll(x, *(0 if equal(shift, 0) else size - shift for size, shift in pairs))


def window(place, **options):
    """Plain windows in all blocks."""
    return WindowAttention(**options)


def shifted_window(place, **options):
    """Plain windows in even blocks, shifted ones in odd blocks: Swin."""
    return WindowAttention(**{"shift": place.block % 2 == 1, **options})
