"""Random movements of images and widths of their strokes, as functions of a seed."""

import math

import tensorflow as tf

MOVES = ("rotation", "translation", "zoom", "slant", "stretch")  # settings of a recipe


def move(images, seed, rotation=0.0, translation=0.0, zoom=0.0, slant=0.0, stretch=0.0):
    """Turns, shifts, scales and shears every image at random, all in one step; outside is black.

    Everything is drawn evenly between the largest change and its opposite.

    Args:
        images: float32 `[B, H, W, C]`.
        seed: Integer tensor `[2]`.
        rotation: Largest rotation around the middle, in degrees.
        translation: Largest shift, down and to the right, in parts of the image.
        zoom: Largest change of scale, in parts.
        slant: Largest shift of a row to the right, in parts of its distance from the middle.
        stretch: Largest change of the width alone, in parts.

    Returns:
        float32 `[B, H, W, C]`, bilinear.
    """
    height, width = images.shape[1:3]
    draws = tf.random.stateless_uniform((6, tf.shape(images)[0]), seed, -1.0, 1.0)
    angle, down, right, scale, shear, wide = tf.unstack(draws)
    angle *= math.radians(rotation)
    scale = 1.0 + zoom * scale
    wide = 1.0 + stretch * wide
    # From a place in the result to one in the image, both from the middle: `[[xx, xy], [yx, yy]]`.
    cos, sin = tf.cos(angle) * scale, tf.sin(angle) * scale
    xx, yx = cos * wide, sin * wide
    xy, yy = slant * shear * cos - sin, slant * shear * sin + cos
    x, y = (width - 1) / 2, (height - 1) / 2
    left = x - xx * x - xy * y + translation * right * width
    top = y - yx * x - yy * y + translation * down * height
    zero = tf.zeros_like(xx)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([xx, xy, left, yx, yy, top, zero, zero], axis=1),
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
