"""Crops and mirror images, drawn at random. Pure functions of their arguments."""

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
