"""Checkpoints: everything that the rest of a run depends on, in one NumPy file.

`checkpoints/step-00000123.npz` holds the state after 123 steps: weights, BatchNorm's statistics,
random states, their moving averages, the optimizer's variables with loss scale and step, the
epoch's metrics so far, and the place in the data.
"""

import dataclasses
import re
import zipfile

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
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise SettingError(f"cannot read the checkpoint {path}: {error}") from error
    position = {name: arrays.pop(name, None) for name in Position.__dataclass_fields__}
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    if None in position.values() or shapes != {name: a.shape for name, a in arrays.items()}:
        raise SettingError(f"{path} is a checkpoint of another network or recipe")
    for name, variable in variables.items():
        _write(variable, arrays[name])
    if strategy.num_replicas_in_sync > 1:
        separate_random_states(strategy, trainer.network)
    return Position(**{name: value.item() for name, value in position.items()})


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


def _read(variable):
    copies, summed = _copies(variable)
    return sum(copy.numpy() for copy in copies) if summed else copies[0].numpy()


def _write(variable, value):
    copies, summed = _copies(variable)
    for index, copy in enumerate(copies):
        copy.assign(np.zeros_like(value) if summed and index else value)
