"""Errors of TensorFlow that are no fault of the program."""

import contextlib

import tensorflow as tf

from common.errors import WriteError
from training.errors import OutOfMemoryError, ReadError, WorkerLostError


@contextlib.contextmanager
def errors_in_one_line(strategy):
    """Makes a `ProgramError` of those errors of TensorFlow that are no fault of the program."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = " ".join(error.message.split())[:200]
        if isinstance(error, tf.errors.ResourceExhaustedError) and "No space left" in reason:
            raise WriteError(f"the disk is full ({reason})") from error
        if isinstance(error, tf.errors.ResourceExhaustedError):
            raise OutOfMemoryError(
                f"out of memory: a smaller --batch-size takes less, or --accumulate ({reason})"
            ) from error
        if isinstance(error, tf.errors.NotFoundError | tf.errors.PermissionDeniedError):
            raise ReadError(f"a file can no longer be read ({reason})") from error
        if strategy != "multi_worker" or isinstance(error, tf.errors.InvalidArgumentError):
            raise
        raise WorkerLostError(
            f"another worker is gone; start all workers again with --resume ({reason})"
        ) from error
