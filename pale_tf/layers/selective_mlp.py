"""The MLP of DynamicViT's Swin form: whole for some tokens, one layer for the others."""

import functools

import keras
from keras import ops

from pale_tf import selection
from pale_tf.checks import check_keep
from pale_tf.layers.folding import AFFINE, fold_affine
from pale_tf.layers.mlp import MLP
from pale_tf.sizes import equal
from pale_tf.tokens import to_map, to_tokens


@keras.saving.register_keras_serializable(package="pale_tf")
class SelectiveMLP(MLP):
    """`MLP` for the tokens that a `TokenSelection` keeps, a point-wise layer for the others.

    As in Rao et al. 2022, section 3.5, all tokens take part in the attention and stay in the map.
    The LayerNorm before both is one: what it scales and shifts could be part of either.

    Called with a map `[B, H, W, C]` and the outputs of the selection, in a list. In training, the
    mask weighs both paths, so that the selection has a gradient; in inference, each token takes its
    own path only.

    Args:
        keep: Share of the tokens that is kept, in `(0, 1]`; the selection's.
        ratio, kernel_initializer: As in `MLP`.

    Raises:
        ValueError: If an argument is out of range.
    """

    absorbs = AFFINE

    def __init__(self, keep, ratio=4, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(ratio, kernel_initializer, **kwargs)
        check_keep("keep", keep)
        self.keep = keep

    def build(self, input_shape):
        shape = input_shape[0]
        self.fast = self._dense(shape[-1], "fast")
        self.fast.build(shape)
        super().build(shape)

    def call(self, inputs, training=None):
        x, mask, ranking, ranks = inputs
        mix = functools.partial(self._mix, training=training)
        mix = keras.remat(mix) if self.rematerialize else mix
        if training:
            slow, fast = (to_map(path(to_tokens(x)), x) for path in (mix, self.fast))
            return mask * slow + (1 - mask) * fast
        _, height, width, _ = ops.shape(x)
        count, tokens = height * width, to_tokens(x)
        kept = selection.kept_count(count, self.keep)
        if equal(kept, count):
            return to_map(mix(tokens), x)
        best = mix(selection.take(tokens, ranking[:, :kept], count))
        rest = self.fast(selection.take(tokens, ranking[:, kept:], count))
        return to_map(selection.put_back(best, rest, ranks, kept), x)

    def fused_weights(self, scale=None, shift=None):
        weights = super().fused_weights(scale, shift)
        if scale is not None:
            fold_affine(weights, "fast/", scale, shift)
        return weights

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "keep": self.keep}
