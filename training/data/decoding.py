"""Encoded images to arrays, guarded against those that cannot be decoded."""

import tensorflow as tf

from common.gif import first_frame
from common.limits import MAX_PIXELS, is_bearable, is_gif
from common.orientation import exif_orientation, turn

END_OF_JPEG = b"\xff\xd9"
END_OF_PNG = b"IEND\xaeB`\x82"


def decode(encoded, window=None, guarded=True):
    """Decodes an image, or a part of it, turned as its EXIF orientation says.

    Args:
        encoded: Scalar string: JPEG, PNG, GIF or BMP.
        window: Function of the turned image's shape `[3]` to the part to decode,
            `[y, x, height, width]`; None for the whole image.
        guarded: Whether no image at all can raise an error. Otherwise one may that begins and ends
            as a JPEG or PNG does, and that is a third faster.

    Returns:
        uint8 `[h, w, 3]`, and whether the image could be decoded; if not, it is one black pixel.
        An image that `common.limits` finds too costly is not decoded.
    """

    # TensorFlow takes all frames of a GIF into memory before it gives the first one.
    encoded, frame = tf.cond(
        is_gif(encoded), lambda: first_frame(encoded), lambda: (encoded, tf.ones((), tf.int64))
    )

    blank = tf.zeros((1, 1, 3), tf.uint8)

    def caught():
        return or_blank(lambda encoded: _decode(encoded, window), encoded, blank)

    def at_once():
        return tf.cond(_looks_whole(encoded), lambda: (_decode(encoded, window), True), caught)

    return tf.cond(
        is_bearable(encoded) & (frame > 0) & (frame <= MAX_PIXELS),
        caught if guarded else at_once,
        lambda: (blank, False),
    )


def or_blank(decode, encoded, blank):
    """Decodes something, or gives a blank if that raises an error.

    A data set of one element is TensorFlow's only way to catch an error inside a graph.

    Args:
        decode: Function of a scalar string to a tensor.
        encoded: Scalar string.
        blank: Tensor of the same dtype and rank.

    Returns:
        What `decode` returns, or the blank; and whether it is the former.
    """
    otherwise = tf.data.Dataset.from_tensors((blank, False))
    decoded = tf.data.Dataset.from_tensors(encoded)
    decoded = decoded.map(lambda encoded: (decode(encoded), True)).ignore_errors()
    options = tf.data.Options()  # optimizing a pipeline of one element takes longer than running it
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    return decoded.concatenate(otherwise).take(1).with_options(options).get_single_element()


def _looks_whole(encoded):
    def ends_in(mark):
        length = tf.minimum(len(mark), tf.strings.length(encoded))
        return tf.strings.substr(encoded, -length, length) == mark

    return ends_in(END_OF_JPEG) | ends_in(END_OF_PNG)


def _decode(encoded, window):
    """Decodes the part `window(shape)` of an image, or all of it: uint8 `[h, w, 3]`."""
    orientation = exif_orientation(encoded)

    def whole():
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        image = turn(tf.ensure_shape(image, (None, None, 3)), orientation)
        return image if window is None else _cut(image, window(tf.shape(image)))

    if window is None:
        return whole()

    def cropped():
        where = window(tf.image.extract_jpeg_shape(encoded))
        return tf.image.decode_and_crop_jpeg(encoded, where, channels=3)

    # A crop above the place where a file was cut off would decode: such files are decoded whole,
    # so that they are found at first sight. A crop of what is to be turned is one of other pixels.
    croppable = tf.io.is_jpeg(encoded) & _looks_whole(encoded) & (orientation == 1)
    return tf.cond(croppable, cropped, whole)


def _cut(image, window):
    y, x, height, width = tf.unstack(window)
    return image[y : y + height, x : x + width]
