"""Cross-shaped windows against its definition."""

from tests.pale_tf.layers.attention.every_attention import EveryAttention


class TestCrossShapedAttention(EveryAttention):
    attentions = ("cross_shaped",)
