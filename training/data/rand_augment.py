"""RandAugment (Cubuk et al. 2020) in plain TensorFlow operations on one image.

The libraries have it, but Keras' reaches 3% and keras-cv's 27% of the images/s that decoding and
cropping give (`python -m benchmarks.input_pipeline` measures them again), and what they draw cannot
be drawn again in the middle of an epoch, which resuming needs.

The operations and their ranges are those of the "increasing" set of timm's `rand-m9-mstd0.5-inc1`,
which CSWin's recipe names: the higher the magnitude, the stronger each of them. Pixels are moved to
the nearest place, as in the authors' own code; and what is written in an unusual way, such as sums
over `[H, W·C]`, is so because TensorFlow's kernels run it several times faster.
"""

import math

import tensorflow as tf

OPERATIONS_PER_IMAGE = 2
DRAWS = 4 * OPERATIONS_PER_IMAGE
PROBABILITY = 0.5  # that a drawn operation is applied
MAGNITUDE_DEVIATION = 0.5
HIGHEST_MAGNITUDE = 10.0
FILL = 116.0  # what comes in from outside: the mean of ImageNet's pixels
LUMA = (0.299, 0.587, 0.114)


def rand_augment(image, draws, magnitude):
    """Applies two random operations, each with probability 0.5.

    Args:
        image: float32 `[H, W, 3]`, values in 0..255.
        draws: float32 `[DRAWS]`, random numbers in [0, 1).
        magnitude: Mean strength of the operations, in 0..10.

    Returns:
        float32 `[H, W, 3]`, values in 0..255.
    """
    for index in range(OPERATIONS_PER_IMAGE):
        applied, choice, side, deviation = tf.unstack(draws[4 * index : 4 * index + 4])
        level = magnitude + MAGNITUDE_DEVIATION * tf.math.ndtri(deviation)  # normal
        level = tf.clip_by_value(level, 0.0, HIGHEST_MAGNITUDE) / HIGHEST_MAGNITUDE
        signed = tf.where(side < 0.5, -level, level)
        operation = tf.cast(choice * len(OPERATIONS), tf.int32)
        operation = tf.where(applied < PROBABILITY, operation, len(OPERATIONS))
        branches = [
            lambda f=f, x=image, level=level, signed=signed: f(x, level, signed) for f in OPERATIONS
        ]
        image = tf.switch_case(operation, [*branches, lambda x=image: x])
    return image


# Each operation takes the image, the level in 0..1, and the level with a random sign.


def auto_contrast(image, level, signed):
    """Stretches every channel to 0..255."""
    low = _by_channel(tf.reduce_min, image)
    high = _by_channel(tf.reduce_max, image)
    flat = high <= low
    scale = tf.where(flat, 1.0, 255.0 / tf.where(flat, 1.0, high - low))
    return (image - tf.where(flat, 0.0, low)) * scale


def equalize(image, level, signed):
    """Gives every channel a flat histogram."""
    values = tf.cast(image, tf.int32)
    bins = values + 256 * tf.range(3)
    counts = tf.math.bincount(tf.reshape(bins, [-1]), minlength=768, maxlength=768)
    counts = tf.reshape(counts, (3, 256))
    below = tf.cumsum(counts, axis=1, exclusive=True)
    pixels = tf.size(values) // 3
    # Without the pixels of the brightest value, so that the darkest maps to 0 and that one to 255.
    last = tf.reduce_max(tf.where(below + counts == pixels, counts, 0), axis=1, keepdims=True)
    span = pixels - last
    steps = tf.cast(below, tf.float32) / tf.cast(tf.maximum(span, 1), tf.float32)
    table = tf.where(span > 0, 255.0 * tf.minimum(steps, 1.0), tf.range(256.0)[None])
    return tf.gather(tf.reshape(table, [-1]), bins)


def invert(image, level, signed):
    """Turns dark to bright."""
    return 255.0 - image


def posterize(image, level, signed):
    """Keeps the highest 4 - 4·level bits of every value, and one at least."""
    step = tf.pow(2.0, tf.minimum(4.0 + tf.floor(4.0 * level), 7.0))
    return tf.floor(image / step) * step


def solarize(image, level, signed):
    """Inverts what is brighter than 255·(1 - level)."""
    return image + _above(image, 256.0 * (1.0 - level)) * (255.0 - 2.0 * image)


def solarize_add(image, level, signed):
    """Adds 110·level to the darker half."""
    dark = 1.0 - _above(image, 128.0)
    return tf.minimum(image + 110.0 * level * dark, 255.0)


def color(image, level, signed):
    """Changes the saturation, by a factor of 1 ± 0.9·level."""
    gray = tf.tile(tf.constant(LUMA)[:, None], (1, 3))
    matrix = _blend(gray, tf.eye(3), signed)
    return _clip(tf.reshape(tf.reshape(image, (-1, 3)) @ matrix, tf.shape(image)))


def contrast(image, level, signed):
    """Changes the contrast, by a factor of 1 ± 0.9·level."""
    gray = tf.reduce_sum(_by_channel(tf.reduce_mean, image) * LUMA)
    return _clip(_blend(gray, image, signed))


def brightness(image, level, signed):
    """Changes the brightness, by a factor of 1 ± 0.9·level."""
    return _clip(_blend(0.0, image, signed))


def sharpness(image, level, signed):
    """Blurs or sharpens, by a factor of 1 ± 0.9·level on the difference to a 3×3 blur."""
    mean = tf.nn.avg_pool2d(image[None], 3, 1, "SAME")[0]
    return _clip(_blend((9.0 * mean + 4.0 * image) / 13.0, image, signed))


def rotate(image, level, signed):
    """Turns by up to 30 degrees around the center."""
    angle = signed * math.radians(30.0)
    return _move(image, tf.cos(angle), -tf.sin(angle), tf.sin(angle), tf.cos(angle))


def shear_x(image, level, signed):
    """Shifts each row by up to 0.3 of its distance from the middle."""
    return _move(image, 1.0, 0.3 * signed, 0.0, 1.0)


def shear_y(image, level, signed):
    """Shifts each column by up to 0.3 of its distance from the middle."""
    return _move(image, 1.0, 0.0, 0.3 * signed, 1.0)


def translate_x(image, level, signed):
    """Shifts by up to 0.45 of the width."""
    return _shift(image, signed, axis=1)


def translate_y(image, level, signed):
    """Shifts by up to 0.45 of the height."""
    return _shift(image, signed, axis=0)


OPERATIONS = (
    *(auto_contrast, equalize, invert, posterize, solarize, solarize_add),
    *(color, contrast, brightness, sharpness),
    *(rotate, shear_x, shear_y, translate_x, translate_y),
)


def _by_channel(reduce, image):
    """Reduces an image to `[3]`."""
    height, width = tf.unstack(tf.shape(image)[:2])
    return reduce(tf.reshape(reduce(tf.reshape(image, (height, width * 3)), 0), (width, 3)), 0)


def _above(image, threshold):
    """1 where a value is at least `threshold`, else 0."""
    return tf.clip_by_value((image - threshold) * 1e6 + 1.0, 0.0, 1.0)


def _blend(base, image, signed):
    """Moves `image` away from `base` (positive) or towards it, by 0.9·signed."""
    return base + (1.0 + 0.9 * signed) * (image - base)


def _clip(image):
    return tf.clip_by_value(image, 0.0, 255.0)


def _move(image, xx, xy, yx, yy):
    """Takes the pixel at (x, y) from the middle from (xx·x + xy·y, yx·x + yy·y) of the image."""
    height, width = tf.unstack(tf.shape(image)[:2])
    middle_y, middle_x = (tf.cast(size - 1, tf.float32) / 2 for size in (height, width))
    y = tf.range(tf.cast(height, tf.float32))[:, None] - middle_y  # [H, 1]
    x = tf.range(tf.cast(width, tf.float32)) - middle_x  # [W]
    column = tf.cast(tf.round(xx * x + xy * y + middle_x), tf.int32)  # [H, W]
    row = tf.cast(tf.round(yx * x + yy * y + middle_y), tf.int32)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    pixels = tf.concat([tf.reshape(image, (-1, 3)), tf.fill((1, 3), FILL)], axis=0)
    return tf.gather(pixels, tf.where(inside, row * width + column, height * width))


def _shift(image, signed, axis):
    """Shifts by 0.45·signed of the size along an axis, towards its start if positive."""
    size = tf.shape(image)[axis]
    shift = tf.cast(tf.round(0.45 * signed * tf.cast(size, tf.float32)), tf.int32)
    before, after = tf.maximum(-shift, 0), tf.maximum(shift, 0)
    kept = image[:, after : size - before] if axis else image[after : size - before]
    padding = tf.one_hot(axis, 3, dtype=tf.int32)[:, None] * tf.stack([before, after])
    return tf.pad(kept, padding, constant_values=FILL)
