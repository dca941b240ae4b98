"""Spatial-reduction attention: Wang et al. 2021, Pyramid Vision Transformer, section 3.3."""

import keras

from pale_tf.checks import check_positive_int
from pale_tf.layers.attention.global_attention import GlobalAttention
from pale_tf.layers.normalization import LayerNorm
from pale_tf.sizes import pad_to_windows

# Of the four stages of PVT.
REDUCTIONS = (8, 4, 2, 1)


@keras.saving.register_keras_serializable(package="pale_tf")
class SpatialReductionAttention(GlobalAttention):
    """Self-attention of every token to a smaller map: `[B, H, W, C] -> [B, H, W, C]`, any H and W.

    Keys and values are projections of the input after a convolution whose kernel is as wide as its
    stride, and a LayerNorm. A map that the stride does not divide is padded with zeros; PVT's
    published code leaves out the rest of it.

    Args:
        num_heads: Attention heads.
        reduction: The stride; 1 for global attention.
        **kwargs: The other arguments of `pale_tf.layers.attention.Attention`.

    Raises:
        ValueError: If an argument is out of range, or the heads do not divide the channels.
    """

    def __init__(self, num_heads, reduction=1, **kwargs):
        super().__init__(num_heads, **kwargs)
        self.reduction = check_positive_int("reduction", reduction)

    def build(self, input_shape):
        super().build(input_shape)
        if self.reduction == 1:
            return
        self.reduce = keras.layers.Conv2D(
            input_shape[-1],
            self.reduction,
            strides=self.reduction,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name="reduce",
        )
        self.norm = LayerNorm(dtype=self.dtype_policy, name="norm")
        shape = (None, None, None, input_shape[-1])  # a map smaller than the stride is padded
        self.reduce.build(shape)
        self.norm.build(shape)

    def project(self, inputs, training=None):
        """Queries `[B, H, W, C]`, scaled; keys and values `[B, ceil(H/R), ceil(W/R), C]`."""
        reduced = inputs
        if self.reduction > 1:
            reduced = pad_to_windows(inputs, (self.reduction, self.reduction))
            reduced = self.norm(self.reduce(reduced))
        return self.project_query(inputs, training), *self.project_context(reduced, training)

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}


def spatial_reduction(place, **options):
    """PVT's reduction of the stage, in all its blocks."""
    return SpatialReductionAttention(**{"reduction": REDUCTIONS[place.stage], **options})
