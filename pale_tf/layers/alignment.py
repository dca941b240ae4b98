"""Inter-scale alignment of two streams (Mao et al. 2021, Dual-stream Network, section 3.3)."""

import keras
from keras import ops

from pale_tf.layers.cross_attention import CrossAttention, flat

STREAMS = ("local", "global")


@keras.saving.register_keras_serializable(package="pale_tf")
class InterScaleAlignment(CrossAttention):
    """Lets each of two maps attend to the other one, at once.

    `[B, H, W, C]` and `[B, h, w, C]`, in a list, to two maps of the same shapes: what each of them
    receives, after a layer of its own.
    """

    def build(self, input_shape):
        for stream, (*_, channels) in zip(STREAMS, input_shape, strict=True):
            for part in ("query", "key", "value", "output"):
                name = f"{stream}_{part}"
                setattr(self, name, self.dense(channels, channels, name))
        self.built = True

    def call(self, inputs):
        streams = dict(zip(STREAMS, map(flat, inputs), strict=True))
        outputs = []
        for stream, other, x in zip(STREAMS, STREAMS[::-1], inputs, strict=True):
            query = getattr(self, f"{stream}_query")(streams[stream])
            key, value = (
                getattr(self, f"{other}_{part}")(streams[other]) for part in ("key", "value")
            )
            found = getattr(self, f"{stream}_output")(self.attend(query, key, value))
            outputs.append(ops.reshape(found, ops.shape(x)))
        return tuple(outputs)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)
