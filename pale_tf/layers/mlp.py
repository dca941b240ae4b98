"""The MLP of a block: expand, GELU, contract."""

import functools

import keras
from keras import ops

from pale_tf.checks import check_positive_int
from pale_tf.layers.folding import AFFINE, Foldable, fold_affine, own_weights, to_float64
from pale_tf.layers.gelu import gelu
from pale_tf.layers.scores import SCORES, add_scores, check_sparsity
from pale_tf.tokens import to_map, to_tokens


@keras.saving.register_keras_serializable(package="pale_tf")
class MLP(Foldable, keras.layers.Layer):
    """Two point-wise layers with an exact GELU between them: `[..., C] -> [..., C]`.

    Args:
        ratio: Hidden width over input width. The paper uses 4.
        kernel_initializer: Initializer of both kernels.
        width: Hidden width, or None for that of the ratio.
        sparsity: Weight of the L1 norm of the scores of the hidden units, in the loss: each unit is
            multiplied by its score, and `pale_tf.prune` drops those with small ones (Zhu et al.
            2021, VTP). 0 for no scores.

    Raises:
        ValueError: If an argument is out of range.
    """

    absorbs = AFFINE
    needs_norm = True

    def __init__(
        self, ratio=4, kernel_initializer="glorot_uniform", width=None, sparsity=0.0, **kwargs
    ):
        super().__init__(**kwargs)
        if ratio <= 0:
            raise ValueError(f"`ratio` must be positive. Received: ratio={ratio}")
        check_sparsity(sparsity)
        self.ratio = ratio
        self.width = None if width is None else check_positive_int("width", width)
        self.sparsity = sparsity
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.rematerialize = False  # `pale_tf.rematerialize` sets it

    def build(self, input_shape):
        hidden = self.hidden_units(input_shape[-1])
        self.expand = self._dense(hidden, "expand")
        self.contract = self._dense(input_shape[-1], "contract")
        self.expand.build(input_shape)
        self.contract.build((*input_shape[:-1], hidden))
        if self.sparsity:
            self.scores = add_scores(self, hidden, self.sparsity)
        self.built = True

    def hidden_units(self, channels):
        """Hidden width for a number of input channels."""
        return self.width or int(self.ratio * channels)

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
        hidden = gelu(self.expand(tokens), training)
        if self.sparsity:
            hidden = hidden * ops.cast(self.scores, hidden.dtype)
        return self.contract(hidden)

    def fused_config(self):
        return {**self.get_config(), "sparsity": 0.0}

    def fused_weights(self, scale=None, shift=None):
        weights = own_weights(self)
        if scale is not None:
            fold_affine(weights, "expand/", scale, shift)
        if self.sparsity:
            fold_affine(weights, "contract/", weights.pop(SCORES))
        return weights

    def importance(self):
        """Importance of the hidden units, by their scores: float64 `[1, units]`."""
        return abs(to_float64(self.scores))[None]

    def pruned_config(self, count):
        """Configuration of the layer with `count` hidden units, without scores."""
        return {**self.get_config(), "width": count, "sparsity": 0.0}

    def pruned_weights(self, places):
        """Weights of that layer.

        Args:
            places: The units that stay, `[1, count]`.

        Returns:
            Dict of float64 arrays by their paths inside the layer.
        """
        weights, (kept,) = own_weights(self), places
        fold_affine(weights, "contract/", weights.pop(SCORES))
        weights["contract/kernel"] = weights["contract/kernel"][kept]
        for name in ("expand/kernel", "expand/bias"):
            weights[name] = weights[name][..., kept]
        return weights

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "width": self.width,
            "sparsity": self.sparsity,
        }
