"""The MLP of LocalViT: a depth-wise convolution between its two layers (Li et al. 2021)."""

import keras
from keras import ops

from pale_tf.layers.folding import own_weights, pop_batch_norm
from pale_tf.layers.mlp import MLP
from pale_tf.layers.normalization import BatchNorm
from pale_tf.tokens import on_tokens

PARTS = ("expand", "depthwise", "contract")


@keras.saving.register_keras_serializable(package="pale_tf")
class LocalMLP(MLP):
    """Expands, convolves by depth, weighs the channels, contracts: `[B, H, W, C] -> [B, H, W, C]`.

    The convolution is 3×3. A BatchNorm follows each of the three layers, and h-swish the first two.
    The channels are weighed by squeeze-and-excitation (Hu et al. 2018). As in LocalViT's published
    code for Swin, its hidden units are four times the ratio, and there is no LayerNorm before all.
    Nothing is computed again in training, for its BatchNorms may see a batch only once.

    Args:
        ratio: Hidden width over input width. LocalViT uses 4.
        kernel_initializer: Initializer of the point-wise kernels.
        folded: Whether the BatchNorms are part of the layers before them. `pale_tf.fuse` makes such
            layers.
        **kwargs: `width` as in `MLP`, and the arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If the ratio is not positive, or there is a sparsity.
    """

    needs_norm = False

    def __init__(self, ratio=4, kernel_initializer="glorot_uniform", folded=False, **kwargs):
        super().__init__(ratio, kernel_initializer, **kwargs)
        if self.sparsity:
            raise ValueError(
                f"`sparsity` must be 0: the local MLP is not pruned. Received: {self.sparsity}"
            )
        self.folded = folded

    def build(self, input_shape):
        channels = input_shape[-1]
        hidden = self.hidden_units(channels)
        self.expand = self._dense(hidden, "expand", use_bias=self.folded)
        self.depthwise = keras.layers.DepthwiseConv2D(
            3,
            padding="same",
            data_format="channels_last",
            use_bias=self.folded,
            dtype=self.dtype_policy,
            name="depthwise",
        )
        self.squeeze = self._dense(max(1, hidden // max(1, channels // 4)), "squeeze")
        self.excite = self._dense(hidden, "excite")
        self.contract = self._dense(channels, "contract", use_bias=self.folded)
        wide = (*input_shape[:-1], hidden)
        shapes = {"expand": (input_shape, wide), "depthwise": (wide, wide)}
        shapes["contract"] = (wide, input_shape)
        for part, (shape, normed) in shapes.items():
            getattr(self, part).build(shape)
            if not self.folded:
                norm = BatchNorm(dtype=self.dtype_policy, name=f"{part}_norm")
                norm.build(normed)
                setattr(self, f"{part}_norm", norm)
        self.squeeze.build((None, hidden))
        self.excite.build((None, self.squeeze.units))
        self.built = True

    def call(self, inputs, training=None):
        x = self._norm("expand", on_tokens(self.expand, inputs), training)
        x = self._norm("depthwise", self.depthwise(ops.hard_silu(x)), training)
        x = ops.hard_silu(x)
        gate = ops.relu(self.squeeze(ops.mean(x, axis=(1, 2))))
        gate = ops.hard_sigmoid(self.excite(gate))
        x = x * ops.expand_dims(ops.expand_dims(gate, 1), 1)
        return self._norm("contract", on_tokens(self.contract, x), training)

    def _norm(self, part, x, training):
        return x if self.folded else getattr(self, f"{part}_norm")(x, training=training)

    def fused_config(self):
        return {**self.get_config(), "folded": True}

    def fused_weights(self, scale=None, shift=None):
        weights = own_weights(self)
        for part in PARTS:
            norm = getattr(self, f"{part}_norm")
            factor, bias = pop_batch_norm(weights, f"{part}_norm/", norm.epsilon)
            # A depth-wise kernel is [3, 3, C, 1].
            weights[f"{part}/kernel"] *= factor[:, None] if part == "depthwise" else factor
            weights[f"{part}/bias"] = bias
        return weights

    def get_config(self):
        return {**super().get_config(), "folded": self.folded}
