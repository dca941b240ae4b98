"""Initializer that the networks give to their point-wise kernels."""

import keras

# Swin and CSWin start from it; the paper does not say. Each layer takes a clone.
KERNEL_INITIALIZER = keras.initializers.TruncatedNormal(stddev=0.02)
