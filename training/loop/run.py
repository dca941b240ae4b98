"""A training run, from a recipe to a folder of results."""

import contextlib
import pathlib
import tempfile
import typing

import keras
import tensorflow as tf

from training.data.batches import (
    Transforms,
    evaluation_batches,
    evaluation_steps,
    steps_per_epoch,
    traced_once,
    training_batches,
)
from training.data.sources import Source
from training.data.unreadable import Unreadable
from training.distribution.strategies import (
    check_batch,
    chief_first,
    distribute,
    make_strategy,
    worker_of,
)
from training.loop import checkpoints, monitor, run_folder
from training.loop.building import make_trainer
from training.loop.errors import errors_in_one_line
from training.loop.evaluation import evaluate_networks
from training.loop.optimizer import make_schedule
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
    strategy = make_strategy(settings.strategy, settings.cpu_replicas, settings.wait)
    check_batch(strategy, recipe.batch_size, recipe.accumulate, task.smallest_part)
    with errors_in_one_line(settings.strategy):
        run, notes = prepare(recipe, settings, task, strategy)
        if run.chief:
            run_folder.write_start(run)
            print(run_folder.introduction(run, notes), flush=True)
        else:
            index, count = worker_of(strategy)
            print(f"worker {index} of {count}; worker 0 shows the progress", flush=True)
        fit(run)
        if run.chief:
            run_folder.write_end(run)
            print(run_folder.summary(settings.out, task))


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
    folder = settings.out / run_folder.CHECKPOINTS
    saved = checkpoints.list_checkpoints(folder)
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
        position, passed_over = checkpoints.restore_newest(folder, strategy, trainer)
        print("".join(f"{line}\n" for line in passed_over), end="", flush=True)
    chief = worker_of(strategy)[0] == 0
    folder = settings.out if chief else pathlib.Path(tempfile.mkdtemp(prefix="pale_tf-worker-"))
    unreadable = Unreadable(settings.max_unreadable, folder / run_folder.UNREADABLE)
    transforms = traced_once(task.make_transforms(recipe, source))
    run = Run(
        recipe=recipe,
        settings=settings,
        task=task,
        strategy=strategy,
        source=source,
        transforms=transforms,
        steps=steps,
        trainer=trainer,
        position=position,
        unreadable=unreadable,
        chief=chief,
    )
    return run, notes


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
        show = monitor.Monitor(settings.out, run.recipe, run.task, run.steps, guard)
    score = whole_validation(run) if run.task.validated_whole else batch_validation(run)
    with guard, show:
        if run.chief and guard.step == 0:
            batch_size = run.recipe.batch_size
            show.write_samples(next(iter(remaining_batches(run, True)(batch_size, (0, 1))))[0])
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
            scores |= evaluate(run, score)
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
        distribute(run.strategy, remaining_batches(run, guarded), run.recipe.batch_size),
        shuffle=False,  # the images are shuffled already
        steps_per_epoch=run.steps - position.step,
        initial_epoch=position.epoch,
        epochs=position.epoch + 1,
        callbacks=callbacks,
        verbose=0,
    )


def remaining_batches(run, guarded):
    """The batches of a run from its position on: a function of `batch_size` and `shard`."""
    position = run.position

    def make(batch_size, shard):
        endless = training_batches(
            run.source,
            run.transforms,
            batch_size,
            run.settings.seed,
            position.epoch,
            run.unreadable,
            first_step=position.step,
            guarded=guarded,
            shard=shard,
            padding=run.task.padding,
        )
        # Keras runs past the end of the epoch if its steps do not divide into executions.
        several = run.settings.steps_per_execution > 1
        return endless.take(run.steps - position.step) if several else endless

    return make


def batch_validation(run):
    """A function that scores the weights on the validation images, spread over the replicas."""

    def make(batch_size, shard):
        batches = evaluation_batches(
            run.source, "validation", run.transforms, batch_size, run.unreadable, shard
        )
        return batches.repeat()  # one iterator: a new one takes longer than a small network

    batches = iter(distribute(run.strategy, make, run.recipe.batch_size))
    steps = evaluation_steps(run.source, "validation", run.recipe.batch_size)

    def score():
        run.trainer.evaluate_next(batches, steps)
        return read_scores(run.trainer)

    return score


def whole_validation(run):
    """A function that scores the weights on the whole validation images, in the chief alone."""
    infer = tf.function(
        run.task.make_inference(run.trainer.finished, run.recipe.settings), reduce_retracing=True
    )

    def score():
        if not run.chief:
            return {}
        reports = evaluate_networks(
            {"": infer},
            run.task,
            run.source,
            "validation",
            run.transforms,
            run.recipe.batch_size,
            run.unreadable,
        )
        return reports[""].scores()

    return score


def evaluate(run, score):
    """Scores on the validation images, of the weights and of their averages."""
    trainer = run.trainer
    scores = {f"val_{name}": value for name, value in score().items()}
    if trainer.averages:
        trainer.swap_averages()
        scores |= {f"val_ema_{name}": value for name, value in score().items()}
        trainer.swap_averages()
    return scores


def read_scores(trainer):
    """The trainer's metrics, as numbers."""
    return {name: float(value) for name, value in trainer.get_metrics_result().items()}
