"""Global attention: Dosovitskiy et al. 2021, ViT; with a stride, Wu et al. 2021, CvT."""

import keras
from keras import ops

from pale_tf import partition
from pale_tf.checks import check_positive_int
from pale_tf.layers.attention.base import Attention


@keras.saving.register_keras_serializable(package="pale_tf")
class GlobalAttention(Attention):
    """Self-attention of every token to every token: `[B, H, W, C] -> [B, H, W, C]`, any H and W.

    Args:
        num_heads: Attention heads.
        stride: Stride of the convolutions that make keys and values, so that every token attends to
            `ceil(H/stride)·ceil(W/stride)` others. CvT has 2.
        **kwargs: The other arguments of `pale_tf.layers.attention.Attention`.

    Raises:
        ValueError: If an argument is out of range, or there is a stride and no convolution.
    """

    def __init__(self, num_heads, stride=1, **kwargs):
        super().__init__(num_heads, **kwargs)
        self.stride = check_positive_int("stride", stride)
        if self.stride > 1 and self.projection != "separable":
            raise ValueError(
                "`stride` must be 1 without convolutions. "
                f"Received: {stride}, with `projection` {self.projection!r}"
            )

    def strides_of(self, name):
        return 1 if name == "query" else self.stride

    def attend(self, query, key, value, training=None):
        _, height, width, _ = ops.shape(query)
        # One group of columns is the whole map: [B, heads, H·W, D].
        grouped = (partition.group_columns(x, 1, self.num_heads) for x in (query, key, value))
        outputs = self.softmax_attention(*grouped, training=training)
        return partition.ungroup_columns(outputs, height, width, 1, self.num_heads)

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}


def global_attention(place, **options):
    """The same in all blocks."""
    return GlobalAttention(**options)
