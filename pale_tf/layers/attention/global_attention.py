"""Global attention: Dosovitskiy et al. 2021, ViT."""

import keras
from keras import ops

from pale_tf import partition
from pale_tf.layers.attention.base import Attention


@keras.saving.register_keras_serializable(package="pale_tf")
class GlobalAttention(Attention):
    """Self-attention of every token to every token: `[B, H, W, C] -> [B, H, W, C]`, any H and W.

    Arguments and errors are those of `pale_tf.layers.attention.Attention`.
    """

    def attend(self, query, key, value, training=None):
        _, height, width, _ = ops.shape(query)
        # One group of columns is the whole map: [B, heads, H·W, D].
        grouped = (partition.group_columns(x, 1, self.num_heads) for x in (query, key, value))
        outputs = self.softmax_attention(*grouped, training=training)
        return partition.ungroup_columns(outputs, height, width, 1, self.num_heads)


def global_attention(place, **options):
    """The same in all blocks."""
    return GlobalAttention(**options)
