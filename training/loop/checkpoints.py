"""Checkpoints: everything that the rest of a run depends on, in one NumPy file.

`checkpoints/step-00000123.npz` holds the state after 123 steps: weights, BatchNorm's statistics,
random states, their moving averages, the optimizer's variables with loss scale and step, the
epoch's metrics so far, and the place in the data.
"""

import contextlib
import dataclasses
import re

import numpy as np
import tensorflow as tf

from common.errors import SettingError
from common.files import replacing
from training.distribution.strategies import separate_random_states

NAME = re.compile(r"step-(\d+)\.npz")


@dataclasses.dataclass
class Position:
    """A place in a run.

    Attributes:
        epoch: Number of finished epochs.
        step: Number of finished steps in the epoch that runs.
        seconds: Time that training took so far.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0


def save(folder, trainer, position, steps_per_epoch, keep):
    """Writes a checkpoint, whole or not at all, and deletes all but the last `keep`.

    Args:
        folder: Folder of the checkpoints.
        trainer: A `Trainer` with a built optimizer.
        position: The `Position`.
        steps_per_epoch: Steps in an epoch.
        keep: Number of checkpoints to keep.

    Raises:
        WriteError: If it cannot be written. No earlier checkpoint is deleted then.
    """
    arrays = {name: np.asarray(value) for name, value in dataclasses.asdict(position).items()}
    arrays |= {name: _read(variable) for name, variable in _variables(trainer).items()}
    step = position.epoch * steps_per_epoch + position.step
    folder.mkdir(exist_ok=True)
    with replacing(folder / f"step-{step:08d}.npz") as path:
        np.savez(path, **arrays)
    for old in [*list_checkpoints(folder)[:-keep], *folder.glob(".step-*")]:
        old.unlink()  # the latter are what a killed run left half-written


def restore(path, strategy, trainer):
    """Puts a trainer into the state that a checkpoint holds.

    Args:
        path: Path of a checkpoint.
        strategy: The strategy in whose scope the trainer was made. It need not be that of the run
            so far.
        trainer: A `Trainer` with a built optimizer, of the same recipe.

    Returns:
        The `Position`.

    Raises:
        SettingError: If the file is no checkpoint of such a trainer. Nothing is changed then.
    """
    variables = _variables(trainer)
    arrays = _read_arrays(path)
    position = {name: arrays.pop(name, None) for name in Position.__dataclass_fields__}
    found = {name: (array.shape, array.dtype.kind) for name, array in arrays.items()}
    expected = {name: (tuple(v.shape), _kind(v)) for name, v in variables.items()}
    if found != expected or not _is_position(position):
        raise SettingError(f"{path} is a checkpoint of another network or recipe")
    for name, variable in variables.items():
        _write(variable, arrays[name])
    if strategy.num_replicas_in_sync > 1:
        separate_random_states(strategy, trainer.network)
    return Position(**{name: value.item() for name, value in position.items()})


def restore_newest(folder, strategy, trainer):
    """Puts a trainer into the state of the newest checkpoint that can be read.

    Newer ones that cannot be read stay, under another name.

    Args:
        folder: Folder of the checkpoints, with one at least.
        strategy, trainer: As in `restore`.

    Returns:
        The `Position`, and a line for each checkpoint that was passed over.

    Raises:
        SettingError: If none can be read. Nothing is changed then.
    """
    passed = {}
    for path in reversed(list_checkpoints(folder)):
        try:
            position = restore(path, strategy, trainer)
        except SettingError as error:
            passed[path] = error
            continue
        return position, [_set_aside(*damaged) for damaged in passed.items()]
    raise next(iter(passed.values()))


def _set_aside(path, error):
    """Takes a checkpoint out of the list, so that no whole one is deleted for it; a line of text.

    Of several workers, the first one does it for all.
    """
    with contextlib.suppress(OSError):
        path.rename(path.with_name(f"{path.name}.damaged"))
    return f"passed over {path.name}: {error}"


def _read_arrays(path):
    """All arrays of a checkpoint by name, or a `SettingError`."""
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    # NumPy reads the members of a damaged archive with `zipfile` and `ast`, which raise what they
    # like: zlib.error, struct.error, SyntaxError, TokenError, NotImplementedError, MemoryError ...
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SettingError(f"cannot read the checkpoint {path}: {reason}") from error


def _is_position(arrays):
    """Whether a dict of arrays or None holds a `Position`."""
    if any(array is None or array.shape != () for array in arrays.values()):
        return False
    whole = all(arrays[name].dtype.kind == "i" and arrays[name] >= 0 for name in ("epoch", "step"))
    seconds = arrays["seconds"]
    return whole and seconds.dtype.kind == "f" and bool(np.isfinite(seconds))


def list_checkpoints(folder):
    """Paths of the checkpoints in a folder, the oldest first."""
    found = {path: NAME.fullmatch(path.name) for path in folder.glob("step-*.npz")}
    return sorted((path for path in found if found[path]), key=lambda path: int(found[path][1]))


def read_metrics(trainer):
    """The values of an epoch's metrics so far."""
    return [_read(variable) for variable in _metrics(trainer)]


def write_metrics(trainer, values):
    """Puts back what `read_metrics` returned."""
    for variable, value in zip(_metrics(trainer), values, strict=True):
        _write(variable, value)


def _metrics(trainer):
    return [variable for score in trainer.scores for variable in score.variables]


def _variables(trainer):
    """All variables of a trainer, by names that do not change from one start to the next."""
    groups = {
        "network": trainer.network.variables,
        "average": trainer.averages,
        "optimizer": trainer.optimizer.variables,
        "metrics": _metrics(trainer),
    }
    return {
        f"{group}/{index:04d}/{variable.path}": variable
        for group, variables in groups.items()
        for index, variable in enumerate(variables)
    }


def _copies(variable):
    """The copies of a variable on the replicas of this worker, and whether they are to be summed.

    Read one by one, not through the variable: that would communicate with other workers, which may
    be gone.
    """
    copies = getattr(variable.value, "values", (variable.value,))
    synchronization = getattr(variable.value, "synchronization", None)
    return copies, synchronization == tf.VariableSynchronization.ON_READ


def _kind(variable):
    return np.dtype(variable.value.dtype.as_numpy_dtype).kind


def _read(variable):
    copies, summed = _copies(variable)
    return sum(copy.numpy() for copy in copies) if summed else copies[0].numpy()


def _write(variable, value):
    copies, summed = _copies(variable)
    for index, copy in enumerate(copies):
        copy.assign(np.zeros_like(value) if summed and index else value)
