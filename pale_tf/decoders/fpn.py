"""The feature pyramid of detectors (Lin et al. 2017), as mmdetection builds it."""

import keras

from pale_tf.layers.initializers import PYRAMID_INITIALIZER
from pale_tf.layers.resizing import Doubling


def feature_pyramid(levels, channels):
    """Gives all levels of a pyramid the same channels, and each what the coarser ones know.

    Args:
        levels: Dict of Keras tensors `"P2"` to `"P5"`, each half as large as the one before.
        channels: Channels of every level; 256 in the paper.

    Returns:
        Dict of Keras tensors `"P2"` to `"P6"`, `[B, H/s, W/s, channels]` at strides 4 to 64.
    """
    found, top = {}, None
    for level in ("P5", "P4", "P3", "P2"):
        x = convolution(channels, 1, f"lateral_{level}")(levels[level])
        if top is not None:
            top = Doubling(name=f"top_down_{level}")(top)
            x = keras.layers.Add(name=f"sum_{level}")([x, top])
        top = x
        found[level] = convolution(channels, 3, f"fpn_{level}")(x)
    found["P6"] = keras.layers.MaxPooling2D(
        1, 2, padding="same", data_format="channels_last", name="fpn_P6"
    )(found["P5"])
    return {level: found[level] for level in ("P2", "P3", "P4", "P5", "P6")}


def convolution(
    filters, kernel_size, name, activation=None, initializer=PYRAMID_INITIALIZER, dtype=None
):
    """A convolution with a bias, padded with zeros."""
    return keras.layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        activation=activation,
        data_format="channels_last",
        kernel_initializer=initializer.clone(),
        dtype=dtype,
        name=name,
    )
