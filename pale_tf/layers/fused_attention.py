"""The inference form of PS-Attention."""

import keras

from pale_tf.layers.attention import PSAttention


@keras.saving.register_keras_serializable(package="pale_tf")
class FusedPSAttention(PSAttention):
    """`PSAttention` whose BatchNorms and scale are part of its point-wise kernels.

    `pale_tf.fuse` makes it from a trained layer. Arguments are those of `PSAttention`.
    """

    normalize = False

    def _project(self, inputs, training):
        return self.query(inputs), self.key(inputs), self.value(inputs)
