"""Window attention against its definition."""

from tests.pale_tf.layers.attention.every_attention import EveryAttention


class TestWindowAttention(EveryAttention):
    attentions = ("window", "shifted_window")
