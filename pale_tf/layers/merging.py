"""Overlapping patch merging: what opens each stage."""

import keras

from pale_tf.layers.folding import SCALE, Foldable, fold_affine, own_weights
from pale_tf.layers.normalization import LayerNorm


@keras.saving.register_keras_serializable(package="pale_tf")
class OverlappingMerging(Foldable, keras.layers.Layer):
    """A strided convolution whose kernel is wider than its stride, then LayerNorm.

    `[B, H, W, C] -> [B, ceil(H/strides), ceil(W/strides), filters]`. The padding is
    `kernel_size // 2` on every side, whatever the size of the map ("same" padding would shift the
    kernels by up to `strides - 1` pixels between even and odd sizes).

    Args:
        filters: Output channels.
        kernel_size: Width of the kernel, odd: 7 in the first stage, 3 in the others.
        strides: Stride: 4 in the first stage, 2 in the others.

    Raises:
        ValueError: If the kernel is even or no wider than its stride.
    """

    absorbs = SCALE  # no shift: the padding is not shifted

    def __init__(self, filters, kernel_size, strides, **kwargs):
        super().__init__(**kwargs)
        if kernel_size % 2 == 0 or kernel_size <= strides:
            raise ValueError(
                "`kernel_size` must be odd and larger than `strides`, so that patches overlap. "
                f"Received: kernel_size={kernel_size}, strides={strides}"
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides

    def build(self, input_shape):
        self.padding = keras.layers.ZeroPadding2D(
            self.kernel_size // 2,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name="padding",
        )
        self.convolution = keras.layers.Conv2D(
            self.filters,
            self.kernel_size,
            strides=self.strides,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name="convolution",
        )
        self.norm = LayerNorm(dtype=self.dtype_policy, name="norm")
        self.convolution.build(self.padding.compute_output_shape(input_shape))
        self.norm.build(self.compute_output_shape(input_shape))
        self.built = True

    def call(self, inputs):
        return self.norm(self.convolution(self.padding(inputs)))

    def fused_weights(self, scale=None, shift=None):
        weights = own_weights(self)
        if scale is not None:
            fold_affine(weights, "convolution/", scale)
        return weights

    def compute_output_shape(self, input_shape):
        batch, *size, _ = input_shape
        size = (None if n is None else (n - 1) // self.strides + 1 for n in size)
        return (batch, *size, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
        }
