"""Pale-shaped self-attention (PS-Attention), Wu et al. 2022, section 3.2."""

import keras
from keras import ops

from pale_tf import partition
from pale_tf.configs import check_heads, check_pale_size, check_positive_int, check_rate
from pale_tf.layers.projection import SeparableProjection

# Added to the score of a masked key, whose weight is then exactly 0 in float32. Finite, because it
# is multiplied by 0 for the other keys.
MASKED = -1e9

IMPLEMENTATIONS = ("parallel", "vanilla", "sequential_row", "sequential_column")


@keras.saving.register_keras_serializable(package="pale_tf")
class PSAttention(keras.layers.Layer):
    """Multi-head self-attention inside pales: `[B, H, W, C] -> [B, H, W, C]`, any H and W.

    A pale is a set of interlaced rows and interlaced columns. With `h` rows and pale size `s`,
    there are `N = ceil(h / s)` row groups and row `r` belongs to group `r mod N`; columns likewise.

    - `"parallel"` (the networks' form): the first half of the channels attends inside row groups,
      the second half inside column groups; the halves are concatenated.
    - `"vanilla"`: all channels attend inside whole pales; pale `g` joins row group `g` and column
      group `g`, with the number of groups that the stricter axis needs on both. A token lies in
      the pale of its row and the pale of its column; the two outputs are averaged.
    - `"sequential_row"` and `"sequential_column"`: all channels attend inside row groups, or
      inside column groups; the two are meant to alternate from block to block.

    Queries, keys and values are separable convolutions over all channels, and an output projection
    follows. Softmax runs in float32 under every dtype policy.

    Args:
        num_heads: Attention heads over all channels. The parallel form gives half of them to the
            rows and half to the columns, and at least one to each.
        pale_size: Rows and columns of a pale, an integer or a pair `(rows, columns)`.
        implementation: One of the forms above.
        dropout: Dropout probability on the attention weights, in `[0, 1)`.
        kernel_initializer: Initializer of the point-wise kernels.
        seed: Integer seed of the dropout, or None for a random one.

    Raises:
        ValueError: If an argument is out of range or, when the layer is built, the channels do not
            divide into halves and heads.
    """

    normalize = True  # whether the projections hold a BatchNorm

    def __init__(
        self,
        num_heads,
        pale_size=7,
        implementation="parallel",
        dropout=0.0,
        kernel_initializer="glorot_uniform",
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if implementation not in IMPLEMENTATIONS:
            raise ValueError(
                f"`implementation` must be one of {IMPLEMENTATIONS}. Received: {implementation!r}"
            )
        check_rate("dropout", dropout)
        self.pale_rows, self.pale_columns = check_pale_size(pale_size)
        self.num_heads = check_positive_int("num_heads", num_heads)
        pair = (self.pale_rows, self.pale_columns)
        self.pale_size = pair if isinstance(pale_size, tuple | list) else pair[0]
        self.implementation = implementation
        self.dropout = dropout
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = seed
        self.input_spec = keras.InputSpec(ndim=4)

    def build(self, input_shape):
        channels = input_shape[-1]
        halves = 2 if self.implementation == "parallel" else 1
        # Heads that share one softmax group: a half's in the parallel form, all otherwise.
        self.group_heads = check_heads(channels, self.num_heads, halves)
        self.scale = (channels // (halves * self.group_heads)) ** -0.5
        self.query, self.key, self.value = (
            SeparableProjection(
                self.kernel_initializer.clone(),
                normalize=self.normalize,
                dtype=self.dtype_policy,
                name=name,
            )
            for name in ("query", "key", "value")
        )
        self.output_projection = keras.layers.Dense(
            channels,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name="output",
        )
        self.dropout_layer = keras.layers.Dropout(
            self.dropout, seed=self.seed, dtype=self.dtype_policy, name="dropout"
        )
        for layer in (self.query, self.key, self.value, self.output_projection):
            layer.build(input_shape)
        self.built = True

    def call(self, inputs, training=None):
        query, key, value = self._project(inputs, training)
        if self.implementation == "parallel":
            (q1, q2), (k1, k2), (v1, v2) = (ops.split(x, 2, axis=-1) for x in (query, key, value))
            outputs = ops.concatenate(
                [
                    self._attend_rows(q1, k1, v1, training),
                    self._attend_columns(q2, k2, v2, training),
                ],
                axis=-1,
            )
        elif self.implementation == "vanilla":
            outputs = self._attend_pales(query, key, value, training)
        elif self.implementation == "sequential_row":
            outputs = self._attend_rows(query, key, value, training)
        else:
            outputs = self._attend_columns(query, key, value, training)
        return self.output_projection(outputs)

    def _project(self, inputs, training):
        """Queries, scaled, keys and values: three times `[B, H, W, C]`."""
        # The scale goes onto the queries: there are fewer of them than there are scores.
        return (
            self.query(inputs, training=training) * self.scale,
            self.key(inputs, training=training),
            self.value(inputs, training=training),
        )

    def _attend_rows(self, query, key, value, training):
        """Attention inside row groups: three times `[B, H, W, D]` -> `[B, H, W, D]`."""
        _, height, width, _ = ops.shape(query)
        groups = partition.ceil_div(height, self.pale_rows)
        outputs = self._softmax_attention(
            *(partition.group_rows(x, groups, self.group_heads) for x in (query, key, value)),
            partition.row_mask(height, width, groups),
            training,
        )
        return partition.ungroup_rows(outputs, height, width, groups, self.group_heads)

    def _attend_columns(self, query, key, value, training):
        """Attention inside column groups: three times `[B, H, W, D]` -> `[B, H, W, D]`."""
        _, height, width, _ = ops.shape(query)
        groups = partition.ceil_div(width, self.pale_columns)
        outputs = self._softmax_attention(
            *(partition.group_columns(x, groups, self.group_heads) for x in (query, key, value)),
            partition.column_mask(height, width, groups),
            training,
        )
        return partition.ungroup_columns(outputs, height, width, groups, self.group_heads)

    def _attend_pales(self, query, key, value, training):
        """Attention inside whole pales: three times `[B, H, W, D]` -> `[B, H, W, D]`."""
        _, height, width, _ = ops.shape(query)
        groups = partition.pale_count(height, width, self.pale_rows, self.pale_columns)
        heads = self.group_heads
        outputs = self._softmax_attention(
            *(partition.group_pales(x, groups, heads) for x in (query, key, value)),
            partition.pale_mask(height, width, groups),
            training,
        )
        by_row, by_column = partition.ungroup_pales(outputs, height, width, groups, heads)
        return (by_row + by_column) / 2

    def _softmax_attention(self, query, key, value, mask, training):
        """Softmax attention over the tokens of each group.

        Args:
            query, key, value: `[B, N·heads, L, D]`, the query scaled.
            mask: Boolean `[N, L]`, false for keys that are not to be seen, or None.
            training: Whether dropout is applied.

        Returns:
            `[B, N·heads, L, D]`.
        """
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))  # [B, N·heads, L, L]
        scores = ops.cast(scores, "float32")
        if mask is not None:
            bias = (1.0 - ops.cast(mask, "float32")) * MASKED
            bias = ops.repeat(bias, self.group_heads, axis=0)  # [N·heads, L]
            scores += ops.expand_dims(bias, (0, 2))
        weights = ops.cast(_softmax(scores), value.dtype)
        weights = self.dropout_layer(weights, training=training)
        return ops.matmul(weights, value)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "pale_size": self.pale_size,
            "implementation": self.implementation,
            "dropout": self.dropout,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "seed": self.seed,
        }


def _softmax(scores):
    """Softmax over the last axis."""
    if scores.shape[-1] == 1:
        # The one token of a 1×1 map: weight 1 and no gradient. `ops.softmax` says the same, with a
        # warning that one value must be a mistake.
        return ops.exp(scores - scores)
    return ops.softmax(scores, axis=-1)
