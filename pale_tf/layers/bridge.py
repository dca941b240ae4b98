"""Global tokens beside a map, and the bridge between them (Chen et al. 2022, Mobile-Former)."""

import keras
from keras import ops

from pale_tf.checks import check_positive_int
from pale_tf.layers.cross_attention import CrossAttention, flat
from pale_tf.layers.folding import Foldable
from pale_tf.layers.gelu import gelu


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


@keras.saving.register_keras_serializable(package="pale_tf")
class MobileToFormer(CrossAttention):
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
        x = flat(x)
        update = self.output_projection(self.attend(self.query(tokens), x, x))
        return self.output_norm(tokens + update)

    def compute_output_shape(self, input_shape):
        return input_shape[1]


@keras.saving.register_keras_serializable(package="pale_tf")
class Former(CrossAttention):
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
class FormerToMobile(CrossAttention):
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
        found = self.attend(flat(x), self.key(tokens), self.value(tokens))
        return ops.reshape(found, ops.shape(x))

    def compute_output_shape(self, input_shape):
        return input_shape[0]
