"""Preparation of an image for evaluation; training, prediction and export do the same."""

import tensorflow as tf

from common.errors import SettingError
from common.orientation import reversed_axes, turn

LONGEST = 4  # short sides in the long side of a whole image: ADE20K's 2048 × 512 pixels


def evaluation_image(image, size, crop_fraction=1.0, orientation=1):
    """Scales the short side of an image to `size / crop_fraction`, crops the center, and turns it.

    As `tf.image.resize` with antialiasing and a central crop do, but nothing outside the crop is
    computed: the scaled long side of a thin image may have millions of pixels.

    Args:
        image: `[H, W, 1]` or `[H, W, 3]`, any real dtype, values in 0..255.
        size: Height and width of the result, in pixels.
        crop_fraction: Part of the short side that the crop keeps.
        orientation: How to turn the image, as in `common.orientation.turn`. Turning the result
            takes less memory than turning the image.

    Returns:
        float32 `[size, size, 3]`.
    """
    sides = tf.cast(tf.shape(image)[:2], tf.float64)
    short = round(size / crop_fraction)
    scaled = tf.maximum(tf.round(sides * short / tf.reduce_min(sides)), short)
    scale = scaled / sides
    # The odd pixel of an axis is cut off where it is the last one after turning.
    margin = scaled - size
    begin = tf.where(reversed_axes(orientation), tf.math.ceil(margin / 2), margin // 2)
    reach = tf.maximum(1.0 / scale, 1.0) + 1.0  # more than the kernel's radius, in pixels
    first = tf.maximum(tf.floor(begin / scale - reach), 0.0)
    last = tf.minimum(tf.math.ceil((begin + size) / scale + reach), sides)
    # Cropping copies: it pays only if it drops more than half of an axis.
    whole = 2.0 * (last - first) > sides
    first, last = tf.where(whole, tf.zeros_like(first), first), tf.where(whole, sides, last)
    y, x, end_y, end_x = tf.unstack(tf.cast(tf.concat([first, last], 0), tf.int32))
    crop = tf.raw_ops.ScaleAndTranslate(
        images=image[None, y:end_y, x:end_x],
        size=(size, size),
        scale=tf.cast(scale, tf.float32),
        translation=tf.cast(first * scale - begin, tf.float32),
        kernel_type="triangle",
        antialias=True,
    )
    return turn(tf.broadcast_to(crop[0], (size, size, 3)), orientation)


def whole_size(shape, short_side=None, scale=1.0):
    """Height and width that a whole image is scaled to, for networks that take any size.

    Args:
        shape: Height and width, int32 `[2]`.
        short_side: Of the result, in pixels, unless the long side would get more than `LONGEST`
            times as many; None for the image's own size.
        scale: A further factor.

    Returns:
        int32 `[2]`, at least 1.
    """
    sides = tf.cast(shape, tf.float32)
    if short_side is not None:
        scale *= tf.minimum(
            short_side / tf.reduce_min(sides), LONGEST * short_side / tf.reduce_max(sides)
        )
    return tf.maximum(tf.cast(tf.round(sides * scale), tf.int32), 1)


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
