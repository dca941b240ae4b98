"""A training run, from a recipe to a folder of results."""

import sys
import time

import keras
import tensorflow as tf

from training import data, run_folder
from training.model import make_model
from training.strategies import make_strategy, prepare_replicas


def train(recipe, flags):
    """Trains, evaluates and writes the run folder.

    Args:
        recipe: The `Recipe`, flags applied.
        flags: The parsed flags of `fit.py`; `flags.out` is an empty folder.

    Raises:
        SettingError: Before anything is written, if the data or the machine rule a setting out.
    """
    folder = flags.out
    keras.utils.set_random_seed(flags.seed)
    tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(recipe.precision)
    strategy = make_strategy(flags.strategy, flags.cpu_replicas)

    splits, labels = data.load_splits(recipe, flags.data_dir)
    batches = data.training_batches(splits["train"], recipe, flags.seed)
    validation = data.evaluation_batches(splits["validation"], recipe)
    test = data.evaluation_batches(splits["test"], recipe)
    with strategy.scope():
        model = make_model(recipe, len(labels), steps_per_epoch=len(batches))
    prepare_replicas(strategy, model)
    run_folder.write_start(folder, recipe, flags, strategy.num_replicas_in_sync, labels)

    start = time.perf_counter()
    model.fit(
        batches,
        validation_data=validation,
        epochs=recipe.epochs,
        shuffle=False,  # the batches are
        verbose=_verbosity(),
        callbacks=[
            keras.callbacks.CSVLogger(folder / "history.csv"),
            keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False),
        ],
    )
    train_seconds = time.perf_counter() - start
    test_loss, test_accuracy = model.evaluate(test, verbose=0)
    metrics = {
        "test_accuracy": test_accuracy,
        "test_loss": test_loss,
        "train_seconds": round(train_seconds, 1),
    }
    run_folder.write_end(folder, model, metrics, examples=test, labels=labels)
    print(run_folder.summary(folder, metrics))


def _verbosity():
    """Keras' progress bar on a terminal, a line per epoch in a log."""
    return 1 if sys.stdout.isatty() else 2
