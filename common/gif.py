"""The first frame of a GIF, found without decoding it.

Decoders take all frames of a GIF into memory before they give the first one. A few kilobytes can be
hundreds of frames of millions of pixels each.
"""

import tensorflow as tf

HEADER = 13  # bytes of signature and screen
_EXTENSION, _IMAGE = 0x21, 0x2C
_END = b";"

# What is looked at: encoders write blocks of 255 bytes, and few extensions before the first frame.
_MOST_EXTENSIONS, _MOST_BLOCKS = 16, 2**13  # 2 MB


def first_frame(encoded):
    """Cuts a GIF off after its first frame.

    Args:
        encoded: Scalar string, a GIF.

    Returns:
        Scalar string: a GIF of one frame, or `encoded` with an end where it is damaged; and the
        number of pixels of that frame, int64, 0 if there is none.
    """
    content = tf.cast(tf.io.decode_raw(encoded, tf.uint8), tf.int64)
    size = tf.size(content, tf.int64)
    content = tf.pad(content, [[0, 16]])  # so that no read is beyond the end

    def table(flags):
        """Bytes of a table of colors."""
        return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)

    def blocks_end(place):
        """The place after a chain of blocks, each of which begins with its length."""
        place = tf.while_loop(
            lambda place: (place < size) & (content[tf.minimum(place, size)] != 0),
            lambda place: [place + 1 + content[place]],
            [place],
            maximum_iterations=_MOST_BLOCKS,
        )[0]
        return tf.minimum(place, size) + 1

    # Extensions before the frame: a label, and a chain of blocks.
    begin = tf.while_loop(
        lambda place: (place < size) & (content[tf.minimum(place, size)] == _EXTENSION),
        lambda place: [blocks_end(place + 2)],
        [HEADER + table(content[10])],
        maximum_iterations=_MOST_EXTENSIONS,
    )[0]
    begin = tf.minimum(begin, size)
    head = tf.gather(content, begin + tf.range(10, dtype=tf.int64), name="descriptor")
    sides = head[5:8:2] + 256 * head[6:9:2]
    pixels = tf.where(head[0] == _IMAGE, tf.reduce_prod(sides), 0)
    # The descriptor, its table of colors, the size of a code, and the pixels.
    end = blocks_end(tf.minimum(begin + 11 + table(head[9]), size))
    length = tf.cast(tf.minimum(end, size), tf.int32)
    return tf.strings.substr(encoded, 0, length) + _END, pixels
