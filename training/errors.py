"""What ends a training program early: one line of text, and the exit code of docs/training.md."""


class TrainingError(Exception):
    """A run cannot start or go on. The text is one line and names what is wrong."""

    exit_code = 1


class SettingError(TrainingError, ValueError):
    """A setting that cannot work with this data or on this machine. Its text names the setting."""

    exit_code = 2


class NonFiniteLossError(TrainingError):
    """The loss became infinite or NaN."""

    exit_code = 3


class WriteError(TrainingError):
    """A file could not be written, for instance because the disk is full."""

    exit_code = 4


class WorkerLostError(TrainingError):
    """Another worker of the cluster is gone."""

    exit_code = 5


class UnreadableImagesError(TrainingError):
    """More images cannot be decoded than the run tolerates."""

    exit_code = 6


class TerminatedError(TrainingError):
    """SIGTERM arrived; a checkpoint was saved."""

    exit_code = 128 + 15
