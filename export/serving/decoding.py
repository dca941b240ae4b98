"""Images from anywhere: decoded on a server, with bounded memory."""

import tensorflow as tf

from common.orientation import exif_orientation, turn
from common.preparation import evaluation_image

MAX_PIXELS = 2**26  # phones make pictures of 12 to 50 million
DECODED_AT_ONCE = 4
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def decode_images(encoded, size, crop_fraction):
    """Decodes JPEG and PNG images, turns them as their EXIF data say, and prepares them as
    evaluation does.

    Args:
        encoded: Strings `[N]`.
        size: Height and width of the result, in pixels.
        crop_fraction: As in `evaluation_image`.

    Returns:
        float32 `[N, size, size, 3]`, values in 0..255. Running it raises `InvalidArgumentError` if
        an image is neither JPEG nor PNG, has more than `MAX_PIXELS` pixels, or is broken.
    """

    def decode(encoded):
        with tf.control_dependencies([check_size(encoded, size / crop_fraction)]):
            encoded = tf.identity(encoded)
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        image = turn(tf.ensure_shape(image, (None, None, 3)), exif_orientation(encoded))
        return evaluation_image(image, size, crop_fraction)

    # Few at a time, so that memory is bounded whatever the batch.
    return tf.map_fn(
        decode,
        encoded,
        parallel_iterations=DECODED_AT_ONCE,
        fn_output_signature=tf.TensorSpec((size, size, 3), tf.float32),
    )


def check_size(encoded, short):
    """An operation that fails unless `encoded` begins as a JPEG or PNG of bearable size.

    Neither the image nor what it becomes when its short side is scaled to `short` may have more
    than `MAX_PIXELS`: a long thin one becomes large.
    """
    is_jpeg = tf.io.is_jpeg(encoded)
    is_png = (tf.strings.substr(encoded, 0, len(PNG_SIGNATURE)) == PNG_SIGNATURE) & (
        tf.strings.length(encoded) >= 24
    )
    known = tf.debugging.Assert(is_jpeg | is_png, ["an image must be a JPEG or a PNG"])
    with tf.control_dependencies([known]):
        sides = tf.cond(is_jpeg, lambda: jpeg_sides(encoded), lambda: png_sides(encoded))
    pixels = tf.reduce_prod(sides)
    ratio = tf.reduce_max(sides) / tf.reduce_min(sides)  # infinite without pixels
    return tf.debugging.Assert(
        (pixels > 0) & (pixels <= MAX_PIXELS) & (ratio * short**2 <= MAX_PIXELS),
        [
            f"an image must have 1 to {MAX_PIXELS} pixels, also when its short side is scaled to "
            f"{round(short)}; height and width are",
            sides,
        ],
    )


def jpeg_sides(encoded):
    """Height and width of a JPEG, int64 `[2]`."""
    return tf.image.extract_jpeg_shape(encoded, tf.int64)[:2]


def png_sides(encoded):
    """Height and width of a PNG, int64 `[2]`: the first two numbers of its first chunk."""
    digits = tf.io.decode_raw(tf.strings.substr(encoded, 16, 8), tf.uint8)
    digits = tf.reshape(tf.cast(digits, tf.int64), (2, 4))  # big-endian
    return tf.reverse(tf.reduce_sum(digits * (2**24, 2**16, 2**8, 1), axis=1), [0])
