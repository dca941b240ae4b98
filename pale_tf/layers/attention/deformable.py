"""Deformable attention: Xia et al. 2022, Deformable Attention Transformer (DAT), section 3.2."""

import math

import keras
from keras import ops

from pale_tf import partition
from pale_tf.checks import check_positive_int
from pale_tf.interpolation import hat_weights
from pale_tf.layers.attention.global_attention import GlobalAttention
from pale_tf.layers.normalization import LayerNorm
from pale_tf.sizes import ceil_div

# Of the four stages: 7×7 points for a 224×224 image in each. This project's choice; the paper has
# deformable attention in the last two stages only.
STRIDES = (8, 4, 2, 1)


@keras.saving.register_keras_serializable(package="pale_tf")
class DeformableAttention(GlobalAttention):
    """Self-attention of every token to points that the queries choose: `[B, H, W, C]` to the same.

    A grid of points, one in each `stride × stride` cell, is moved by offsets that a small network
    makes from the queries: depth-wise convolution, LayerNorm, GELU, point-wise layer, `tanh`. Keys
    and values are projections of the input at these points, interpolated bilinearly; outside of the
    map it is 0. Each of `groups` groups of channels has its own points.

    Interpolation is a product with a matrix of weights here, not a gather: it then consists of
    operations that every runtime has.

    The paper's bias, interpolated in a table as large as twice the map, is left out, for a table
    would tie the layer to one size of maps.

    Args:
        num_heads: Attention heads.
        stride: Rows and columns of a cell.
        groups: Groups of channels; divides the heads.
        offset_range: The farthest that a point moves, in cells.
        kernel_size: Width of the depth-wise convolution, odd.
        **kwargs: The other arguments of `pale_tf.layers.attention.Attention`.

    Raises:
        ValueError: If an argument is out of range, or the heads do not divide the channels.
    """

    def __init__(self, num_heads, stride=1, groups=1, offset_range=1.0, kernel_size=5, **kwargs):
        super().__init__(num_heads, **kwargs)
        self.stride = check_positive_int("stride", stride)
        self.groups = check_positive_int("groups", groups)
        if num_heads % groups:
            raise ValueError(f"`groups` must divide the heads, {num_heads}. Received: {groups}")
        if offset_range <= 0:
            raise ValueError(f"`offset_range` must be positive. Received: {offset_range!r}")
        self.offset_range = offset_range
        self.kernel_size = check_positive_int("kernel_size", kernel_size)
        if kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd. Received: {kernel_size}")

    def build(self, input_shape):
        super().build(input_shape)
        last, options = {"data_format": "channels_last"}, {"dtype": self.dtype_policy}
        self.padding = keras.layers.ZeroPadding2D(
            self.kernel_size // 2, **last, **options, name="padding"
        )
        self.depthwise = keras.layers.DepthwiseConv2D(
            self.kernel_size, strides=self.stride, **last, **options, name="depthwise"
        )
        self.norm = LayerNorm(**options, name="norm")
        self.offsets = keras.layers.Dense(
            2,
            use_bias=False,
            kernel_initializer=self.kernel_initializer.clone(),
            **options,
            name="offsets",
        )
        shape = (None, None, None, input_shape[-1] // self.groups)
        for layer in (self.depthwise, self.norm, self.offsets):
            layer.build(shape)

    def project(self, inputs, training=None):
        """Queries `[B, H, W, C]`, scaled; keys and values of the points, `[B, H', W', C]`."""
        query = self.project_query(inputs, training)
        sampled = self._sample(inputs, *self.points(query))
        return query, *self.project_context(sampled, training)

    def points(self, query):
        """Where keys and values are taken.

        Args:
            query: `[B, H, W, C]`, scaled.

        Returns:
            Rows and columns, in tokens: twice float32 `[B·groups, H', W']` with
            `H' = ceil(H / stride)`.
        """
        _, height, width, channels = ops.shape(query)
        x = partition.group_columns(query, 1, self.groups)  # [B, groups, H·W, C/groups]
        x = ops.reshape(x, (-1, height, width, channels // self.groups))
        x = keras.activations.gelu(self.norm(self.depthwise(self.padding(x))))
        moved = self.offset_range * ops.tanh(ops.cast(self.offsets(x), "float32"))
        rows, columns = self._grid(height, width)
        cells = [a / b for a, b in zip(_float(height, width), _float(rows, columns), strict=True)]
        middles = [
            (ops.arange(count, dtype="float32") + 0.5) * cell - 0.5
            for count, cell in zip((rows, columns), cells, strict=True)
        ]
        return (
            moved[..., 0] * cells[0] + ops.expand_dims(middles[0], 1),
            moved[..., 1] * cells[1] + middles[1],
        )

    def _sample(self, x, rows, columns):
        """Interpolates a map at points: `[B, H, W, C]` -> `[B, H', W', C]`."""
        _, height, width, _ = ops.shape(x)
        grid = self._grid(height, width)
        count = grid[0] * grid[1]
        by_row = hat_weights(ops.reshape(rows, (-1, count)), height)  # [B·groups, H'·W', H]
        by_column = hat_weights(ops.reshape(columns, (-1, count)), width)
        weights = ops.expand_dims(by_row, 3) * ops.expand_dims(by_column, 2)
        weights = ops.reshape(weights, (-1, self.groups, count, height * width))
        x = partition.group_columns(x, 1, self.groups)  # [B, groups, H·W, C/groups]
        x = ops.matmul(ops.cast(weights, x.dtype), x)  # [B, groups, H'·W', C/groups]
        return partition.ungroup_columns(x, *grid, 1, self.groups)

    def _grid(self, height, width):
        return ceil_div(height, self.stride), ceil_div(width, self.stride)

    def get_config(self):
        return {
            **super().get_config(),
            "stride": self.stride,
            "groups": self.groups,
            "offset_range": self.offset_range,
            "kernel_size": self.kernel_size,
        }


def _float(*sizes):
    """Sizes, integers or integer tensors, as numbers to divide."""
    return [size if isinstance(size, int) else ops.cast(size, "float32") for size in sizes]


def deformable(place, num_heads, **options):
    """A stride for each stage, and a group for every four heads as in the paper's networks."""
    defaults = {
        "stride": STRIDES[place.stage],
        "groups": math.gcd(num_heads, max(1, num_heads // 4)),
    }
    return DeformableAttention(num_heads, **{**defaults, **options})
