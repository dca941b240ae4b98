"""The separable convolution that makes queries, keys and values."""

import keras
from keras import ops

from pale_tf.checks import check_positive_int
from pale_tf.layers.folding import Foldable, fold_affine, own_weights, pop_batch_norm
from pale_tf.layers.normalization import BatchNorm
from pale_tf.sizes import ceil_div
from pale_tf.tokens import on_tokens


@keras.saving.register_keras_serializable(package="pale_tf")
class SeparableProjection(Foldable, keras.layers.Layer):
    """3×3 depth-wise convolution -> BatchNorm -> point-wise, of a map `[B, H, W, C]`:
    `[B, ceil(H/strides), ceil(W/strides), D]`.

    The separable convolution of CvT (Wu et al. 2021, section 3.2), in its order; the depth-wise
    convolution has no bias, for BatchNorm brings one.

    Args:
        kernel_initializer: Initializer of the point-wise kernel.
        normalize: Whether there is a BatchNorm. In inference it can be part of the point-wise
            layer.
        units: `D`; None for `C`.
        strides: Stride of the convolution. Its padding is one token on every side.
    """

    def __init__(
        self,
        kernel_initializer="glorot_uniform",
        normalize=True,
        units=None,
        strides=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.strides = check_positive_int("strides", strides)
        self.normalize = normalize
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.depthwise = keras.layers.DepthwiseConv2D(
            3,
            strides=self.strides,
            # With a stride, "same" padding would shift the kernels between even and odd sizes.
            padding="same" if self.strides == 1 else "valid",
            data_format="channels_last",
            use_bias=False,
            dtype=self.dtype_policy,
            name="depthwise",
        )
        if self.normalize:
            self.norm = BatchNorm(dtype=self.dtype_policy, name="norm")
            self.norm.build(input_shape)
        self.pointwise = keras.layers.Dense(
            self.units or input_shape[-1],
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name="pointwise",
        )
        self.depthwise.build((None, None, None, input_shape[-1]))  # the map is padded before it
        self.pointwise.build(input_shape)
        self.built = True

    def call(self, inputs, training=None):
        if self.strides > 1:
            inputs = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
        x = self.depthwise(inputs)
        if self.normalize:
            x = self.norm(x, training=training)
        return on_tokens(self.pointwise, x)

    def fused_config(self):
        return {**self.get_config(), "normalize": False}

    def fused_weights(self, scale=None, shift=None):
        weights = own_weights(self)
        if self.normalize:
            fold_affine(weights, "pointwise/", *pop_batch_norm(weights, "norm/", self.norm.epsilon))
        return weights

    def compute_output_shape(self, input_shape):
        batch, *size, channels = input_shape
        size = (None if n is None else ceil_div(n, self.strides) for n in size)
        return (batch, *size, self.units or channels)

    def get_config(self):
        return {
            **super().get_config(),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "normalize": self.normalize,
            "units": self.units,
            "strides": self.strides,
        }
