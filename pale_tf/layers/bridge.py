"""Global tokens beside a map, and the bridge between them (Chen et al. 2022, Mobile-Former)."""

import keras
from keras import ops

from pale_tf.checks import check_heads, check_positive_int
from pale_tf.layers.attention.core import softmax_attention
from pale_tf.layers.folding import Foldable
from pale_tf.layers.gelu import gelu
from pale_tf.layers.normalization import LayerNorm


@keras.saving.register_keras_serializable(package="pale_tf")
class GlobalTokens(Foldable, keras.layers.Layer):
    """Learned tokens, the same for every image: from a map `[B, H, W, C]`, `[B, count, width]`.

    Args:
        count: Number of tokens.
        width: Channels of each.

    Raises:
        ValueError: If either is not positive.
    """

    def __init__(self, count, width, **kwargs):
        super().__init__(**kwargs)
        self.count = check_positive_int("count", count)
        self.width = check_positive_int("width", width)

    def build(self, input_shape):
        self.tokens = self.add_weight(
            shape=(self.count, self.width),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="tokens",
        )
        self.built = True

    def call(self, inputs):
        shape = (ops.shape(inputs)[0], self.count, self.width)
        tokens = ops.cast(ops.expand_dims(self.tokens, 0), self.compute_dtype)
        return ops.broadcast_to(tokens, shape)

    def no_weight_decay(self):
        """Weights that do not decay: the tokens, which are no kernel."""
        return [self.tokens]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.count, self.width)

    def get_config(self):
        return {**super().get_config(), "count": self.count, "width": self.width}


class _Bridge(Foldable, keras.layers.Layer):
    """Base of what lets tokens attend: heads and projections.

    Args:
        num_heads: Attention heads; they divide the channels.
        kernel_initializer: Initializer of the kernels.
    """

    def __init__(self, num_heads=2, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.num_heads = check_positive_int("num_heads", num_heads)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

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
        outputs = softmax_attention(
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


@keras.saving.register_keras_serializable(package="pale_tf")
class MobileToFormer(_Bridge):
    """Tokens attend to a map: `[B, H, W, C]` and `[B, M, D]`, in a list, to `[B, M, D]`.

    `z = LN(z + O(Attention(Q(z), x, x)))`: the map has no projections (equation 1).
    """

    def build(self, input_shape):
        (*_, channels), (*_, width) = input_shape
        self.query = self.dense(channels, width, "query")
        self.output_projection = self.dense(width, channels, "output")
        self.output_norm = self.norm(width)
        self.built = True

    def call(self, inputs):
        x, tokens = inputs
        x = _flat(x)
        news = self.output_projection(self.attend(self.query(tokens), x, x))
        return self.output_norm(tokens + news)

    def compute_output_shape(self, input_shape):
        return input_shape[1]


@keras.saving.register_keras_serializable(package="pale_tf")
class Former(_Bridge):
    """A transformer block over the tokens, its norms after it: `[B, M, D] -> [B, M, D]`.

    `z = LN(z + O(Attention(Q(z), K(z), V(z))))`, `z = LN(z + MLP(z))`; the MLP is twice as wide.
    """

    def build(self, input_shape):
        width = input_shape[-1]
        for name in ("query", "key", "value"):
            setattr(self, name, self.dense(width, width, name))
        self.output_projection = self.dense(width, width, "output")
        self.expand = self.dense(2 * width, width, "expand")
        self.contract = self.dense(width, 2 * width, "contract")
        self.attention_norm = self.norm(width, "attention_norm")
        self.mlp_norm = self.norm(width, "mlp_norm")
        self.built = True

    def call(self, inputs, training=None):
        found = self.attend(self.query(inputs), self.key(inputs), self.value(inputs))
        tokens = self.attention_norm(inputs + self.output_projection(found))
        return self.mlp_norm(tokens + self.contract(gelu(self.expand(tokens), training)))

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="pale_tf")
class FormerToMobile(_Bridge):
    """A map attends to tokens: `[B, H, W, C]` and `[B, M, D]`, in a list, to `[B, H, W, C]`.

    `Attention(x, K(z), V(z))`: the map has no projections (equation 2).
    """

    def build(self, input_shape):
        (*_, channels), (*_, width) = input_shape
        self.key = self.dense(channels, width, "key")
        self.value = self.dense(channels, width, "value")
        self.built = True

    def call(self, inputs):
        x, tokens = inputs
        found = self.attend(_flat(x), self.key(tokens), self.value(tokens))
        return ops.reshape(found, ops.shape(x))

    def compute_output_shape(self, input_shape):
        return input_shape[0]


def _flat(x):
    """`[B, H, W, C] -> [B, H·W, C]`."""
    _, height, width, channels = ops.shape(x)
    return ops.reshape(x, (-1, height * width, channels))
