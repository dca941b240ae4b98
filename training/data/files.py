"""Examples that are files: read one by one, in any order, by any worker."""

import os

import tensorflow as tf


def make_read(splits, row, load):
    """Makes the `read` of a `Source` whose examples are files.

    Args:
        splits: A list of examples for each split; none is empty.
        row: Function of an example to a tuple of values, such as those that `openable` gives. It is
            called whenever a split is read.
        load: Function of such a tuple, of scalar tensors, to an element of the data set.

    Returns:
        The function `(split, seed=None, shard=(0, 1))` to a `tf.data.Dataset` that
        `training.data.sources.Source` describes.
    """

    def read(split, seed=None, shard=(0, 1)):
        rows = list(map(row, splits[split]))
        dataset = tf.data.Dataset.from_tensor_slices(tuple(map(list, zip(*rows, strict=True))))
        if seed is not None:
            dataset = dataset.shuffle(len(rows), seed=seed)
        return dataset.shard(shard[1], shard[0]).map(load, num_parallel_calls=tf.data.AUTOTUNE)

    return read


def openable(path):
    """A path as bytes, for a name need not be text; empty if there is no such file that may be
    read."""
    return os.fsencode(path) if os.access(path, os.R_OK) else b""


def contents(path):
    """The contents of a file, in a graph; empty if its path is.

    What may not be read thus counts as an image that cannot be decoded.

    Args:
        path: Scalar string, as `openable` gives it.

    Returns:
        Scalar string.
    """
    return tf.cond(path == b"", lambda: tf.constant(b""), lambda: tf.io.read_file(path))
