"""LayerNorm, and the constants of the norms. The paper gives none; these are PyTorch's defaults,
which Swin, CvT and CSWin use (Keras' own differ)."""

import keras
from keras import ops

from pale_tf.tokens import to_map, to_tokens

LAYER_NORM_EPSILON = 1e-5
BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_MOMENTUM = 0.9


@keras.saving.register_keras_serializable(package="pale_tf")
class LayerNorm(keras.layers.LayerNormalization):
    """`keras.layers.LayerNormalization` over the channels: the same numbers in a third of the time.

    Keras multiplies deviation and affine part first, into one more tensor of the size of the map,
    and broadcasts over four axes. Computed in float32 under every dtype policy, as Keras does.
    """

    def __init__(self, epsilon=LAYER_NORM_EPSILON, **kwargs):
        super().__init__(epsilon=epsilon, **kwargs)

    def call(self, inputs):
        x = ops.cast(to_tokens(inputs), "float32")
        x -= ops.mean(x, axis=-1, keepdims=True)
        x *= ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + self.epsilon)
        if self.scale:
            x *= ops.cast(self.gamma, "float32")
        if self.center:
            x += ops.cast(self.beta, "float32")
        return to_map(ops.cast(x, self.compute_dtype), inputs)
