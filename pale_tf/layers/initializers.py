"""Initializers of the networks' kernels. Each layer takes a clone."""

import keras

# Of point-wise kernels. Swin and CSWin start from it; the paper does not say.
KERNEL_INITIALIZER = keras.initializers.TruncatedNormal(stddev=0.02)

# Of the convolutions of decoders (He et al. 2015), as mmsegmentation and mmdetection start.
CONVOLUTION_INITIALIZER = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")

# Of the layer that gives class scores in a decoder, as in mmsegmentation.
SCORES_INITIALIZER = keras.initializers.RandomNormal(stddev=0.01)

# Of the convolutions of a detector's pyramid (mmdetection's Xavier initialization).
PYRAMID_INITIALIZER = keras.initializers.GlorotUniform()
