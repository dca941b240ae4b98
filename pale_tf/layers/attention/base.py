"""Base of the attentions: projections, heads, the protocol."""

import functools

import keras
from keras import ops

from pale_tf.checks import check_heads, check_positive_int, check_rate
from pale_tf.layers.attention.core import softmax_attention
from pale_tf.layers.folding import Foldable, own_weights
from pale_tf.layers.projection import SeparableProjection
from pale_tf.tokens import on_tokens

PROJECTIONS = ("separable", "linear")


class Attention(Foldable, keras.layers.Layer):
    """Multi-head self-attention over a feature map: `[B, H, W, C] -> [B, H, W, C]`, any H and W.

    Queries, keys and values are projections of the map, and an output projection follows. A
    subclass says, in `attend`, which tokens see each other. Softmax runs in float32 under every
    dtype policy.

    Args:
        num_heads: Attention heads over all channels.
        projection: `"separable"` for the separable convolutions of CvT, which the Pale Transformer
            takes, or `"linear"` for point-wise layers.
        dropout: Dropout probability on the attention weights, in `[0, 1)`.
        kernel_initializer: Initializer of the point-wise kernels.
        seed: Integer seed of the dropout, or None for a random one.
        folded: Whether BatchNorm and the scale of the scores are part of the point-wise kernels.
            `pale_tf.fuse` makes such layers.

    Raises:
        ValueError: If an argument is out of range or, when the layer is built, the channels do not
            divide into heads.
    """

    # Parts that the channels are split into before heads are: 2 where half of them attends in rows
    # and half in columns.
    halves = 1

    def __init__(
        self,
        num_heads,
        projection="separable",
        dropout=0.0,
        kernel_initializer="glorot_uniform",
        seed=None,
        folded=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if projection not in PROJECTIONS:
            raise ValueError(f"`projection` must be one of {PROJECTIONS}. Received: {projection!r}")
        check_rate("dropout", dropout)
        self.num_heads = check_positive_int("num_heads", num_heads)
        self.projection = projection
        self.dropout = dropout
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = seed
        self.folded = folded
        self.rematerialize = False  # `pale_tf.rematerialize` sets it
        self.input_spec = keras.InputSpec(ndim=4)

    def check_channels(self, channels):
        """Returns the heads of each half; raises a `ValueError` if `channels` do not divide."""
        return check_heads(channels, self.num_heads, self.halves)

    def build(self, input_shape):
        channels = input_shape[-1]
        # Heads that share one softmax group: a half's, or all.
        self.group_heads = self.check_channels(channels)
        self.scale = (channels // (self.halves * self.group_heads)) ** -0.5
        self.query, self.key, self.value = (
            self._projection(channels, name) for name in ("query", "key", "value")
        )
        self.output_projection = self.dense(channels, "output")
        self.dropout_layer = keras.layers.Dropout(
            self.dropout, seed=self.seed, dtype=self.dtype_policy, name="dropout"
        )
        for layer in (self.query, self.key, self.value, self.output_projection):
            layer.build(input_shape)
        self.built = True

    def _projection(self, channels, name):
        if self.projection == "linear":
            return self.dense(channels, name)
        return SeparableProjection(
            self.kernel_initializer.clone(),
            normalize=not self.folded,
            dtype=self.dtype_policy,
            name=name,
        )

    def call(self, inputs, training=None):
        query, key, value = self.project(inputs, training)
        mix = functools.partial(self.mix, training=training)
        mix = keras.remat(mix) if self.rematerialize else mix
        return on_tokens(self.output_projection, mix(query, key, value))

    def mix(self, query, key, value, training=None):
        """`attend`, and what else a subclass gives to the output projection."""
        return self.attend(query, key, value, training)

    def project(self, inputs, training=None):
        """Queries, scaled, keys and values: three times `[B, H, W, C]`."""
        return self.project_query(inputs, training), *self.project_context(inputs, training)

    def project_query(self, inputs, training=None):
        """Queries, scaled: `[B, H, W, C]`."""
        query = self._project(self.query, inputs, training)
        # The scale goes onto the queries: there are fewer of them than there are scores.
        return query if self.folded else query * self.scale

    def project_context(self, context, training=None):
        """Keys and values of the map that is attended to: twice its shape."""
        return tuple(self._project(layer, context, training) for layer in (self.key, self.value))

    def _project(self, layer, inputs, training):
        # A point-wise layer does not ask whether it is being trained.
        if self.projection == "linear":
            return on_tokens(layer, inputs)
        return layer(inputs, training=training)

    def attend(self, query, key, value, training=None):
        """Lets tokens attend to each other.

        Args:
            query, key, value: As `project` gives them.
            training: Whether dropout is applied.

        Returns:
            `[B, H, W, C]`: of each token, the values weighted by its attention.
        """
        raise NotImplementedError

    def attend_in_halves(self, query, key, value, first, second):
        """Applies `first` to the first half of the channels, `second` to the second, and joins.

        Args:
            query, key, value: `[B, H, W, C]`.
            first, second: Functions of three `[B, H, W, C/2]` that return one.
        """
        (q1, q2), (k1, k2), (v1, v2) = (ops.split(x, 2, axis=-1) for x in (query, key, value))
        return ops.concatenate([first(q1, k1, v1), second(q2, k2, v2)], axis=-1)

    def softmax_attention(self, query, key, value, bias=None, training=None):
        """`core.softmax_attention` with the layer's dropout."""
        dropout = None
        if self.dropout > 0.0 and training is not False:
            dropout = functools.partial(self.dropout_layer, training=training)
        return softmax_attention(query, key, value, bias, dropout)

    def dense(self, units, name):
        """A point-wise layer with the layer's initializer and dtype policy."""
        return keras.layers.Dense(
            units,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )

    def fused_config(self):
        return {**self.get_config(), "folded": True}

    def fused_weights(self, scale=None, shift=None):
        """BatchNorms, and the scale of the scores, go into the point-wise kernels."""
        weights = own_weights(self)
        for name in ("query", "key", "value"):
            if self.projection == "separable":
                weights = {k: v for k, v in weights.items() if not k.startswith(f"{name}/")}
                projection = getattr(self, name).fused_weights()
                weights |= {f"{name}/{path}": value for path, value in projection.items()}
        pointwise = "query/pointwise" if self.projection == "separable" else "query"
        for name in ("kernel", "bias"):
            weights[f"{pointwise}/{name}"] *= self.scale  # of the queries
        return weights

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "projection": self.projection,
            "dropout": self.dropout,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "seed": self.seed,
            "folded": self.folded,
        }
