"""Masks of objects as a mask head is trained on them."""

import tensorflow as tf

from training.data.run_lengths import is_inside

SIDE = 28


def mask_targets(rois, owners, flips, mask_size, to_mask):
    """Looks up where the masks of objects are inside of RoIs.

    Each of 28×28 cells takes one sample, at its middle: the pixel of the mask that it falls in.
    (mmdetection's `crop_and_resize` averages samples of bilinear interpolation instead, and cuts at
    one half.) What lies outside of the mask's image counts as the nearest pixel within it.

    Args:
        rois: float32 `[B, P, 4]`, in pixels of the image.
        owners: Indices of the objects that RoIs stand for, int32 `[B, P]`.
        flips: Of the masks of each image, int64 `[B, F]`: see `training.data.run_lengths`.
        mask_size: Height and width of the masks, int32 `[B, 2]`.
        to_mask: float32 `[B, 4]`, `a, b, c, d`, which map pixels of the image to those of the
            masks: `x' = a·x + b`, `y' = c·y + d`.

    Returns:
        bool `[B, P, 28, 28]`, rows first.
    """
    x1, y1, x2, y2 = tf.unstack(rois[..., None, :], axis=-1)  # [B, P, 1]
    a, b, c, d = tf.unstack(to_mask[:, None, None], axis=-1)
    sizes = tf.cast(mask_size, tf.int64)
    height, width = sizes[:, 0, None, None], sizes[:, 1, None, None]
    middles = (tf.range(SIDE, dtype=tf.float32) + 0.5) / SIDE
    x = tf.cast(tf.floor(a * (x1 + (x2 - x1) * middles) + b), tf.int64)  # [B, P, 28]
    y = tf.cast(tf.floor(c * (y1 + (y2 - y1) * middles) + d), tf.int64)
    x, y = tf.clip_by_value(x, 0, width - 1), tf.clip_by_value(y, 0, height - 1)
    count = tf.shape(rois)[1]
    places = tf.reshape((x * height)[:, :, None, :] + y[..., None], (-1, count, SIDE * SIDE))
    inside = tf.map_fn(
        lambda image: is_inside(*image),
        (flips, tf.reduce_prod(sizes, axis=1), owners, places),
        fn_output_signature=tf.bool,
    )
    return tf.reshape(inside, (-1, count, SIDE, SIDE))
