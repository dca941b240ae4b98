"""Random slants of strokes and widths of them, as functions of a seed."""

import tensorflow as tf


def slant_and_stretch(images, seed, slant=0.0, stretch=0.0):
    """Shears every image to the side and changes its width at random; outside is black.

    Both are drawn evenly between the largest change and its opposite.

    Args:
        images: float32 `[B, H, W, C]`.
        seed: Integer tensor `[2]`.
        slant: Largest shift of a row to the right, in parts of its distance from the middle.
        stretch: Largest change of the width alone, in parts.

    Returns:
        float32 `[B, H, W, C]`, bilinear.
    """
    height, width = images.shape[1:3]
    shear, wide = tf.unstack(tf.random.stateless_uniform((2, tf.shape(images)[0]), seed, -1.0, 1.0))
    # From a place in the result to one in the image, both from the middle: x' = xx·x + xy·y.
    xx, xy = 1.0 + stretch * wide, slant * shear
    left = (1.0 - xx) * (width - 1) / 2 - xy * (height - 1) / 2
    zero, one = tf.zeros_like(xx), tf.ones_like(xx)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([xx, xy, left, zero, one, zero, zero, zero], axis=1),
        output_shape=(height, width),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def change_width(images, seed, most):
    """Makes the bright strokes of every image thicker or thinner at random.

    Blends an image with its dilation or its erosion by a 3×3 square, half of the images each.

    Args:
        images: float32 `[B, H, W, C]`.
        seed: Integer tensor `[2]`.
        most: Largest share of the dilation or the erosion, in 0..1; drawn evenly.

    Returns:
        float32 `[B, H, W, C]`.
    """
    draws = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed, -most, most)
    thick = tf.nn.max_pool2d(images, 3, 1, "SAME") - images
    thin = images + tf.nn.max_pool2d(-images, 3, 1, "SAME")
    return images + tf.maximum(draws, 0.0) * thick + tf.minimum(draws, 0.0) * thin
