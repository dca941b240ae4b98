"""The MLP of a block: expand, GELU, contract."""

import functools

import keras

from pale_tf.layers.folding import AFFINE, Foldable, fold_affine, own_weights
from pale_tf.layers.gelu import gelu
from pale_tf.tokens import to_map, to_tokens


@keras.saving.register_keras_serializable(package="pale_tf")
class MLP(Foldable, keras.layers.Layer):
    """Two point-wise layers with an exact GELU between them: `[..., C] -> [..., C]`.

    Args:
        ratio: Hidden width over input width. The paper uses 4.
        kernel_initializer: Initializer of both kernels.

    Raises:
        ValueError: If the ratio is not positive.
    """

    absorbs = AFFINE
    needs_norm = True

    def __init__(self, ratio=4, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        if ratio <= 0:
            raise ValueError(f"`ratio` must be positive. Received: ratio={ratio}")
        self.ratio = ratio
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.rematerialize = False  # `pale_tf.rematerialize` sets it

    def build(self, input_shape):
        hidden = int(self.ratio * input_shape[-1])
        self.expand = self._dense(hidden, "expand")
        self.contract = self._dense(input_shape[-1], "contract")
        self.expand.build(input_shape)
        self.contract.build((*input_shape[:-1], hidden))
        self.built = True

    def _dense(self, units, name, **options):
        return keras.layers.Dense(
            units,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
            **options,
        )

    def call(self, inputs, training=None):
        mix = functools.partial(self._mix, training=training)
        mix = keras.remat(mix) if self.rematerialize else mix
        return to_map(mix(to_tokens(inputs)), inputs)

    def _mix(self, tokens, training):
        return self.contract(gelu(self.expand(tokens), training))

    def fused_weights(self, scale=None, shift=None):
        weights = own_weights(self)
        if scale is not None:
            fold_affine(weights, "expand/", scale, shift)
        return weights

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
