"""Patches that do not overlap: Liu et al. 2021, Swin Transformer, section 3.1."""

import keras
from keras import ops

from pale_tf.checks import check_positive_int
from pale_tf.layers.folding import SCALE, Foldable, fold_affine, own_weights
from pale_tf.layers.normalization import LayerNorm
from pale_tf.sizes import ceil_div, pad_to_windows
from pale_tf.tokens import on_tokens


@keras.saving.register_keras_serializable(package="pale_tf")
class PatchEmbedding(Foldable, keras.layers.Layer):
    """A convolution as wide as its stride, then LayerNorm: `[B, H, W, C]` to
    `[B, ceil(H/size), ceil(W/size), filters]`. Zeros are appended to what `size` does not divide.

    Args:
        filters: Output channels.
        size: Width of a patch.
    """

    absorbs = SCALE  # no shift: the padding is not shifted

    def __init__(self, filters, size=4, **kwargs):
        super().__init__(**kwargs)
        self.filters = check_positive_int("filters", filters)
        self.size = check_positive_int("size", size)

    def build(self, input_shape):
        self.convolution = keras.layers.Conv2D(
            self.filters,
            self.size,
            strides=self.size,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name="convolution",
        )
        self.norm = LayerNorm(dtype=self.dtype_policy, name="norm")
        # A map smaller than a patch is padded.
        self.convolution.build((None, None, None, input_shape[-1]))
        self.norm.build((*input_shape[:-1], self.filters))
        self.built = True

    def call(self, inputs):
        return self.norm(self.convolution(pad_to_windows(inputs, (self.size, self.size))))

    def fused_weights(self, scale=None, shift=None):
        weights = own_weights(self)
        if scale is not None:
            fold_affine(weights, "convolution/", scale)
        return weights

    def compute_output_shape(self, input_shape):
        return _merged_shape(input_shape, self.size, self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "size": self.size}


@keras.saving.register_keras_serializable(package="pale_tf")
class PatchMerging(Foldable, keras.layers.Layer):
    """Joins the channels of 2×2 tokens, LayerNorm, then a point-wise layer without bias:
    `[B, H, W, C]` to `[B, ceil(H/2), ceil(W/2), filters]`. Zeros are appended to odd sizes.

    The four tokens are joined row by row. (Swin's published code joins them column by column, which
    is the same up to the order of weights.)

    Args:
        filters: Output channels.
        kernel_initializer: Initializer of the kernel.
    """

    def __init__(self, filters, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.filters = check_positive_int("filters", filters)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.norm = LayerNorm(dtype=self.dtype_policy, name="norm")
        self.pointwise = keras.layers.Dense(
            self.filters,
            use_bias=False,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name="pointwise",
        )
        joined = (*input_shape[:-1], 4 * input_shape[-1])
        self.norm.build(joined)
        self.pointwise.build(joined)
        self.built = True

    def call(self, inputs):
        x = pad_to_windows(inputs, (2, 2))
        _, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (-1, 2, width // 2, 2 * channels))  # [B·H/2, 2, W/2, 2C]
        x = ops.transpose(x, (0, 2, 1, 3))  # [B·H/2, W/2, 2, 2C]
        x = ops.reshape(x, (-1, height // 2, width // 2, 4 * channels))
        return on_tokens(self.pointwise, self.norm(x))

    def compute_output_shape(self, input_shape):
        return _merged_shape(input_shape, 2, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _merged_shape(shape, size, filters):
    batch, *spatial, _ = shape
    return (batch, *(None if n is None else ceil_div(n, size) for n in spatial), filters)
