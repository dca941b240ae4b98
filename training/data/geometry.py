"""Crops, mirror images and movements, drawn at random. Pure functions of their arguments."""

import math
import typing

import tensorflow as tf

from training.data.masks import IGNORED

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


class Placement(typing.NamedTuple):
    """How a square of pixels lies on a scaled image: once for the image and all that belongs to it.

    Attributes:
        scaled: Height and width of the scaled image, int32 `[2]`.
        begin: Row and column of the scaled image where the square begins, int32 `[2]`. The square
            may reach past the end of the image, and begin before it.
    """

    scaled: tf.Tensor
    begin: tf.Tensor


def place_image(image, placement, size):
    """The square on an image: bilinear interpolation, with antialiasing where it shrinks.

    Args:
        image: `[h, w, 3]`, any real dtype.
        placement: A `Placement`.
        size: Height and width of the square, in pixels.

    Returns:
        float32 `[size, size, 3]`, black outside of the image.
    """
    scale = tf.cast(placement.scaled, tf.float32) / tf.cast(tf.shape(image)[:2], tf.float32)
    placed = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=(size, size),
        scale=scale,
        translation=-tf.cast(placement.begin, tf.float32),
        kernel_type="triangle",
        antialias=True,
    )[0]
    return tf.ensure_shape(placed, (size, size, 3))


def fill_outside(square, placement, value):
    """A square with `value` where there is no image.

    Args:
        square: `[S, S]` or `[S, S, C]`.
        placement: Its `Placement`.
        value: A number, or a color `[C]`, of the square's dtype.
    """
    places = placement.begin[:, None] + tf.range(square.shape[0])
    rows, columns = tf.unstack((places >= 0) & (places < placement.scaled[:, None]))
    inside = rows[:, None] & columns
    inside = inside[..., None] if square.shape.rank == 3 else inside
    return tf.where(inside, square, tf.constant(value, square.dtype))


def place_mask(mask, placement, size):
    """The square on a mask: the nearest pixels.

    Args:
        mask: uint8 `[h, w]`.
        placement: A `Placement`, the image's.
        size: Height and width of the square, in pixels.

    Returns:
        uint8 `[size, size]`, `IGNORED` outside of the mask.
    """
    shape = tf.shape(mask)
    scale = tf.cast(shape, tf.float32) / tf.cast(placement.scaled, tf.float32)
    places = tf.cast(placement.begin[:, None] + tf.range(size), tf.float32) + 0.5
    places = tf.cast(tf.floor(places * scale[:, None]), tf.int32)
    y, x = tf.unstack(tf.clip_by_value(places, 0, shape[:, None] - 1))
    placed = tf.ensure_shape(tf.gather(tf.gather(mask, y), x, axis=1), (size, size))
    return fill_outside(placed, placement, IGNORED)


def central_placement(scaled, size):
    """The square in the middle of an image of the size `scaled`, int32 `[2]`."""
    return Placement(scaled, (scaled - size) // 2)


def random_placement(mask, scaled, size, seed, largest_share, attempts=10):
    """Draws a square of a mask that no class fills, nor ignored pixels: mmsegmentation's 75% rule.

    Args:
        mask: uint8 `[h, w]`.
        scaled: Height and width to which image and mask are scaled, int32 `[2]`.
        size: Height and width of the square, in pixels.
        seed: Integer tensor `[2]`.
        largest_share: Of the pixels that are not ignored, what one class may have at most.
        attempts: Squares that are drawn at most; of the last one, the share does not matter.

    Returns:
        A `Placement`. Where the image is smaller than the square, it lies at its upper left.
    """
    last = tf.cast(tf.maximum(scaled - size, 0) + 1, tf.float32)
    draws = tf.random.stateless_uniform((attempts, 2), seed)
    begins = tf.cast(tf.floor(draws * last), tf.int32)

    def filled(attempt):
        pixels = place_mask(mask, Placement(scaled, begins[attempt]), size)
        pixels = tf.cast(tf.reshape(pixels, [-1]), tf.int32)
        counts = tf.math.bincount(pixels, minlength=IGNORED + 1, dtype=tf.float32)[:IGNORED]
        total = tf.reduce_sum(counts)
        return (total == 0) | (tf.reduce_max(counts) > largest_share * total)

    attempt = tf.while_loop(
        lambda attempt: (attempt < attempts - 1) & filled(attempt),
        lambda attempt: (attempt + 1,),
        (tf.constant(0),),
    )[0]
    return Placement(scaled, begins[attempt])


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
