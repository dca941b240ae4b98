"""Spatial-reduction attention against its definition."""

from tests.pale_tf.layers.attention.every_attention import EveryAttention


class TestSpatialReductionAttention(EveryAttention):
    attentions = ("spatial_reduction",)
