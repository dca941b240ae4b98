"""A training run, from a recipe to a folder of results."""

import contextlib
import pathlib
import tempfile
import typing

import keras
import tensorflow as tf

from common.errors import SettingError, WriteError
from pale_tf import rematerialize
from pale_tf.decay import no_weight_decay
from pale_tf.weights import load_weights
from training.data.batches import (
    Transforms,
    evaluation_batches,
    evaluation_steps,
    steps_per_epoch,
    traced_once,
)
from training.data.batches import training_batches as batches_of_epoch
from training.data.sources import Source
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
from training.loop.optimizer import make_optimizer, make_schedule
from training.loop.stopping import Guard
from training.loop.trainer import Trainer
from training.recipe import Recipe
from training.settings import RunSettings
from training.tasks import Task, check_settings, load_task


class Run(typing.NamedTuple):
    """The parts of a run.

    Attributes:
        recipe, settings, task: The `Recipe`, the `RunSettings` and the `Task`.
        strategy: The `tf.distribute.Strategy`.
        source: The `Source` of the images.
        transforms: The task's `Transforms`.
        steps: Optimizer steps in an epoch.
        trainer: The `Trainer`.
        position: The `checkpoints.Position`, which moves on.
        unreadable: The `Unreadable`.
        chief: Whether this worker writes the run's folder.
    """

    recipe: Recipe
    settings: RunSettings
    task: Task
    strategy: tf.distribute.Strategy
    source: Source
    transforms: Transforms
    steps: int
    trainer: Trainer
    position: checkpoints.Position
    unreadable: Unreadable
    chief: bool


def train(recipe, settings, task=None):
    """Trains, evaluates and writes the run folder.

    Args:
        recipe: The `Recipe`.
        settings: The `RunSettings`; `settings.out` holds a run to go on with, or nothing.
        task: The `Task`; defaults to the one that the recipe names.

    Raises:
        SettingError: Before anything is written, if the data or the machine rule a setting out.
        ProgramError: If the run has to end early.
    """
    task = task or load_task(recipe.task)
    check_settings(task, recipe)
    tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(recipe.precision)
    strategy = make_strategy(settings.strategy, settings.cpu_replicas)
    check_batch(strategy, recipe.batch_size, recipe.accumulate)
    with errors_in_one_line(settings.strategy):
        run, notes = prepare(recipe, settings, task, strategy)
        if run.chief:
            run_folder.write_start(run)
            print(run_folder.introduction(run, notes), flush=True)
        fit(run)
        if run.chief:
            run_folder.write_end(run)
            print(run_folder.summary(settings.out, task))


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


def prepare(recipe, settings, task, strategy):
    """Opens the data, builds the network, and goes to the last checkpoint if there is one.

    Returns:
        The `Run`, and the `WeightsReport` of the weights that it starts from, or None.
    """
    source = chief_first(strategy, lambda: task.open_source(recipe.dataset, settings.data_dir))
    steps = steps_per_epoch(source, recipe.batch_size)
    # Not before: TFDS draws random numbers when it makes a data set, but not when it finds one.
    keras.utils.set_random_seed(settings.seed)
    position = checkpoints.Position()
    saved = checkpoints.list_checkpoints(settings.out / run_folder.CHECKPOINTS)
    trainer, notes = make_trainer(
        strategy,
        recipe,
        task,
        source,
        steps,
        weights=None if saved else settings.weights,
        rematerialized=settings.rematerialize,
        jit=settings.jit,
        steps_per_execution=settings.steps_per_execution,
    )
    if saved:
        position = checkpoints.restore(saved[-1], strategy, trainer)
    chief = worker_of(strategy)[0] == 0
    folder = settings.out if chief else pathlib.Path(tempfile.mkdtemp(prefix="pale_tf-worker-"))
    unreadable = Unreadable(settings.max_unreadable, folder / run_folder.UNREADABLE)
    transforms = traced_once(task.make_transforms(recipe, source))
    run = Run(
        *(recipe, settings, task, strategy, source, transforms, steps, trainer, position),
        *(unreadable, chief),
    )
    return run, notes


def make_trainer(
    strategy,
    recipe,
    task,
    source,
    steps_per_epoch,
    *,
    weights=None,
    rematerialized=(),
    jit=False,
    steps_per_execution=1,
):
    """Builds everything that is trained, in the scope of a strategy.

    Args:
        strategy: A `tf.distribute.Strategy`.
        recipe: The `Recipe`.
        task: The `Task`.
        source: The `Source` of the images.
        steps_per_epoch: Optimizer steps in an epoch.
        weights: Path of the weights to start from, or None.
        rematerialized: Stages to `rematerialize`.
        jit: Whether XLA compiles the step.
        steps_per_execution: Steps in one execution of TensorFlow.

    Returns:
        A compiled `Trainer` with a built optimizer, and the report of the loaded weights, or None.

    Raises:
        SettingError: If the weights are not those of such a network.
    """
    with strategy.scope():
        network, notes = task.make_network(recipe, source), None
        if weights is not None:
            try:
                notes = load_weights(network, weights)
            except ValueError as error:
                raise SettingError(" ".join(str(error).split())) from error
        if rematerialized:
            rematerialize(network, rematerialized)
        metrics = task.make_metrics(source)
        trainer = Trainer(network, task, metrics, recipe.accumulate, recipe.ema_decay)
        optimizer = make_optimizer(recipe, steps_per_epoch, no_weight_decay(network))
        # Not Keras' "auto": XLA on a CPU is slower than the plain graph and takes long to compile.
        trainer.compile(optimizer, jit_compile=jit, steps_per_execution=steps_per_execution)
        trainer.optimizer.build(network.trainable_variables)
    prepare_replicas(strategy, network)
    return trainer, notes


def fit(run):
    """Trains from the position of a run to its end, and moves it there."""
    settings, position, trainer = run.settings, run.position, run.trainer
    # Of several workers, one cannot go back by itself to a step that the others have begun. Of
    # several steps together, nobody knows which of them an error has left out.
    guarded = settings.strategy == "multi_worker" or settings.steps_per_execution > 1

    def save():
        if run.chief:
            folder = settings.out / run_folder.CHECKPOINTS
            checkpoints.save(folder, trainer, position, run.steps, settings.keep_checkpoints)

    rate = make_schedule(run.recipe, run.steps)
    guard = Guard(position, save, settings.checkpoint_every, run.steps, rate, run.unreadable)
    show = contextlib.nullcontext()
    if run.chief:
        show = monitor.Monitor(settings.out, run.recipe, run.task.score, run.steps, guard)
    validation = validation_batches(run)
    with show:
        if run.chief and guard.step == 0:
            batch_size = run.recipe.batch_size
            show.write_samples(next(iter(training_batches(run, True)(batch_size, (0, 1))))[0])
        callbacks = [guard, *show.callbacks] if run.chief else [guard]
        while position.epoch < run.recipe.epochs:
            try:
                train_epoch(run, guarded, callbacks)
            except tf.errors.InvalidArgumentError:
                if guarded:
                    raise
                guarded = True  # an image that looked whole: go on after the last step
                continue
            scores = read_scores(trainer)
            scores |= evaluate(run, validation)
            position.epoch, position.step = position.epoch + 1, 0
            if run.chief:
                show.end_epoch(scores)
            run.unreadable.check()
            save()
            guard.check_terminated()


def train_epoch(run, guarded, callbacks):
    """Trains from the position of a run to the end of the epoch."""
    position = run.position
    run.trainer.fit(
        distribute(run.strategy, training_batches(run, guarded), run.recipe.batch_size),
        shuffle=False,  # the batches are
        steps_per_epoch=run.steps - position.step,
        initial_epoch=position.epoch,
        epochs=position.epoch + 1,
        callbacks=callbacks,
        verbose=0,
    )


def training_batches(run, guarded):
    """The batches of a run from its position on: a function of `batch_size` and `shard`."""
    position = run.position

    def make(batch_size, shard):
        endless = batches_of_epoch(
            *(run.source, run.transforms, batch_size, run.settings.seed, position.epoch),
            *(run.unreadable, position.step, guarded, shard),
        )
        # Keras runs past the end of the epoch if its steps do not divide into executions.
        several = run.settings.steps_per_execution > 1
        return endless.take(run.steps - position.step) if several else endless

    return make


def validation_batches(run):
    """The validation images, spread over the replicas."""

    def make(batch_size, shard):
        return evaluation_batches(
            run.source, "validation", run.transforms, batch_size, run.unreadable, shard
        )

    return distribute(run.strategy, make, run.recipe.batch_size)


def evaluate(run, batches):
    """Scores on the validation images, of the weights and of their averages."""
    trainer = run.trainer
    steps = evaluation_steps(run.source, "validation", run.recipe.batch_size)

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
