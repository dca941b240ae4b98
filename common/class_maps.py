"""Whole images to a network of pixels, and its scores back to classes, in TensorFlow's graph."""

import tensorflow as tf

from common.orientation import upright_sides
from common.preparation import fitted_image, fitted_size, whole_image

BYTE = 256  # classes that a byte tells apart
STRIP = 2**24  # scores that are resized at once


def network_image(image, size, short_side, orientation=1):
    """An image as the network gets it, and how much of that, from the top left, is the image.

    Args:
        image: `[H, W, 3]`.
        size: Height and width of the network's images, which the image is fitted into; None for a
            network that takes the whole image in any size.
        short_side: As in `whole_image`.
        orientation: As in `whole_image`.

    Returns:
        float32 `[h, w, 3]`, and int32 `[2]`.
    """
    if size is None:
        whole = whole_image(image, short_side, orientation)
        return whole, tf.shape(whole)[:2]
    region = fitted_size(tf.shape(image)[:2], size)
    return fitted_image(image, size, orientation), upright_sides(region, orientation)


def best_class(scores):
    """The index of the largest number of the last axis: uint8, or int32 if there are too many
    classes for a byte."""
    dtype = tf.uint8 if scores.shape[-1] <= BYTE else tf.int32
    # Keras' arg-max takes care of the sign of zeros, for which LiteRT has no operation.
    return tf.cast(tf.argmax(scores, axis=-1, output_type=tf.int32), dtype)


def resized_classes(scores, size):
    """The best class of each pixel of scores that are resized, bilinear without antialiasing.

    One strip after the other is resized, for an image may be far larger than what a network sees.

    Args:
        scores: float32 `[h, w, classes]`.
        size: int32 `[2]`, height and width of the result.

    Returns:
        `[height, width]`, of the dtype of `best_class`.
    """
    wide = size[1] > size[0]

    def turned(x):
        axes = (1, 0, 2)[: x.shape.rank]
        return tf.cond(wide, lambda: tf.transpose(x, axes), lambda: x)

    scores, (height, width) = turned(scores), tf.unstack(tf.where(wide, size[::-1], size))
    scale = tf.cast((height, width), tf.float32) / tf.cast(tf.shape(scores)[:2], tf.float32)
    rows = tf.minimum(tf.maximum(STRIP // (width * scores.shape[-1]), 1), height)

    def strip(first):
        part = tf.raw_ops.ScaleAndTranslate(
            images=scores[None],
            size=tf.stack((rows, width)),
            scale=scale,
            translation=tf.stack((-tf.cast(first, tf.float32), 0.0)),
            kernel_type="triangle",
            antialias=False,
        )
        return best_class(part[0])

    dtype = best_class(scores[:1, :1]).dtype
    signature = tf.TensorSpec((None, None), dtype)
    strips = tf.map_fn(
        strip, tf.range(0, height, rows), parallel_iterations=1, fn_output_signature=signature
    )
    return turned(tf.reshape(strips, (-1, width))[:height])
