"""Errors that end a training run early, each with the exit code of docs/training.md."""

import signal

from common.errors import ProgramError


class NonFiniteLossError(ProgramError):
    """The loss became infinite or NaN."""

    exit_code = 3


class WorkerLostError(ProgramError):
    """Another worker of the cluster is gone."""

    exit_code = 5


class UnreadableImagesError(ProgramError):
    """More images cannot be used than the run tolerates."""

    exit_code = 6


class OutOfMemoryError(ProgramError):
    """The batch does not fit into the memory of the device."""

    exit_code = 7


class ReadError(ProgramError):
    """A file of the data set is gone, or may not be read any longer."""

    exit_code = 8


class TerminatedError(ProgramError):
    """SIGTERM or SIGINT arrived; a checkpoint was saved.

    Args:
        received: The `signal.Signals`; the exit code is 128 more than its number.
    """

    exit_code = 128 + signal.SIGTERM

    def __init__(self, received=signal.SIGTERM):
        super().__init__(f"{received.name}: a checkpoint was saved; --resume goes on from it")
        self.exit_code = 128 + received
