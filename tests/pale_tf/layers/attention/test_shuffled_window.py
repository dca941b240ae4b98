"""Shuffled windows against its definition."""

from tests.pale_tf.layers.attention.every_attention import EveryAttention


class TestShuffledWindowAttention(EveryAttention):
    attentions = ("shuffled_window",)
