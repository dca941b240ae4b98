"""Conditional position encoding (CPE)."""

import keras


@keras.saving.register_keras_serializable(package="pale_tf")
class ConditionalPositionEncoding(keras.layers.Layer):
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

    def compute_output_shape(self, input_shape):
        return input_shape
