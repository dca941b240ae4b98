"""Encoded images to arrays, for training and for evaluation. Pure functions of their arguments."""

import tensorflow as tf

from common.preparation import evaluation_image
from training.data.seeds import following

ASPECT_RATIOS = (3 / 4, 4 / 3)  # of random crops, as in Inception and in every recipe since
END_OF_JPEG = b"\xff\xd9"
END_OF_PNG = b"IEND\xaeB`\x82"


def training_image(encoded, seed, recipe, guarded=True):
    """Decodes, crops and mirrors one image at random, as `recipe` asks for.

    Args:
        encoded: Scalar string: JPEG, PNG, GIF or BMP.
        seed: Integer tensor `[2]`. The one that follows it is used as well.
        recipe: A `Recipe`; `image_size`, `crop_area` and `flip` matter here.
        guarded: Whether no image at all can raise an error. Otherwise one may that begins and ends
            as a JPEG or PNG does, and that is a third faster.

    Returns:
        float32 `[S, S, 3]`, values in 0..255, and whether the image could be decoded; if not, it is
        black.
    """
    window = None
    if recipe.crop_area is not None:

        def window(shape):
            return _random_window(shape, seed, recipe.crop_area)

    if guarded:
        image, readable = _decode_or_blank(encoded, window)
    else:
        image, readable = tf.cond(
            _looks_whole(encoded),
            lambda: (_decode(encoded, window), True),
            lambda: _decode_or_blank(encoded, window),
        )
    if window is None:
        image = evaluation_image(image, recipe.image_size, recipe.crop_fraction)
    else:
        image = tf.image.resize(image, (recipe.image_size, recipe.image_size))
    if recipe.flip:
        mirror = tf.random.stateless_uniform((), following(seed, 1))
        image = tf.cond(mirror < 0.5, lambda: tf.reverse(image, [1]), lambda: image)
    return image, readable


def evaluation_image_of(encoded, recipe):
    """Decodes one image and prepares it with `evaluation_image`; black if it cannot be decoded.

    Args:
        encoded: Scalar string: JPEG, PNG, GIF or BMP.
        recipe: A `Recipe`; `image_size` and `crop_fraction` matter here.

    Returns:
        float32 `[S, S, 3]`, values in 0..255, and whether the image could be decoded.
    """
    image, readable = _decode_or_blank(encoded)
    return evaluation_image(image, recipe.image_size, recipe.crop_fraction), readable


def _random_window(shape, seed, smallest_area):
    """Draws a crop of an image of `shape`: `[y, x, height, width]`."""
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


def _decode_or_blank(encoded, window=None):
    """Decodes the part `window(shape)` of an image, or all of it; one black pixel if that fails.

    A data set of one element is TensorFlow's only way to catch an error inside a graph.

    Returns:
        uint8 `[h, w, 3]`, and whether the image could be decoded.
    """
    blank = tf.data.Dataset.from_tensors((tf.zeros((1, 1, 3), tf.uint8), False))
    decoded = tf.data.Dataset.from_tensors(encoded)
    decoded = decoded.map(lambda encoded: (_decode(encoded, window), True)).ignore_errors()
    options = tf.data.Options()  # optimising a pipeline of one element takes longer than running it
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    return decoded.concatenate(blank).take(1).with_options(options).get_single_element()


def _looks_whole(encoded):
    def ends_in(mark):
        length = tf.minimum(len(mark), tf.strings.length(encoded))
        return tf.strings.substr(encoded, -length, length) == mark

    return ends_in(END_OF_JPEG) | ends_in(END_OF_PNG)


def _decode(encoded, window):
    """Decodes the part `window(shape)` of an image, or all of it: uint8 `[h, w, 3]`."""

    def whole():
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        image = tf.ensure_shape(image, (None, None, 3))
        return image if window is None else _cut(image, window(tf.shape(image)))

    if window is None:
        return whole()

    def cropped():
        where = window(tf.image.extract_jpeg_shape(encoded))
        return tf.image.decode_and_crop_jpeg(encoded, where, channels=3)

    # A crop above the place where a file was cut off would decode: such files are decoded whole,
    # so that they are found at first sight.
    return tf.cond(tf.io.is_jpeg(encoded) & _looks_whole(encoded), cropped, whole)


def _cut(image, window):
    y, x, height, width = tf.unstack(window)
    return image[y : y + height, x : x + width]
