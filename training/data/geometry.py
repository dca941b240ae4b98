"""Crops, mirror images and movements, drawn at random. Pure functions of their arguments."""

import math

import tensorflow as tf

ASPECT_RATIOS = (3 / 4, 4 / 3)  # of random crops, as in Inception and in every recipe since


def random_window(shape, seed, smallest_area):
    """Draws a crop of an image (Szegedy et al. 2015, section 6).

    Args:
        shape: Shape of the image, int32 `[3]`.
        seed: Integer tensor `[2]`.
        smallest_area: Smallest part of the image's area that the crop keeps.

    Returns:
        `[y, x, height, width]`, int32 `[4]`.
    """
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        shape,
        tf.zeros((1, 0, 4)),
        seed=seed,
        min_object_covered=0.0,
        aspect_ratio_range=ASPECT_RATIOS,
        area_range=(smallest_area, 1.0),
        max_attempts=10,
        use_image_if_no_bounding_boxes=True,
    )
    return tf.concat([begin[:2], size[:2]], axis=0)


def random_mirror(image, seed):
    """Mirrors half of the images, left to right: `[H, W, C]` to the same."""
    mirrored = tf.random.stateless_uniform((), seed) < 0.5
    return tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)


def random_affine(
    count, size, seed, rotation=0.0, translation=0.0, zoom=0.0, slant=0.0, stretch=0.0
):
    """Draws how images are turned, shifted, scaled, sheared and stretched, each by itself.

    Everything is drawn evenly between the largest change and its opposite. Composed into one
    transform, for every interpolation blurs.

    Args:
        count: Number of images, an integer or an integer tensor.
        size: `(height, width)` of the images.
        seed: Integer tensor `[2]`.
        rotation: Largest rotation around the middle, in degrees.
        translation: Largest shift, down and to the right, in parts of the image.
        zoom: Largest change of scale, in parts.
        slant: Largest shift of a row to the right, in parts of its distance from the middle.
        stretch: Largest change of the width alone, in parts.

    Returns:
        float32 `[count, 8]`: projective transforms from places in the result to places in the
        image, as TensorFlow's `ImageProjectiveTransformV3` takes them.
    """
    height, width = size
    draws = tf.random.stateless_uniform((6, count), seed, -1.0, 1.0)
    angle, down, right, scale, shear, wide = tf.unstack(draws)
    angle *= math.radians(rotation)
    scale = 1.0 + zoom * scale
    wide = 1.0 + stretch * wide
    # Both places are counted from the middle: `[[xx, xy], [yx, yy]]`.
    cos, sin = tf.cos(angle) * scale, tf.sin(angle) * scale
    xx, yx = cos * wide, sin * wide
    xy, yy = slant * shear * cos - sin, slant * shear * sin + cos
    x, y = (width - 1) / 2, (height - 1) / 2
    left = x - xx * x - xy * y + translation * right * width
    top = y - yx * x - yy * y + translation * down * height
    zero = tf.zeros_like(xx)
    return tf.stack([xx, xy, left, yx, yy, top, zero, zero], axis=1)
