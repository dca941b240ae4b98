"""Preparation of an image for evaluation; training, prediction and export do the same."""

import tensorflow as tf

from common.errors import SettingError
from common.orientation import reversed_axes, turn
from pale_tf.backbone import IMAGE_MEAN

WHOLE_PIXELS = 2**20  # of a whole image, as a network gets it: bounds the memory of dense outputs
SHORT_SIDE, LONG_SIDE = 800, 1333  # of a detector's images, in pixels, as mmdetection has them
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


def whole_size(sides, short_side=None, scale=1.0, most=None):
    """Height and width in which a network of images of any size gets a whole image.

    Args:
        sides: Height and width of the image, integers `[2]`.
        short_side: Of the result, in pixels, unless the long side would get more than `LONGEST`
            times as many; None for the image's own size.
        scale: A further factor.
        most: Pixels of the result at most, about, and `LONGEST * sqrt(most)` along a side; None for
            any number.

    Returns:
        int32 `[2]`, at least 1.
    """
    sides = tf.cast(sides, tf.float64)
    if short_side is not None:
        shorter, longer = tf.reduce_min(sides), tf.reduce_max(sides)
        sides *= tf.minimum(short_side / shorter, LONGEST * short_side / longer)
    sides *= tf.cast(scale, tf.float64)
    if most is not None:
        sides *= tf.minimum(tf.sqrt(most / tf.reduce_prod(sides)), 1.0)
        # Of a thin image, too: what lies along the long side attends to all of it.
        sides = tf.minimum(sides, LONGEST * most**0.5)
    return tf.cast(tf.maximum(tf.round(sides), 1.0), tf.int32)


def whole_image(image, short_side=None, orientation=1):
    """Scales a whole image to `whole_size`, `WHOLE_PIXELS` at most, with antialiasing; turns it.

    Args:
        image: `[H, W, 1]` or `[H, W, 3]`, any real dtype, values in 0..255.
        short_side: As in `whole_size`.
        orientation: How to turn the image, as in `common.orientation.turn`.

    Returns:
        float32 `[h, w, 3]`.
    """
    size = whole_size(tf.shape(image)[:2], short_side, most=WHOLE_PIXELS)
    return _scaled(image, size, orientation)


def scaled_size(sides, short_side, long_side):
    """Height and width in which a detector gets a whole image.

    Args:
        sides: Height and width of the image, int32 `[2]`.
        short_side, long_side: Of the result at most, in pixels: one of them is reached. None for
            the image's own size.

    Returns:
        int32 `[2]`, at least 1.
    """
    if short_side is None:
        return sides
    sides = tf.cast(sides, tf.float64)
    scale = tf.minimum(
        tf.cast(short_side, tf.float64) / tf.reduce_min(sides), long_side / tf.reduce_max(sides)
    )
    return tf.cast(tf.maximum(tf.round(sides * scale), 1.0), tf.int32)


def scaled_image(image, short_side, long_side, orientation=1):
    """Scales a whole image to `scaled_size`, with antialiasing, and turns it.

    Args:
        image: `[H, W, 1]` or `[H, W, 3]`, any real dtype, values in 0..255.
        short_side, long_side: As in `scaled_size`.
        orientation: How to turn the image, as in `common.orientation.turn`.

    Returns:
        float32 `[h, w, 3]`.
    """
    return _scaled(image, scaled_size(tf.shape(image)[:2], short_side, long_side), orientation)


def fitted_size(sides, size):
    """Height and width, int32 `[2]`, of an image whose longer side is scaled to `size`."""
    sides = tf.cast(sides, tf.float64)
    scaled = tf.round(sides * size / tf.reduce_max(sides))
    return tf.cast(tf.maximum(scaled, 1.0), tf.int32)


def fitted_image(image, size, orientation=1):
    """Fits a whole image into a square: scales its longer side, with antialiasing, and turns it.

    Args:
        image: `[H, W, 1]` or `[H, W, 3]`, any real dtype, values in 0..255.
        size: Height and width of the square, in pixels.
        orientation: How to turn the image, as in `common.orientation.turn`.

    Returns:
        float32 `[size, size, 3]`: the image at the top left, ImageNet's mean below or beside it.
    """
    scaled = _scaled(image, fitted_size(tf.shape(image)[:2], size), orientation)
    height, width, _ = tf.unstack(tf.shape(scaled))
    margins = ((0, size - height), (0, size - width), (0, 0))
    outside = tf.pad(tf.zeros_like(scaled), margins, constant_values=1.0)
    fitted = tf.pad(scaled, margins) + outside * tf.constant(IMAGE_MEAN, tf.float32)
    return tf.ensure_shape(fitted, (size, size, 3))


def _scaled(image, size, orientation):
    """An image in another size, then turned: float32 `[h, w, 3]`."""
    scaled = tf.image.resize(image, size, antialias=True)
    return turn(tf.broadcast_to(scaled, (*tf.unstack(size), 3)), orientation)


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


def short_side_of(recipe):
    """The `short_side` of a run's recipe, see `whole_size`; None if its task has none.

    Raises:
        SettingError: If it is no number of pixels.
    """
    short = recipe["settings"].get("short_side")
    if short is not None and (type(short) is not int or short < 1):
        raise SettingError(
            f"the run's `short_side` must be a number of pixels, or null. Received: {short!r}"
        )
    return short


def scaled_sides_of(recipe):
    """The short and the long side, see `scaled_size`, of a detector's images in tests.

    Raises:
        SettingError: If the run's recipe has none.
    """
    settings = recipe["settings"]
    short = settings.get("short_sides", (SHORT_SIDE, SHORT_SIDE))
    long = settings.get("long_side", LONG_SIDE)
    if not isinstance(short, list | tuple) or len(short) != 2:
        raise SettingError(f"the run's `short_sides` must be two numbers. Received: {short!r}")
    sides = (short[1], long)
    if not all(type(side) is int for side in sides) or not 0 < sides[0] <= sides[1]:
        raise SettingError(
            "the run's `short_sides` must end in a number of pixels, at most its `long_side`. "
            f"Received: {short!r} with {long!r}"
        )
    return sides
