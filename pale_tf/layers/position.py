"""Position encodings: conditional (CPE), which the Pale Transformer takes, and absolute."""

import keras
from keras import ops

from pale_tf.checks import check_pair
from pale_tf.interpolation import resize_weights
from pale_tf.layers.folding import Foldable
from pale_tf.sizes import equal


@keras.saving.register_keras_serializable(package="pale_tf")
class ConditionalPositionEncoding(Foldable, keras.layers.Layer):
    """Adds a 3×3 depth-wise convolution of the input to it: `[B, H, W, C] -> [B, H, W, C]`.

    The zero padding of the convolution is what tells tokens where they are (Chu et al. 2021); it
    knows no fixed size. Opens every block of the Pale Transformer (Wu et al. 2022, section 3.3).
    """

    def build(self, input_shape):
        self.depthwise = keras.layers.DepthwiseConv2D(
            3,
            padding="same",
            data_format="channels_last",
            use_bias=False,
            dtype=self.dtype_policy,
            name="depthwise",
        )
        self.depthwise.build(input_shape)
        self.bias = self.add_weight(shape=input_shape[-1:], initializer="zeros", name="bias")
        self.built = True

    def call(self, inputs):
        # The bias comes last: on TensorFlow's CPU build, grappler makes an operation without a
        # name of convolution + bias + residual, and then drops every fusion of the graph.
        return inputs + self.depthwise(inputs) + self.bias

    def no_weight_decay(self):
        return [self.depthwise.kernel]

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="pale_tf")
class AbsolutePositionEncoding(Foldable, keras.layers.Layer):
    """Adds a learned map to the input: `[B, H, W, C] -> [B, H, W, C]`.

    Maps of another size get the learned one interpolated bilinearly, ends on ends.

    Args:
        size: `(h, w)` of the learned map. The default is that of the first stage for 224×224.
    """

    def __init__(self, size=(56, 56), **kwargs):
        super().__init__(**kwargs)
        self.size = check_pair("size", size)

    def build(self, input_shape):
        self.map = self.add_weight(
            shape=(*self.size, input_shape[-1]),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            autocast=False,  # interpolated in float32
            name="map",
        )
        self.built = True

    def call(self, inputs):
        _, height, width, channels = ops.shape(inputs)
        rows, columns = self.size
        x = ops.reshape(ops.cast(self.map, "float32"), (rows, columns * channels))
        if not equal(height, rows):
            x = ops.matmul(resize_weights(height, rows), x)  # [H, w·C]
        x = ops.transpose(ops.reshape(x, (height, columns, channels)), (1, 0, 2))
        if not equal(width, columns):
            x = ops.reshape(x, (columns, height * channels))
            x = ops.matmul(resize_weights(width, columns), x)  # [W, H·C]
        x = ops.transpose(ops.reshape(x, (width, height, channels)), (1, 0, 2))
        return inputs + ops.cast(x, inputs.dtype)

    def no_weight_decay(self):
        return [self.map]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size}
