"""Images from anywhere: decoded on a server, with bounded memory."""

import tensorflow as tf

from common.limits import MAX_PIXELS, MAX_PROGRESSIVE_PIXELS, MAX_SCANS, is_bearable, is_png
from common.orientation import exif_orientation
from common.preparation import evaluation_image

DECODED_AT_ONCE = 4


def decode_images(encoded, size, crop_fraction):
    """Decodes JPEG and PNG images, turns them as their EXIF data say, and prepares them as
    evaluation does.

    Args:
        encoded: Strings `[N]`.
        size: Height and width of the result, in pixels.
        crop_fraction: As in `evaluation_image`.

    Returns:
        float32 `[N, size, size, 3]`, values in 0..255. Running it raises `InvalidArgumentError` if
        an image is neither JPEG nor PNG, is too costly (`common.limits`), or is broken.
    """

    def decode(encoded):
        with tf.control_dependencies([check(encoded)]):
            encoded = tf.identity(encoded)
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        image = tf.ensure_shape(image, (None, None, 3))
        return evaluation_image(image, size, crop_fraction, exif_orientation(encoded))

    # Few at a time, so that memory is bounded whatever the batch.
    return tf.map_fn(
        decode,
        encoded,
        parallel_iterations=DECODED_AT_ONCE,
        fn_output_signature=tf.TensorSpec((size, size, 3), tf.float32),
    )


def check(encoded):
    """An operation that fails unless `encoded` begins as a JPEG or PNG of bearable cost."""
    known = tf.io.is_jpeg(encoded) | is_png(encoded)
    with tf.control_dependencies(
        [tf.debugging.Assert(known, ["an image must be a JPEG or a PNG"])]
    ):
        encoded = tf.identity(encoded)
    return tf.debugging.Assert(
        is_bearable(encoded),
        [
            f"an image must have 1 to {MAX_PIXELS} pixels, a progressive JPEG at most "
            f"{MAX_PROGRESSIVE_PIXELS} and {MAX_SCANS} scans"
        ],
    )
