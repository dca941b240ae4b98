"""Axial attention against its definition."""

from tests.pale_tf.layers.attention.every_attention import EveryAttention


class TestAxialAttention(EveryAttention):
    attentions = ("axial",)
