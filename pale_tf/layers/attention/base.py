"""Base of the attentions: projections, heads, the protocol."""

import functools

import keras
import numpy as np
from keras import ops

from pale_tf.checks import check_heads, check_positive_int, check_rate
from pale_tf.layers.attention.core import softmax_attention, softmax_weights
from pale_tf.layers.folding import Foldable, own_weights, to_float64
from pale_tf.layers.projection import SeparableProjection
from pale_tf.layers.scores import SCORES, add_scores, check_sparsity
from pale_tf.tokens import on_tokens

PROJECTIONS = ("separable", "linear")
SHARING = ("gives", "takes")


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
        sharing: `"gives"` for a layer that returns the map and, after it, its attention weights;
            `"takes"` for one that is called with a map and such weights, in a list, and has no
            queries and keys (Chen et al. 2021, PSViT); None for neither.
        value_dim: Channels of the values of each head, or None for those of queries and keys.
        sparsity: Weight of the L1 norm of the scores of the values' channels, in the loss: each
            channel is multiplied by its score, and `pale_tf.prune` drops those with small ones (Zhu
            et al. 2021, VTP). 0 for no scores.

    Raises:
        ValueError: If an argument is out of range, an attention cannot share its weights or have
            narrower values or, when the layer is built, the channels do not divide into heads.
    """

    # Parts that the channels are split into before heads are: 2 where half of them attends in rows
    # and half in columns.
    halves = 1

    # Whether a subclass has `weigh`, `spread` and `weight_shapes`.
    can_share = False

    # Whether the values may have other widths than queries and keys, and scores.
    can_narrow = False

    def __init__(
        self,
        num_heads,
        projection="separable",
        dropout=0.0,
        kernel_initializer="glorot_uniform",
        seed=None,
        folded=False,
        sharing=None,
        value_dim=None,
        sparsity=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if projection not in PROJECTIONS:
            raise ValueError(f"`projection` must be one of {PROJECTIONS}. Received: {projection!r}")
        check_rate("dropout", dropout)
        if sharing not in (None, *SHARING):
            raise ValueError(f"`sharing` must be None or one of {SHARING}. Received: {sharing!r}")
        if sharing is not None and not self.can_share:
            raise ValueError(
                f"`sharing` must be None: {type(self).__name__} cannot share its weights. "
                f"Received: {sharing!r}"
            )
        check_sparsity(sparsity)
        if not self.can_narrow and (value_dim is not None or sparsity):
            raise ValueError(
                f"`value_dim` must be None and `sparsity` 0: the values of {type(self).__name__} "
                f"are not pruned. Received: {value_dim}, {sparsity}"
            )
        self.num_heads = check_positive_int("num_heads", num_heads)
        self.projection = projection
        self.dropout = dropout
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = seed
        self.folded = folded
        self.sharing = sharing
        self.value_dim = None if value_dim is None else check_positive_int("value_dim", value_dim)
        self.sparsity = sparsity
        self.rematerialize = False  # `pale_tf.rematerialize` sets it
        self.input_spec = None if sharing == "takes" else keras.InputSpec(ndim=4)

    def check_channels(self, channels):
        """Returns the heads of each half; raises a `ValueError` if `channels` do not divide."""
        return check_heads(channels, self.num_heads, self.halves)

    def build(self, input_shape):
        input_shape = self._map_shape(input_shape)
        channels = input_shape[-1]
        # Heads that share one softmax group: a half's, or all.
        self.group_heads = self.check_channels(channels)
        self.scale = (channels // (self.halves * self.group_heads)) ** -0.5
        width = self.value_width(channels)
        for name in self.projected:
            setattr(self, name, self._projection(width if name == "value" else channels, name))
            getattr(self, name).build(input_shape)
        if self.sparsity:
            self.scores = add_scores(self, width, self.sparsity)
        self.output_projection = self.dense(channels, "output")
        self.output_projection.build((*input_shape[:-1], width))
        self.dropout_layer = keras.layers.Dropout(
            self.dropout, seed=self.seed, dtype=self.dtype_policy, name="dropout"
        )
        self.built = True

    @property
    def projected(self):
        """Names of the projections of the map."""
        return ("value",) if self.sharing == "takes" else ("query", "key", "value")

    def strides_of(self, name):
        """Stride of the convolution of a projection."""
        return 1

    def value_width(self, channels):
        """Channels of the values of all heads, for a number of input channels."""
        if self.value_dim is None:
            return channels
        return self.halves * self.check_channels(channels) * self.value_dim

    def _map_shape(self, input_shape):
        """Shape of the map among those of the inputs."""
        return input_shape[0] if self.sharing == "takes" else input_shape

    def _projection(self, channels, name):
        if self.projection == "linear":
            return self.dense(channels, name)
        return SeparableProjection(
            self.kernel_initializer.clone(),
            normalize=not self.folded,
            units=channels,
            strides=self.strides_of(name),
            dtype=self.dtype_policy,
            name=name,
        )

    def call(self, inputs, training=None):
        if self.sharing == "takes":
            inputs, *weights = inputs
            value = self._project_value(inputs, training)
            return on_tokens(self.output_projection, self.spread(weights, value))
        query, key, value = self.project(inputs, training)
        if self.sharing == "gives":
            weights = self.weigh(query, key, training)
            outputs = on_tokens(self.output_projection, self.spread(weights, value))
            return outputs, *weights
        mix = functools.partial(self.mix, training=training)
        mix = keras.remat(mix) if self.rematerialize else mix
        return on_tokens(self.output_projection, mix(query, key, value))

    def mix(self, query, key, value, training=None):
        """`attend`, and what else a subclass gives to the output projection."""
        return self.attend(query, key, value, training)

    def project(self, inputs, training=None):
        """Queries, scaled, `[B, H, W, C]`; keys and values, of that shape but where a stride or
        `value_dim` says otherwise."""
        return self.project_query(inputs, training), *self.project_context(inputs, training)

    def project_query(self, inputs, training=None):
        """Queries, scaled: `[B, H, W, C]`."""
        query = self._project(self.query, inputs, training)
        # The scale goes onto the queries: there are fewer of them than there are scores.
        return query if self.folded else query * self.scale

    def project_context(self, context, training=None):
        """Keys and values of the map that is attended to."""
        return self._project(self.key, context, training), self._project_value(context, training)

    def _project_value(self, context, training):
        value = self._project(self.value, context, training)
        return value * ops.cast(self.scores, value.dtype) if self.sparsity else value

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

    def weigh(self, query, key, training=None):
        """The weights of `attend`, and with `spread` the same numbers.

        Returns:
            Tuple of tensors `[B, groups, L, M]`: one for each kind of groups.
        """
        raise NotImplementedError

    def spread(self, weights, value):
        """Gives tokens their share of values `[B, H, W, C]`, by the weights of `weigh`: a map."""
        raise NotImplementedError

    def weight_shapes(self, input_shape):
        """Shapes of the weights of `weigh` for a map of a shape; None for what is not known."""
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

    def softmax_weights(self, query, key, bias=None, training=None):
        """`core.softmax_weights` with the layer's dropout."""
        weights = softmax_weights(query, key, bias, key.dtype)
        return self.dropout_layer(weights, training=training) if self.dropout > 0.0 else weights

    def dense(self, units, name):
        """A point-wise layer with the layer's initializer and dtype policy."""
        return keras.layers.Dense(
            units,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )

    def fused_config(self):
        return {**self.get_config(), "folded": True, "sparsity": 0.0}

    def fused_weights(self, scale=None, shift=None):
        """BatchNorms, and what scales queries and values, go into the point-wise kernels."""
        weights = own_weights(self)
        for name in self.projected:
            if self.projection == "separable":
                weights = {k: v for k, v in weights.items() if not k.startswith(f"{name}/")}
                projection = getattr(self, name).fused_weights()
                weights |= {f"{name}/{path}": value for path, value in projection.items()}
        factors = {"query": self.scale} if "query" in self.projected else {}
        if self.sparsity:
            factors["value"] = weights.pop(SCORES)
        for name, factor in factors.items():
            for part in ("kernel", "bias"):
                weights[f"{self.pointwise(name)}/{part}"] *= factor
        return weights

    def pointwise(self, name):
        """Path of the point-wise layer of a projection."""
        return f"{name}/pointwise" if self.projection == "separable" else name

    def importance(self):
        """Importance of the values' channels, by their scores: float64 `[heads, channels]`."""
        heads = self.halves * self.group_heads
        return abs(to_float64(self.scores)).reshape(heads, -1)

    def pruned_config(self, count):
        """Configuration of the layer with `count` channels of values a head, without scores."""
        return {**self.get_config(), "value_dim": count, "sparsity": 0.0}

    def pruned_weights(self, places):
        """Weights of that layer.

        Args:
            places: Of each head, the channels that stay, `[heads, count]`.

        Returns:
            Dict of float64 arrays by their paths inside the layer.
        """
        weights = own_weights(self)
        scores = weights.pop(SCORES)
        heads = places.shape[0]
        kept = (places + np.arange(heads)[:, None] * (scores.size // heads)).reshape(-1)
        for part in ("kernel", "bias"):
            path = f"{self.pointwise('value')}/{part}"
            weights[path] = (weights[path] * scores)[..., kept]
        weights["output/kernel"] = weights["output/kernel"][kept]
        return weights

    def compute_output_shape(self, input_shape):
        shape = self._map_shape(input_shape)
        return (shape, *self.weight_shapes(shape)) if self.sharing == "gives" else shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "projection": self.projection,
            "dropout": self.dropout,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "seed": self.seed,
            "folded": self.folded,
            "sharing": self.sharing,
            "value_dim": self.value_dim,
            "sparsity": self.sparsity,
        }
