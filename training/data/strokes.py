"""Random widths of strokes, as functions of a seed."""

import tensorflow as tf


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
