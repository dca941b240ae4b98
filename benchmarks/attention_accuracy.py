"""Accuracy of the small networks of benchmarks/attentions.py, trained by the project's own loop."""

import contextlib
import dataclasses
import os
import pathlib
import tempfile
import time
import typing

import keras

from benchmarks.attention_networks import digits_config, first_stage_network, long_range_config
from common.files import read_json
from common.run_files import METRICS
from training.data.sources import open_source
from training.loop.run import train as train_run
from training.recipe import Recipe
from training.settings import RunSettings
from training.tasks import Task, classify


class Comparison(typing.NamedTuple):
    """A data set on which the attentions are compared.

    Attributes:
        dataset: Its name, as `training.data.sources.open_source` takes it.
        image_size: Height and width, in pixels.
        epochs: Passes over the training images: near 300 and 400 steps of 64 images.
        config: Function of an attention's name to the `PaleConfig` of the network.
        task: The `Task`.
    """

    dataset: str
    image_size: int
    epochs: int
    config: typing.Callable
    task: Task


COMPARISONS = {
    "digits": Comparison("digits", 32, 16, digits_config, classify.TASK),
    "long_range": Comparison(
        *("tfds:long_range", 64, 4, long_range_config),
        dataclasses.replace(classify.TASK, make_network=first_stage_network),
    ),
}


def train(name, attention, seeds, data_dir, share=1.0):
    """Trains and tests a network once for each seed.

    Args:
        name: A key of `COMPARISONS`.
        attention: Name of the attention.
        seeds: Seeds of weights and order.
        data_dir: Folder of TFDS data sets.
        share: Share of the epochs, for a quick look.

    Returns:
        For each seed, a dict of what ran, of `accuracy` and `loss` on the test images, and of the
        `seconds` it took, with tracing and testing.
    """
    recipe, task = make_recipe(name, attention, share), COMPARISONS[name].task
    rows = []
    for seed in seeds:
        start = time.perf_counter()
        metrics = run_quietly(recipe, task, seed, data_dir)
        rows.append(
            {
                "task": name,
                "attention": attention,
                "seed": seed,
                "epochs": recipe.epochs,
                "accuracy": metrics["test_accuracy"],
                "loss": metrics["test_loss"],
                "seconds": time.perf_counter() - start,
            }
        )
    return rows


def make_recipe(name, attention, share):
    """The one recipe of all: AdamW, warm-up over a tenth, cosine, no augmentation."""
    comparison = COMPARISONS[name]
    epochs = max(1, round(comparison.epochs * share))
    return Recipe(
        task="classify",
        dataset=comparison.dataset,
        model=comparison.config(attention),
        image_size=comparison.image_size,
        epochs=epochs,
        batch_size=64,
        learning_rate=2e-3,
        base_batch_size=64,
        warmup_epochs=epochs / 10,
        weight_decay=0.05,
        clip_norm=1.0,
    )


def run_quietly(recipe, task, seed, data_dir, weights=None):
    """Trains in a folder that is gone afterwards; returns the run's `metrics.json`."""
    with tempfile.TemporaryDirectory() as folder:
        return run_in(pathlib.Path(folder), recipe, task, seed, data_dir, weights)


def run_in(folder, recipe, task, seed, data_dir, weights=None):
    """Trains in a folder, in silence; returns the run's `metrics.json`.

    Args:
        folder: The folder, a `pathlib.Path`.
        recipe: The `Recipe`.
        task: The `Task`.
        seed: Seed of weights and order.
        data_dir: Folder of TFDS data sets.
        weights: File of weights to start from, or None.
    """
    keras.backend.clear_session()
    settings = RunSettings("comparison", folder, seed=seed, weights=weights, data_dir=data_dir)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        train_run(recipe, settings, task)
    return read_json(folder / METRICS)


def prepare(name, data_dir):
    """Makes the data set if need be."""
    open_source(COMPARISONS[name].dataset, data_dir)
