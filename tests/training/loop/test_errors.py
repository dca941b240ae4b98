"""Errors of TensorFlow that are no fault of the program."""

import pytest
import tensorflow as tf

from common.errors import WriteError
from training.errors import OutOfMemoryError, ReadError, WorkerLostError
from training.loop.errors import errors_in_one_line


class DISK(tf.errors.ResourceExhaustedError):
    """The error of a full disk; TensorFlow has none of its own."""


def raise_in(strategy, error):
    with errors_in_one_line(strategy):
        raise error(None, None, "No space left on device\nmore" if error is DISK else "said\nmore")


@pytest.mark.parametrize(
    ("strategy", "error", "expected"),
    [
        ("none", tf.errors.ResourceExhaustedError, OutOfMemoryError),
        ("multi_worker", tf.errors.ResourceExhaustedError, OutOfMemoryError),
        ("none", DISK, WriteError),
        ("mirrored", tf.errors.NotFoundError, ReadError),
        ("multi_worker", tf.errors.UnavailableError, WorkerLostError),
        ("multi_worker", tf.errors.InternalError, WorkerLostError),
        ("none", tf.errors.InternalError, tf.errors.InternalError),
        ("multi_worker", tf.errors.InvalidArgumentError, tf.errors.InvalidArgumentError),
    ],
)
def test_errors(strategy, error, expected):
    with pytest.raises(expected) as caught:
        raise_in(strategy, error)
    if expected is not error:
        assert "\n" not in str(caught.value)
