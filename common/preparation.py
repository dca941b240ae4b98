"""Preparation of an image for evaluation; training, prediction and export do the same."""

import tensorflow as tf

from common.errors import SettingError


def evaluation_image(image, size, crop_fraction=1.0):
    """Scales the short side of an image to `size / crop_fraction` and crops the center.

    Args:
        image: `[H, W, 1]` or `[H, W, 3]`, any real dtype, values in 0..255.
        size: Height and width of the result, in pixels.
        crop_fraction: Part of the short side that the crop keeps.

    Returns:
        float32 `[size, size, 3]`.
    """
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    short = round(size / crop_fraction)
    scale = short / tf.minimum(height, width)
    scaled = tf.cast(tf.round(tf.cast((height, width), scale.dtype) * scale), tf.int32)
    image = tf.image.resize(image, tf.maximum(scaled, short), antialias=True)
    image = tf.image.resize_with_crop_or_pad(image, size, size)
    return tf.broadcast_to(image, (size, size, 3))


def crop_fraction_of(recipe):
    """The `crop_fraction` of a run's recipe; 1, the whole short side, if its task has none.

    Raises:
        SettingError: If it is no part of an image.
    """
    fraction = recipe["settings"].get("crop_fraction", 1.0)
    if not isinstance(fraction, int | float) or not 0 < fraction <= 1:
        raise SettingError(
            f"the run's `crop_fraction` must be a number above 0, at most 1. Received: {fraction!r}"
        )
    return fraction
