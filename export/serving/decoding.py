"""Images from anywhere: decoded on a server and by its clients, with bounded memory."""

import tensorflow as tf

from common.limits import MAX_PIXELS, MAX_PROGRESSIVE_PIXELS, MAX_SCANS, cost, is_png
from common.orientation import exif_orientation, turn
from common.preparation import evaluation_image

DECODED_AT_ONCE = 4  # of a request

# Images whose decoding takes more memory than `SMALL` wait for one of a few locks that all requests
# for a model share: photographs for one of `LANES`, what takes more than `MEDIUM` for the last one.
SMALL = 3 * 2**21  # bytes
MEDIUM = 3 * 2**24
LANES = 4


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

    def prepare(image, orientation):
        return evaluation_image(image, size, crop_fraction, orientation)

    return tf.map_fn(
        lambda encoded: decode_image(encoded, prepare),
        encoded,
        parallel_iterations=DECODED_AT_ONCE,
        fn_output_signature=tf.TensorSpec((size, size, 3), tf.float32),
    )


def decode_image(encoded, prepare):
    """Decodes a JPEG or PNG image, and prepares it while it may be in memory.

    Args:
        encoded: Scalar string.
        prepare: Function of the image as it is stored, uint8 `[H, W, 3]`, and of its EXIF
            orientation. It gives tensors.

    Returns:
        What `prepare` gives. Running it raises errors as `decode_images` does.
    """

    def decode(encoded):
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        return prepare(tf.ensure_shape(image, (None, None, 3)), exif_orientation(encoded))

    needed, bearable = cost(encoded)
    with tf.control_dependencies([check(encoded, bearable)]):
        encoded = tf.identity(encoded)
    return tf.cond(
        needed <= SMALL, lambda: decode(encoded), lambda: locked(decode, encoded, needed)
    )


def decode_upright(encoded):
    """Decodes a JPEG or PNG image on the spot, and turns it as its EXIF data say.

    Args:
        encoded: Bytes.

    Returns:
        uint8 `[H, W, 3]`, an array.

    Raises:
        ValueError: As `decode_images` raises `InvalidArgumentError`.
    """
    try:
        return decode_image(tf.constant(encoded), turn).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(error.message.splitlines()[0]) from error


def check(encoded, bearable):
    """An operation that fails unless `encoded` begins as a JPEG or PNG, and is `bearable`."""
    known = tf.io.is_jpeg(encoded) | is_png(encoded)
    with tf.control_dependencies(
        [tf.debugging.Assert(known, ["an image must be a JPEG or a PNG"])]
    ):
        bearable = tf.identity(bearable)
    return tf.debugging.Assert(
        bearable,
        [
            f"an image must have 1 to {MAX_PIXELS} pixels, a progressive JPEG at most "
            f"{MAX_PROGRESSIVE_PIXELS} and {MAX_SCANS} scans"
        ],
    )


def locked(decode, encoded, needed):
    """Runs `decode(encoded)` while holding the lock for images of `needed` bytes.

    The mutexes are found by name among the resources of a device, which a server makes for each
    version of a model that it loads. A lock is given back as well where decoding fails, because the
    tensor that holds it ends with the request.
    """

    def mutex(index):
        return lambda: tf.raw_ops.MutexV2(shared_name=f"decoding_{index}")

    lane = tf.where(needed <= MEDIUM, tf.strings.to_hash_bucket_fast(encoded, LANES), LANES)
    handle = tf.switch_case(tf.cast(lane, tf.int32), [mutex(index) for index in range(LANES + 1)])
    lock = tf.raw_ops.MutexLock(mutex=handle)
    with tf.control_dependencies([lock]):
        decoded = decode(tf.identity(encoded))
    with tf.control_dependencies(tf.nest.flatten(decoded)):
        release = tf.raw_ops.ConsumeMutexLock(mutex_lock=lock)
    with tf.control_dependencies([release]):
        return tf.nest.map_structure(tf.identity, decoded)
