"""Orientation of photographs: read from a JPEG's EXIF data and applied, in TensorFlow's graph.

A camera stores the pixels as its sensor has them, and says in the EXIF data how to turn them. All
programs of this project turn images: training, prediction and export here, the web page by its
browser.

The orientation is that of JPEGs: tag 274 of the first directory of the first APP1 segment that
begins as EXIF does and stands before the image's tables (EXIF 2.32, sections 4.5.2 and 4.7.2;
TIFF 6.0, section 2). XMP and the EXIF chunk of PNGs are ignored.
"""

import tensorflow as tf

SEGMENTS = 32  # looked through; EXIF asks to be the first one

_APP1 = 0xE1
_EXIF = tuple(b"Exif\0\0")
_HEAD = 4 + len(_EXIF)  # bytes: mark, marker, length 2, and what EXIF begins with
_ORIENTATION, _SHORT = 0x0112, 3
_ENTRY = 12  # bytes: tag 2, type 2, count 4, value 4


def exif_orientation(encoded):
    """Reads the EXIF orientation of an encoded image.

    Any bytes may come, and none raises an error. At most `SEGMENTS` segments are looked at, and one
    directory, which is smaller than 64 KB.

    Args:
        encoded: Scalar string.

    Returns:
        int32 scalar in 1..8; 1, as the pixels are stored, for what is not a JPEG, has no
        orientation or a malformed one.
    """

    def search():
        start, end = _find_exif(encoded)
        return tf.cond(end > 0, lambda: _orientation(encoded, start, end), lambda: tf.constant(1))

    # Most images need no search, which takes longer than all the rest here.
    return tf.cond(_may_have_exif(read_bytes(encoded, 0, 22)), search, lambda: tf.constant(1))


def reversed_axes(orientation):
    """Whether turning reverses the rows and the columns of an image as stored, boolean `[2]`."""
    orientation = tf.convert_to_tensor(orientation)
    return tf.stack(
        [tf.reduce_any(orientation == values) for values in ((3, 4, 6, 7), (2, 3, 7, 8))]
    )


def upright_sides(sides, orientation):
    """Height and width of an image once turned, `[2]`, from those as it is stored."""
    # With a slice [::-1], the remapper of TensorFlow 2.21 may fail, and then fuses no operations.
    return tf.where(tf.convert_to_tensor(orientation) >= 5, tf.reverse(sides, [0]), sides)


def turn(image, orientation):
    """Turns an image as its EXIF orientation says.

    Args:
        image: `[H, W, C]`, as stored.
        orientation: int32 scalar in 1..8.

    Returns:
        `[H, W, C]`, or `[W, H, C]` for 5 to 8, as it is meant to be seen.
    """
    orientation = tf.convert_to_tensor(orientation)

    def turned():
        upright = tf.cond(orientation >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
        upside_down = tf.reduce_any(orientation == (3, 4, 7, 8))
        mirrored = tf.reduce_any(orientation == (2, 3, 6, 7))
        return tf.reverse(upright, tf.where([upside_down, mirrored])[:, 0])

    result = tf.cond(orientation == 1, lambda: image, turned)
    return tf.ensure_shape(result, (None, None, image.shape[-1]))


def _orientation(encoded, start, end):
    """The orientation in the TIFF data from `start` to `end` of a string; 1 if there is none."""
    order = read_bytes(encoded, start, 4)
    big = _equal(order, tuple(b"MM\0*"))
    known = big | _equal(order, tuple(b"II*\0"))

    def number(digits):
        """Unsigned integers from the last axis."""
        digits = tf.where(big, digits, tf.reverse(digits, [-1]))
        powers = tf.constant([256**power for power in range(digits.shape[-1])][::-1], tf.int64)
        return tf.reduce_sum(tf.cast(digits, tf.int64) * powers, axis=-1)

    # int64 from here on, for offsets have 32 bits without a sign.
    start, end = tf.cast(start, tf.int64), tf.cast(end, tf.int64)
    directory = tf.minimum(start + number(read_bytes(encoded, start + 4, 4)), end)
    entries = directory + 2
    whole = tf.maximum(end - entries, 0) // _ENTRY
    count = tf.minimum(number(read_bytes(encoded, directory, 2)), whole)
    table = tf.reshape(read_bytes(encoded, entries, count * _ENTRY), (-1, _ENTRY))
    found = (
        (number(table[:, :2]) == _ORIENTATION)
        & (number(table[:, 2:4]) == _SHORT)
        & (number(table[:, 4:8]) == 1)
    )
    values = tf.boolean_mask(number(table[:, 8:10]), found)
    value = tf.cast(tf.concat([values, [1]], axis=0)[0], tf.int32)
    return tf.where(known & (value >= 1) & (value <= 8), value, 1)


def _may_have_exif(head):
    """Whether there can be EXIF data, by the first 22 bytes: none follow where a JPEG begins with
    JFIF's 16 bytes and goes on with its tables."""
    jpeg = _equal(head[:2], (0xFF, 0xD8))
    jfif = _equal(head[2:6], (0xFF, 0xE0, 0, 16))
    return jpeg & ~(jfif & ~_before_tables(head[21]) & (head[21] != 0xFF))


def _before_tables(marker):
    """Whether a marker is that of a comment or of what applications store, APPn."""
    return ((marker >= 0xE0) & (marker <= 0xEF)) | (marker == 0xFE)


def _find_exif(encoded):
    """Where the TIFF part of the first EXIF segment begins and ends, int32; the end is 0 without
    any."""
    size = tf.strings.length(encoded)

    def go_on(_, place, end):
        return (place > 0) & (end == 0)

    def look(segment, place, end):
        head = read_bytes(encoded, place, _HEAD)  # 0xFF, marker, length of what follows
        marker, length = head[1], head[2] * 256 + head[3]
        after = place + 2 + length
        padding, skipped = marker == 0xFF, _before_tables(marker) & (length >= 2)
        sound = (head[0] == 0xFF) & (padding | skipped) & (place < size)
        is_exif = sound & (marker == _APP1) & _equal(head[4:], _EXIF) & (length >= 2 + len(_EXIF))
        further = tf.where(padding, place + 1, after)
        place = tf.where(is_exif, place + _HEAD, tf.where(sound, further, 0))
        return segment + 1, place, tf.where(is_exif, tf.minimum(after, size), 0)

    start = tf.where(_equal(read_bytes(encoded, 0, 2), (0xFF, 0xD8)), 2, 0)
    _, place, end = tf.while_loop(go_on, look, (0, start, 0), maximum_iterations=SEGMENTS)
    return place, end


def read_bytes(encoded, start, count):
    """`count` bytes from `start`, int32; zeros beyond the end. An integer gives a static shape."""
    size = tf.strings.length(encoded)
    start = tf.minimum(tf.cast(start, tf.int32), size)
    count = count if isinstance(count, int) else tf.cast(count, tf.int32)
    part = tf.strings.substr(encoded, start, count)
    content = tf.cast(tf.io.decode_raw(part, tf.uint8), tf.int32)
    return tf.reshape(tf.pad(content, [[0, count - tf.size(content)]]), (count,))


def _equal(numbers, expected):
    return tf.reduce_all(numbers == expected)
