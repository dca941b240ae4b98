"""Resizing and pooling of maps to sizes that other maps, or nobody, give."""

import keras
from keras import ops

from pale_tf.checks import check_positive_int
from pale_tf.interpolation import pooling_weights
from pale_tf.sizes import equal


@keras.saving.register_keras_serializable(package="pale_tf")
class ResizeLike(keras.layers.Layer):
    """Bilinear interpolation to the size of another map: `[B, h, w, C]` and `[B, H, W, …]` to
    `[B, H, W, C]`. Half-pixel centers, no antialiasing (PyTorch's `align_corners=False`)."""

    def call(self, inputs):
        x, like = inputs
        old, new = ops.shape(x)[1:3], ops.shape(like)[1:3]
        if all(equal(a, b) for a, b in zip(old, new, strict=True)):
            return x
        return resize(x, new)

    def compute_output_shape(self, input_shape):
        x, like = input_shape
        return (x[0], *like[1:3], x[-1])


@keras.saving.register_keras_serializable(package="pale_tf")
class Doubling(keras.layers.Layer):
    """Each entry of a map four times, as a square: `[B, H, W, C]` to `[B, 2H, 2W, C]`. No tensor
    has more than four dimensions, unlike those of Keras' `UpSampling2D`."""

    def call(self, inputs):
        _, height, width, channels = ops.shape(inputs)
        x = ops.concatenate([inputs, inputs], axis=-1)  # beside itself: [B, H, W, 2C]
        x = ops.reshape(x, (-1, height, 2 * width * channels))
        x = ops.concatenate([x, x], axis=-1)  # below itself
        return ops.reshape(x, (-1, 2 * height, 2 * width, channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, height and 2 * height, width and 2 * width, channels)


def resize(x, size):
    """Bilinear interpolation, `[B, h, w, C]` to `[B, *size, C]`, as in `ResizeLike`.

    Args:
        x: Maps.
        size: Height and width; integers or, with TensorFlow, integer tensors.
    """
    if all(isinstance(side, int) for side in size):
        return ops.image.resize(
            x, size, interpolation="bilinear", antialias=False, data_format="channels_last"
        )
    import tensorflow as tf  # the one backend with sizes that a graph does not know

    # Keras' operation compares sizes with 0 in Python, which a graph does not allow.
    return ops.cast(tf.image.resize(x, size), x.dtype)


@keras.saving.register_keras_serializable(package="pale_tf")
class AdaptiveAveragePooling(keras.layers.Layer):
    """Means over a fixed number of windows, whatever the size of the map: `[B, H, W, C]` to
    `[B, bins, bins, C]`. The windows are those of `pale_tf.interpolation.pooling_weights`. Computed
    in float32 under every dtype policy.

    Args:
        bins: Number of windows along each side.
    """

    def __init__(self, bins, **kwargs):
        super().__init__(**kwargs)
        self.bins = check_positive_int("bins", bins)

    def call(self, inputs):
        _, height, width, channels = ops.shape(inputs)
        x = ops.reshape(ops.cast(inputs, "float32"), (-1, height, width * channels))
        x = ops.matmul(ops.expand_dims(pooling_weights(self.bins, height), 0), x)
        x = ops.reshape(x, (-1, width, channels))  # [B·bins, W, C]
        x = ops.matmul(ops.expand_dims(pooling_weights(self.bins, width), 0), x)
        x = ops.reshape(x, (-1, self.bins, self.bins, channels))
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.bins, self.bins, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "bins": self.bins}
