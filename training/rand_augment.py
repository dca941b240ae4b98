"""RandAugment (Cubuk et al. 2020) in plain TensorFlow operations on one image.

The libraries have it: on two cores, with decoding and cropping, Keras reaches 42 and keras-cv 246
of the 1,900 images/s that come in (`python benchmarks/input_pipeline.py` measures them again). And
what they draw cannot be drawn again in the middle of an epoch, which resuming needs.

The operations and their ranges are those of the "increasing" set of timm's `rand-m9-mstd0.5-inc1`,
which CSWin's recipe names: the higher the magnitude, the stronger each of them.
"""

import math

import tensorflow as tf

OPERATIONS_PER_IMAGE = 2
PROBABILITY = 0.5  # that a drawn operation is applied
MAGNITUDE_DEVIATION = 0.5
HIGHEST_MAGNITUDE = 10.0
FILL = 116.0  # what comes in from outside: the mean of ImageNet's pixels
LUMA = (0.299, 0.587, 0.114)


def rand_augment(image, seed, magnitude):
    """Applies two random operations, each with probability 0.5.

    Args:
        image: float32 `[H, W, 3]`, values in 0..255.
        seed: Integer tensor `[2]`. The result depends on nothing but the arguments.
        magnitude: Mean strength of the operations, in 0..10.

    Returns:
        float32 `[H, W, 3]`, values in 0..255.
    """
    for index in range(OPERATIONS_PER_IMAGE):
        draws = tf.random.experimental.stateless_split(
            tf.random.experimental.stateless_fold_in(seed, index), 2
        )
        applied, choice, side = tf.unstack(tf.random.stateless_uniform((3,), draws[0]))
        level = magnitude + MAGNITUDE_DEVIATION * tf.random.stateless_normal((), draws[1])
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
    low = tf.reduce_min(image, (0, 1))
    high = tf.reduce_max(image, (0, 1))
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
    return tf.where(image < 256.0 * (1.0 - level), image, 255.0 - image)


def solarize_add(image, level, signed):
    """Adds 110·level to the darker half."""
    return tf.where(image < 128.0, tf.minimum(image + 110.0 * level, 255.0), image)


def color(image, level, signed):
    """Changes the saturation, by a factor of 1 ± 0.9·level."""
    return _blend(_luma(image), image, signed)


def contrast(image, level, signed):
    """Changes the contrast, by a factor of 1 ± 0.9·level."""
    return _blend(tf.reduce_mean(_luma(image)), image, signed)


def brightness(image, level, signed):
    """Changes the brightness, by a factor of 1 ± 0.9·level."""
    return _blend(0.0, image, signed)


def sharpness(image, level, signed):
    """Blurs or sharpens, by a factor of 1 ± 0.9·level on the difference to a 3×3 blur."""
    mean = tf.nn.avg_pool2d(image[None], 3, 1, "SAME")[0]
    return _blend((9.0 * mean + 4.0 * image) / 13.0, image, signed)


def rotate(image, level, signed):
    """Turns by up to 30 degrees around the centre."""
    angle = signed * math.radians(30.0)
    cos, sin = tf.cos(angle), tf.sin(angle)
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    y, x = (height - 1.0) / 2.0, (width - 1.0) / 2.0
    return _project(image, cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)


def shear_x(image, level, signed):
    """Shifts each row by up to 0.3 of its distance from the top."""
    return _project(image, 1.0, 0.3 * signed, 0.0, 0.0, 1.0, 0.0)


def shear_y(image, level, signed):
    """Shifts each column by up to 0.3 of its distance from the left."""
    return _project(image, 1.0, 0.0, 0.0, 0.3 * signed, 1.0, 0.0)


def translate_x(image, level, signed):
    """Shifts by up to 0.45 of the width."""
    width = tf.cast(tf.shape(image)[1], tf.float32)
    return _project(image, 1.0, 0.0, 0.45 * width * signed, 0.0, 1.0, 0.0)


def translate_y(image, level, signed):
    """Shifts by up to 0.45 of the height."""
    height = tf.cast(tf.shape(image)[0], tf.float32)
    return _project(image, 1.0, 0.0, 0.0, 0.0, 1.0, 0.45 * height * signed)


OPERATIONS = (
    *(auto_contrast, equalize, invert, posterize, solarize, solarize_add),
    *(color, contrast, brightness, sharpness),
    *(rotate, shear_x, shear_y, translate_x, translate_y),
)


def _luma(image):
    """Brightness of every pixel: `[H, W, 1]`."""
    return tf.reduce_sum(image * LUMA, axis=-1, keepdims=True)


def _blend(base, image, signed):
    """Moves `image` away from `base` (positive) or towards it, by 0.9·signed."""
    return tf.clip_by_value(base + (1.0 + 0.9 * signed) * (image - base), 0.0, 255.0)


def _project(image, *transform):
    """Takes each output pixel (x, y) from (a·x + b·y + c, d·x + e·y + f) of the image."""
    transform = tf.stack([tf.cast(value, tf.float32) for value in (*transform, 0.0, 0.0)])
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=transform[None],
        output_shape=tf.shape(image)[:2],
        fill_value=FILL,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return moved[0]
