"""A training run, from a recipe to a folder of results."""

import contextlib
import pathlib
import tempfile

import keras
import tensorflow as tf

from common.errors import WriteError
from pale_tf import rematerialize
from training.data.batches import (
    evaluation_batches,
    evaluation_steps,
    steps_per_epoch,
    training_batches,
)
from training.data.sources import open_source
from training.data.unreadable import Unreadable
from training.distribution.strategies import (
    check_batch,
    chief_first,
    distribute,
    make_strategy,
    prepare_replicas,
    worker_of,
)
from training.errors import OutOfMemoryError, ReadError, WorkerLostError
from training.loop import checkpoints, monitor, run_folder
from training.loop.model import make_network
from training.loop.optimizer import exclude_from_decay, make_optimizer, make_schedule
from training.loop.stopping import Survival
from training.loop.trainer import Trainer


def train(recipe, flags):
    """Trains, evaluates and writes the run folder.

    Args:
        recipe: The `Recipe`, flags applied.
        flags: The parsed flags of `fit.py`; `flags.out` holds a run to go on with, or nothing.

    Raises:
        SettingError: Before anything is written, if the data or the machine rule a setting out.
        ProgramError: If the run has to end early.
    """
    tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(recipe.precision)
    strategy = make_strategy(flags.strategy, flags.cpu_replicas)
    check_batch(strategy, recipe)
    with errors_in_one_line(flags.strategy):
        train_under(strategy, recipe, flags)


def train_under(strategy, recipe, flags):
    """`train` under a `tf.distribute.Strategy`."""
    source = chief_first(strategy, lambda: open_source(recipe.dataset, flags.data_dir))
    steps = steps_per_epoch(source, recipe)
    # Not before: TFDS draws numbers when it makes a data set, and none when it finds it.
    keras.utils.set_random_seed(flags.seed)
    position = checkpoints.Position()
    saved = checkpoints.list_checkpoints(flags.out / run_folder.CHECKPOINTS)
    weights = None if saved else flags.weights
    trainer, report = make_trainer(
        strategy,
        recipe,
        len(source.labels),
        steps,
        weights,
        stages=flags.rematerialize,
        jit=flags.jit,
        together=flags.steps_per_execution,
    )
    if saved:
        position = checkpoints.restore(saved[-1], strategy, trainer)
    chief = worker_of(strategy)[0] == 0
    if chief:
        run_folder.write_start(flags, recipe, strategy.num_replicas_in_sync, source, position)
        print(run_folder.introduction(recipe, source, position, report), flush=True)
    folder = flags.out if chief else pathlib.Path(tempfile.mkdtemp(prefix="pale_tf-worker-"))
    unreadable = Unreadable(flags.max_unreadable, folder / run_folder.UNREADABLE)
    fit(recipe, flags, strategy, source, trainer, position, unreadable, chief)
    if chief:
        run_folder.write_end(flags.out, trainer, source, recipe, unreadable, position.seconds)
        print(run_folder.summary(flags.out))


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


def make_trainer(
    strategy, recipe, classes, steps_per_epoch, weights=None, *, stages=(), jit=False, together=1
):
    """Builds everything that is trained, in the scope of a strategy.

    Args:
        strategy: A `tf.distribute.Strategy`.
        recipe: The `Recipe`.
        classes: Number of classes.
        steps_per_epoch: Optimiser steps in an epoch.
        weights: Path of the weights to start from, or None.
        stages: Stages to `rematerialize`.
        jit: Whether XLA compiles the step.
        together: Steps in one execution of TensorFlow.

    Returns:
        A compiled `Trainer` with a built optimiser, and the report of the loaded weights, or None.
    """
    with strategy.scope():
        network, report = make_network(recipe, classes, weights)
        rematerialize(network, stages)
        trainer = Trainer(network, recipe)
        optimizer = make_optimizer(recipe, steps_per_epoch)
        exclude_from_decay(optimizer, network.trainable_variables)
        # Not Keras' "auto": XLA on a CPU is slower than the plain graph and takes long to compile.
        trainer.compile(optimizer, jit_compile=jit, steps_per_execution=together)
        trainer.optimizer.build(network.trainable_variables)
    prepare_replicas(strategy, network)
    return trainer, report


def fit(recipe, flags, strategy, source, trainer, position, unreadable, chief):
    """Trains from `position` to the end, and moves it there."""
    steps = steps_per_epoch(source, recipe)
    # Of several workers, one cannot go back by itself to a step that the others have begun. Of
    # several steps together, nobody knows which of them an error has left out.
    guarded = flags.strategy == "multi_worker" or flags.steps_per_execution > 1

    def save():
        if chief:
            folder = flags.out / run_folder.CHECKPOINTS
            checkpoints.save(folder, trainer, position, steps, flags.keep_checkpoints)

    def batches(**options):
        endless = training_batches(
            *(source, recipe, flags.seed, position.epoch, unreadable, position.step),
            **{"guarded": guarded, **options},
        )
        # Keras runs past the end of the epoch if its steps do not divide into executions.
        return endless.take(steps - position.step) if flags.steps_per_execution > 1 else endless

    def validation_batches(**worker):
        return evaluation_batches(source, "validation", recipe, unreadable, **worker)

    validation = distribute(strategy, validation_batches, recipe.batch_size)
    validation_steps = evaluation_steps(source, "validation", recipe.batch_size)
    rate = make_schedule(recipe, steps)
    survival = Survival(position, save, flags.checkpoint_every, steps, rate, unreadable)
    show = monitor.Sight(flags.out, recipe, steps, survival) if chief else contextlib.nullcontext()
    with show:
        if chief and survival.step == 0:
            show.write_samples(next(iter(batches(guarded=True)))[0])
        callbacks = [survival, *show.callbacks] if chief else [survival]
        while position.epoch < recipe.epochs:
            try:
                trainer.fit(
                    distribute(strategy, batches, recipe.batch_size),
                    shuffle=False,  # the batches are
                    steps_per_epoch=steps - position.step,
                    initial_epoch=position.epoch,
                    epochs=position.epoch + 1,
                    callbacks=callbacks,
                    verbose=0,
                )
            except tf.errors.InvalidArgumentError:
                if guarded:
                    raise
                guarded = True  # an image that looked whole: go on after the last step
                continue
            scores = read_scores(trainer)
            scores |= evaluate(trainer, validation, validation_steps)
            position.epoch, position.step = position.epoch + 1, 0
            if chief:
                show.end_epoch(scores)
            unreadable.check()
            save()
            survival.check_terminated()


def evaluate(trainer, batches, steps):
    """Scores on the validation images, of the weights and of their averages."""

    def score(prefix):
        trainer.evaluate(batches, steps=steps, verbose=0)
        return {f"{prefix}{name}": value for name, value in read_scores(trainer).items()}

    scores = score("val_")
    if trainer.averages:
        trainer.swap_averages()
        scores |= score("val_ema_")
        trainer.swap_averages()
    return scores


def read_scores(trainer):
    """The trainer's metrics, as numbers."""
    return {name: float(value) for name, value in trainer.get_metrics_result().items()}
