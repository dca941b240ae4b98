"""From images and their objects to what a detector is trained and tested on."""

import numpy as np
import tensorflow as tf

from common.preparation import scaled_size
from pale_tf.backbone import IMAGE_MEAN
from training.data.batches import Transforms
from training.data.decoding import decode
from training.data.seeds import following

# What fills up the objects of an image until all images of a batch have equally many.
PADDING = {
    "boxes": 0.0,
    "labels": -1,
    "crowds": False,
    "areas": 0.0,
    "flips": np.iinfo("int64").max,
    "size": 0,
    "mask_size": 0,
    "to_mask": 0.0,
    "seed": 0,
}
# DETR's crop (Carion et al. 2020): first a short side of these, then a part of such sides.
CROP_SHORT_SIDES, CROP_SIDES = (400, 500, 600), (384, 600)


def make_transforms(settings):
    """Makes the `Transforms` of a detector.

    The targets of an image are a dict:

    - `boxes`: float32 `[n, 4]`, `(x1, y1, x2, y2)` in pixels of the image.
    - `labels`: int32 `[n]`; `crowds`: bool `[n]`; `areas`: float32 `[n]`, in pixels of the image.
    - `size`: height and width of the image, int32 `[2]`: in a batch, the rest is padding.
    - `flips`, int64 `[F]`, of masks of `mask_size`, int32 `[2]`: see `training.data.run_lengths`.
      `to_mask`, float32 `[4]`, maps pixels of the image to theirs: `x' = a·x + b` and
      `y' = c·y + d`.
    - `seed`: int32 `[2]`, of what is drawn in the network.

    Args:
        settings: The `training.tasks.detect.Settings`.
    """

    def read(encoded, objects, guarded=True):
        image, readable = decode(encoded, guarded=guarded)
        known, shape = objects["size"], tf.shape(image)[:2]
        readable &= tf.reduce_all((known == 0) | (known == shape))
        return image, readable

    def training(encoded, objects, seed, guarded):
        image, readable = read(encoded, objects, guarded)
        window = tf.concat([tf.zeros(2, tf.int32), tf.shape(image)[:2]], axis=0)
        if settings.crop:
            window = random_crop(window[2:], following(seed, 1), settings.long_side)
        low, high = settings.short_sides
        short = tf.random.stateless_uniform((), following(seed, 4), low, high + 1, tf.int32)
        mirrored = settings.flip & (tf.random.stateless_uniform((), following(seed, 5)) < 0.5)
        image, targets = place(image, objects, window, short, settings.long_side, mirrored)
        return image, {**targets, "seed": tf.cast(following(seed, 6), tf.int32)}, readable

    def batch(images, targets, seed):
        return fill_outside(images, targets["size"]), targets

    def whole(encoded, objects):
        image, readable = read(encoded, objects)
        shape = tf.shape(image)[:2]
        window = tf.concat([tf.zeros(2, tf.int32), shape], axis=0)
        _, targets = place(image, objects, window, None, None, False)
        return tf.cast(image, tf.float32), {**targets, "seed": tf.zeros(2, tf.int32)}, readable

    def evaluation(encoded, objects):
        image, readable = read(encoded, objects)
        window = tf.concat([tf.zeros(2, tf.int32), tf.shape(image)[:2]], axis=0)
        short = settings.short_sides[1]
        image, targets = place(image, objects, window, short, settings.long_side, False)
        return image, {**targets, "seed": tf.zeros(2, tf.int32)}, readable

    return Transforms(training, batch, evaluation, whole)


def place(image, objects, window, short_side, long_side, mirrored):
    """Cuts a window out of an image, scales it and mirrors it; its objects too.

    Args:
        image: `[h, w, 3]`.
        objects: As a `training.data.object_sources.ObjectSource` gives them.
        window: `[y, x, height, width]`, int32.
        short_side, long_side: As in `scaled_size`.
        mirrored: Whether left and right are exchanged, a bool or a tensor.

    Returns:
        float32 `[H, W, 3]`, and the targets, see `make_transforms`, without `seed`. An object of
        which nothing is left within the window is left out: its label is -1.
    """
    mirrored = tf.convert_to_tensor(mirrored)
    shape = tf.cast(tf.shape(image)[:2], tf.float32)
    y, x, height, width = tf.unstack(window)
    size = scaled_size(window[2:], short_side, long_side)
    image = image[y : y + height, x : x + width]
    image = tf.image.resize(image, size, antialias=True)
    scale = tf.cast(size, tf.float32) / tf.cast(window[2:], tf.float32)  # [2]: of y, of x
    begin = tf.cast(window[:2], tf.float32)
    sides = tf.cast(size, tf.float32)
    # Places in the image as the source has it, `p`, and in the result, `q = (p - begin) · scale`.
    low, high = tf.split(tf.reverse(tf.reshape(objects["boxes"], (-1, 2, 2)), [2]), 2, axis=1)
    low, high = ((corner[:, 0] * shape - begin) * scale for corner in (low, high))  # [n, 2]
    uncut = tf.reduce_prod(high - low, axis=1)
    areas = objects["areas"] * tf.reduce_prod(scale)
    areas = tf.where(objects["areas"] < 0, uncut, areas)
    low, high = tf.clip_by_value(low, 0.0, sides), tf.clip_by_value(high, 0.0, sides)
    left = tf.reduce_prod(high - low, axis=1)
    if_mirrored = tf.stack([low[:, 0], sides[1] - high[:, 1], high[:, 0], sides[1] - low[:, 1]], 1)
    corners = tf.where(mirrored, if_mirrored, tf.concat([low, high], axis=1))
    known = tf.cast(objects["size"], tf.float32)
    back = known / shape / scale  # of the masks, which may be smaller than the image
    sign, offset = tf.where(mirrored, -1.0, 1.0), tf.where(mirrored, sides[1], 0.0)
    to_mask = [
        sign * back[1],
        offset * back[1] + begin[1] * known[1] / shape[1],
        back[0],
        begin[0] * known[0] / shape[0],
    ]
    targets = {
        "boxes": tf.gather(corners, [1, 0, 3, 2], axis=1),
        "labels": tf.where(left > 0, objects["labels"], -1),
        "crowds": objects["crowds"],
        "areas": areas * tf.math.divide_no_nan(left, uncut),
        "size": size,
        "flips": objects["flips"],
        "mask_size": objects["size"],
        "to_mask": tf.stack(to_mask),
    }
    image = tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)
    return tf.ensure_shape(image, (None, None, 3)), targets


def random_crop(shape, seed, long_side):
    """Draws DETR's crop for half of the images: of the image once scaled, a part of certain sides.

    Args:
        shape: Height and width, int32 `[2]`.
        seed: Integer tensor `[2]`, of which the two that follow are used too.
        long_side: Of the scaled image at most, in pixels.

    Returns:
        `[y, x, height, width]`, int32: the whole image for the other half.
    """
    choices = tf.constant(CROP_SHORT_SIDES)
    choice = tf.random.stateless_uniform((), seed, 0, len(CROP_SHORT_SIDES), tf.int32)
    scaled = scaled_size(shape, choices[choice], long_side)
    low, high = CROP_SIDES
    least, most = tf.minimum(scaled, low), tf.minimum(scaled, high)
    draws = tf.random.stateless_uniform((3, 2), following(seed, 1))
    sides = least + _whole(draws[0], most - least)
    begin = _whole(draws[1], scaled - sides)
    scale = tf.cast(shape, tf.float32) / tf.cast(scaled, tf.float32)
    begin, sides = (tf.cast(tf.cast(x, tf.float32) * scale, tf.int32) for x in (begin, sides))
    window = tf.concat([begin, tf.maximum(sides, 1)], axis=0)
    whole = tf.concat([tf.zeros(2, tf.int32), shape], axis=0)
    return tf.where(draws[2, 0] < 0.5, window, whole)


def _whole(draws, largest):
    """Draws of 0..1 as integers of 0 to `largest`."""
    return tf.cast(tf.floor(draws * tf.cast(largest + 1, tf.float32)), tf.int32)


def fill_outside(images, sizes):
    """Images of a batch with ImageNet's mean color where they are padded: `[B, H, W, 3]`."""
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    rows = tf.sequence_mask(sizes[:, 0], height)[:, :, None, None]
    columns = tf.sequence_mask(sizes[:, 1], width)[:, None, :, None]
    return tf.where(rows & columns, images, tf.constant(IMAGE_MEAN, tf.float32))
