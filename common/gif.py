"""The first frame of a GIF, found without decoding it.

Decoders take all frames of a GIF into memory before they give the first one. A few kilobytes can be
hundreds of frames of millions of pixels each.
"""

import tensorflow as tf

# What is looked at: encoders write blocks of 255 bytes, and few extensions before the first frame.
MOST_BYTES = 2**22
MOST_EXTENSIONS, MOST_BLOCKS = 16, 2**13

_HEADER = 13  # bytes of signature and screen
_EXTENSION, _IMAGE = 0x21, 0x2C
_END = b";"


def first_frame(encoded):
    """Cuts a GIF off after its first frame.

    Args:
        encoded: Scalar string, a GIF.

    Returns:
        Scalar string, a GIF of one frame; and the pixels of that frame, int64. They are 0 if no
        whole frame was found in what is looked at, and the string is then of no use.
    """
    content = tf.io.decode_raw(tf.strings.substr(encoded, 0, MOST_BYTES), tf.uint8)
    size = tf.size(content, tf.int64)
    content = tf.pad(content, [[0, 16]])  # so that no read is beyond the end

    def byte(place):
        return tf.cast(content[tf.minimum(place, size)], tf.int64)

    def table(flags):
        """Bytes of a table of colors."""
        return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)

    def blocks_end(place):
        """The place after a chain of blocks, each of which begins with its length, 0 for the last;
        `size + 1` if the chain has no end."""
        place = tf.while_loop(
            lambda place: (place < size) & (byte(place) != 0),
            lambda place: [place + 1 + byte(place)],
            [place],
            maximum_iterations=MOST_BLOCKS,
        )[0]
        return tf.where((place < size) & (byte(place) == 0), place + 1, size + 1)

    # Extensions before the frame: a label, and a chain of blocks.
    begin = tf.while_loop(
        lambda place: (place < size) & (byte(place) == _EXTENSION),
        lambda place: [blocks_end(place + 2)],
        [_HEADER + table(byte(tf.constant(10, tf.int64)))],
        maximum_iterations=MOST_EXTENSIONS,
    )[0]
    begin = tf.minimum(begin, size)
    head = tf.cast(tf.gather(content, begin + tf.range(10, dtype=tf.int64)), tf.int64)
    sides = head[5:8:2] + 256 * head[6:9:2]
    # The descriptor, its table of colors, the size of a code, and the pixels.
    end = blocks_end(begin + 11 + table(head[9]))
    whole = (head[0] == _IMAGE) & (end <= size)
    length = tf.cast(tf.minimum(end, size), tf.int32)
    return (
        tf.strings.substr(encoded, 0, length) + _END,
        tf.where(whole, tf.reduce_prod(sides), 0),
    )
