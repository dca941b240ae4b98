"""Masks: PNG files whose pixels are classes, decoded and guarded against files that are none."""

import contextlib
import io

import numpy as np
import tensorflow as tf
from PIL import Image

from common.limits import MAX_PIXELS, is_bearable, is_png
from common.orientation import read_bytes
from training.data.decoding import or_blank

IGNORED = 255  # the class of pixels that are neither trained nor scored
NO_CLASS = -1  # in a table: no pixel has this value
MAX_CLASSES = IGNORED  # as many fit below it

_IHDR = tuple(b"IHDR")
_PALETTE = 3  # PNG's color types; a bit says that there are colors
_COLORS = 2


def decode_mask(encoded, table):
    """Decodes the classes of pixels.

    Any bytes may come, and none raises an error.

    Args:
        encoded: Scalar string, a PNG as `mask_values` reads it.
        table: Integers by the value of a pixel: the index of a class, `IGNORED` or `NO_CLASS`. A
            value beyond its end is no class either.

    Returns:
        uint8 `[h, w]`, indices of classes or `IGNORED`, and whether the mask could be read. If not,
        for instance because a value is no class, it is one pixel that is `IGNORED`.
    """
    values, readable = mask_values(encoded)
    table = tf.concat([tf.cast(table, tf.int32), [NO_CLASS]], axis=0)
    classes = tf.gather(table, tf.minimum(values, tf.size(table) - 1))
    return tf.cond(
        readable & tf.reduce_all(classes != NO_CLASS),
        lambda: (tf.cast(classes, tf.uint8), True),
        lambda: (tf.fill((1, 1), tf.constant(IGNORED, tf.uint8)), False),
    )


def mask_values(encoded):
    """Reads the integers that a PNG stores: indices of a palette, or shades of gray as they are.

    An alpha channel and transparent colors are passed over. Three equal channels are gray.

    Args:
        encoded: Scalar string.

    Returns:
        int32 `[h, w]`, values in 0..65535, and whether there are any: not for what is no PNG, is
        broken, colored, or too costly by `common.limits`. They are one 0 then.
    """
    head = read_bytes(encoded, 0, 26)
    # The size that is bounded is that of the first chunk, which must be the header.
    bearable = is_png(encoded) & tf.reduce_all(head[12:16] == _IHDR) & is_bearable(encoded)
    color = head[25]
    blank = tf.zeros((1, 1), tf.int32)

    def indices():
        content = tf.io.decode_raw(encoded, tf.uint8)  # NumPy has no scalar strings that end in 0
        values, readable = tf.numpy_function(_indices, [content], (tf.uint8, tf.bool))
        return tf.cast(values, tf.int32), readable

    def decode(channels):
        pixel = tf.zeros((1, 1, channels), tf.int32)
        values, decoded = or_blank(lambda encoded: _stored(encoded, channels), encoded, pixel)
        return values[..., 0], decoded & tf.reduce_all(values == values[..., :1])

    def shades():
        return tf.cond(color & _COLORS == 0, lambda: decode(1), lambda: decode(3))

    values, readable = tf.cond(
        bearable,
        lambda: tf.cond(color == _PALETTE, indices, shades),
        lambda: (blank, False),
    )
    readable = tf.ensure_shape(readable, ())
    values = tf.cond(readable, lambda: values, lambda: blank)
    return tf.ensure_shape(values, (None, None)), readable


def _stored(encoded, channels):
    """The values of a PNG without a palette: int32 `[h, w, channels]`.

    TensorFlow spreads fewer than 16 bits over 16, of which the highest are those of the file.
    """
    spread = tf.io.decode_png(encoded, channels, tf.uint16)
    depth = read_bytes(encoded, 24, 1)[0]
    return tf.cast(tf.bitwise.right_shift(spread, tf.cast(16 - depth, tf.uint16)), tf.int32)


def _indices(content):
    """Decodes the bytes of a PNG with a palette, uint8 `[n]`, to its indices, uint8 `[h, w]`, and
    says whether that was possible.

    TensorFlow knows the colors of the palette alone, of which two may be equal.
    """
    # Errors are of many kinds, and none of them may leave a graph.
    with contextlib.suppress(Exception), Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        # Of several headers, Pillow takes the last one.
        if image.mode == "P" and image.width * image.height <= MAX_PIXELS:
            return np.asarray(image), np.True_
    return np.zeros((1, 1), "uint8"), np.False_
