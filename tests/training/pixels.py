"""Images whose pixels tell where they come from."""

import numpy as np
import tensorflow as tf


def ramps(height, width):
    """An image whose red is the row and whose green is the column: uint8 `[height, width, 3]`."""
    rows, columns = np.indices((height, width))
    return np.stack([rows, columns, np.zeros_like(rows)], axis=-1).astype("uint8")


def jpeg(seed, size=(60, 80)):
    """A JPEG of random noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), "uint8")
    return tf.io.encode_jpeg(pixels, quality=90).numpy()


def with_bad_tables(content):
    """A JPEG that looks whole, but has more Huffman codes than there can be."""
    counts = content.index(b"\xff\xc4") + 5
    return content[:counts] + b"\xff" * 16 + content[counts + 16 :]


def write_images(root, labels, count):
    """Writes `count` JPEGs into a folder for each label."""
    for label in labels:
        (root / label).mkdir(parents=True)
        for index in range(count):
            (root / label / f"{index}.jpg").write_bytes(jpeg(index))
