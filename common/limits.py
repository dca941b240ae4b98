"""Bounds the cost of decoding an image, told from its bytes before it is decoded.

Time and memory of decoding grow with the pixels that a header declares, and a progressive JPEG goes
over all of them once for each of its scans: a few bytes can name millions of pixels, and two
megabytes repeat a scan of a hundred bytes 20,000 times. Everything here is TensorFlow's graph,
raises no error, and takes a small part of the time of decoding.
"""

import tensorflow as tf

from common.orientation import read_bytes

MAX_PIXELS = 2**26  # phones make pictures of 12 to 50 million
# All coefficients of a JPEG of several scans are kept, 2 bytes each, beside the 3 bytes of a pixel.
MAX_PROGRESSIVE_PIXELS = MAX_PIXELS // 3
MAX_SCANS = 100  # encoders write about 10
MAX_SCANNED_PIXELS = 2**29  # over all scans: half a second

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GIF_SIGNATURE = b"GIF8"

_JPEG = (0xFF, 0xD8, 0xFF)
_SCAN = 0xDA
_TABLES = (0xC4, 0xC8, 0xCC)  # all other markers 0xC0 to 0xCF begin a frame
_PROGRESSIVE = (0xC2, 0xCA)
_SEGMENTS = 2**16  # looked at, in one file


def is_bearable(encoded):
    """Whether an image is cheap enough to be decoded.

    Args:
        encoded: Scalar string.

    Returns:
        Scalar boolean. False also for what is neither JPEG, PNG, GIF, BMP nor WebP.
    """
    return cost(encoded)[1]


def cost(encoded):
    """Memory that decoding an image takes, and whether it is bearable.

    Args:
        encoded: Scalar string.

    Returns:
        Scalar int64, the bytes of the pixels, and of the coefficients that a JPEG of several scans
        keeps; and what `is_bearable` returns.
    """
    head = read_bytes(encoded, 0, 32)

    def other():
        sides = _sides(head)
        pixels = tf.reduce_prod(sides)
        return 3 * pixels, tf.reduce_all(sides > 0) & (pixels <= MAX_PIXELS)

    return tf.cond(_begins(head, _JPEG), lambda: _cost_of_jpeg(encoded), other)


def is_gif(encoded):
    """Whether a string begins as a GIF does, scalar boolean."""
    return _begins(read_bytes(encoded, 0, len(GIF_SIGNATURE)), GIF_SIGNATURE)


def is_png(encoded):
    """Whether a string begins as a PNG does, scalar boolean."""
    return _begins(read_bytes(encoded, 0, len(PNG_SIGNATURE)), PNG_SIGNATURE)


def _cost_of_jpeg(encoded):
    """`cost` of a JPEG, by its frame headers and scan headers.

    They are found by their form, wherever they are, and the costliest counts: embedded thumbnails
    and what follows the image have some as well, but smaller ones. Compressed data have none.
    """
    content = tf.pad(tf.io.decode_raw(encoded, tf.uint8), [[0, 10]])
    following = content[1:]
    marked = (content[:-1] == 0xFF) & ((following & 0xF0 == 0xC0) | (following == _SCAN))
    places = tf.where(marked)[:, 0]
    few = tf.size(places) <= _SEGMENTS
    heads = tf.gather(content, places[:_SEGMENTS, None] + tf.range(10, dtype=tf.int64))
    heads = tf.cast(heads, tf.int64)
    marker, length = heads[:, 1], _number(heads[:, 2:4])
    scans = tf.reduce_sum(tf.cast((marker == _SCAN) & (length == 6 + 2 * heads[:, 4]), tf.int64))
    is_frame = (marker != _SCAN) & _is_none_of(marker, _TABLES) & (length == 8 + 3 * heads[:, 9])
    frames = tf.boolean_mask(heads, is_frame)
    pixels = tf.reduce_max(tf.concat([[0], _number(frames[:, 5:7]) * _number(frames[:, 7:9])], 0))
    buffered = (scans > 1) | ~tf.reduce_all(_is_none_of(frames[:, 1], _PROGRESSIVE))
    most = tf.where(buffered, tf.constant(MAX_PROGRESSIVE_PIXELS, tf.int64), MAX_PIXELS)
    bearable = (
        few
        & (pixels > 0)
        & (pixels <= most)
        & (scans <= MAX_SCANS)
        & (pixels * scans <= MAX_SCANNED_PIXELS)
    )
    return pixels * tf.where(buffered, tf.constant(9, tf.int64), 3), bearable


def _sides(head):
    """Height and width, int64 `[2]`, by the first 32 bytes of an image that is no JPEG; zeros for
    what is no image."""
    head = tf.cast(head, tf.int64)

    def little(begin, count):
        return _number(head[begin : begin + count][::-1])

    def webp():
        kind, bits = head[12:16], little(21, 4)
        lossy = (little(28, 2) % 2**14, little(26, 2) % 2**14)
        lossless = (bits // 2**14 % 2**14 + 1, bits % 2**14 + 1)
        extended = (little(27, 3) + 1, little(24, 3) + 1)
        known = ((b"VP8 ", lossy), (b"VP8L", lossless), (b"VP8X", extended))
        return sum(tf.where(_begins(kind, name), tf.stack(sides), 0) for name, sides in known)

    def png():
        return tf.stack([_number(head[20:24]), _number(head[16:20])])

    def gif():
        return tf.stack([little(8, 2), little(6, 2)])

    def bmp():  # its height is negative if its first row is the highest one
        height = little(22, 4)
        return tf.stack([tf.where(height < 2**31, height, 2**32 - height), little(18, 4)])

    def none():
        return tf.zeros(2, tf.int64)

    def other():
        is_webp = _begins(head, b"RIFF") & _begins(head[8:], b"WEBP")
        known = [(_begins(head, GIF_SIGNATURE), gif), (_begins(head, b"BM"), bmp), (is_webp, webp)]
        return tf.case(known, default=none)

    return tf.cond(_begins(head, PNG_SIGNATURE), png, other)


def _number(digits):
    """The unsigned integer whose bytes are the last axis, the highest first: int64."""
    powers = [256**power for power in range(digits.shape[-1])][::-1]
    return tf.reduce_sum(digits * tf.constant(powers, tf.int64), axis=-1)


def _begins(head, content):
    return tf.reduce_all(head[: len(content)] == tuple(content))


def _is_none_of(numbers, values):
    return tf.reduce_all(numbers[:, None] != values, axis=1)
