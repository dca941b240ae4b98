"""Scores of cheaper forms of a small network, trained by the project's own loop."""

import dataclasses
import pathlib
import tempfile
import time
import typing

from benchmarks.attention_accuracy import make_recipe, run_in, run_quietly
from benchmarks.efficiency_variants import KEEP, PRUNED, trained_config
from common.run_files import MODEL
from common.trained import load_network
from pale_tf.prune import prune, pruned_config
from training.recipe import load_recipe
from training.tasks import load_task

SPARSITY = 1e-4
TUNED = 0.25  # share of the epochs after pruning


class Comparison(typing.NamedTuple):
    """A data set on which the forms are compared.

    Attributes:
        make_recipe: Function of a share of the epochs to the `Recipe` of the plain form.
        score: What is compared, as the test images' entry of a run's `metrics.json` has it.
        heading: Of the column of scores, in percent.
        axis: Of the axis of scores, in percent.
        seeds: Seeds of weights and order.
    """

    make_recipe: typing.Callable
    score: str
    heading: str
    axis: str
    seeds: tuple[int, ...]


def _digits(share):
    return make_recipe("digits", "pale", share)


def _digit_scenes(share):
    """The recipe of the same name, with half of its epochs and a head as narrow as the network."""
    recipe = load_recipe("digit_scenes")
    epochs = max(2, round(share * recipe.epochs / 2))  # one before pruning, one after
    settings = recipe.settings | {"channels": 32}
    return dataclasses.replace(recipe, epochs=epochs, settings=settings)


COMPARISONS = {
    "digits": Comparison(
        _digits, "test_accuracy", "digits,\n%", "accuracy on digits, %", (0, 1, 2)
    ),
    "digit_scenes": Comparison(
        _digit_scenes, "test_miou", "scenes,\nmIoU, %", "mIoU on digit scenes, %", (0, 1)
    ),
}


def prepare(name, data_dir):
    """Makes the data set of a comparison if need be."""
    recipe = COMPARISONS[name].make_recipe(1.0)
    load_task(recipe.task).open_source(recipe.dataset, data_dir)


def train(name, variant, seed, data_dir, share=1.0):
    """Trains and tests a form, for as many epochs as any other.

    Args:
        name: A key of `COMPARISONS`.
        variant: A key of `efficiency_variants.VARIANTS`.
        seed: Seed of weights and order.
        data_dir: Folder of TFDS data sets.
        share: Share of the epochs, for a quick look.

    Returns:
        Dict of what ran, of the `score` and the `loss` on the test images, and of the `seconds` it
        took, with tracing and testing.
    """
    start = time.perf_counter()
    comparison = COMPARISONS[name]
    recipe = comparison.make_recipe(share)
    recipe = dataclasses.replace(recipe, model=trained_config(variant))
    run = _train_and_prune if variant == PRUNED else run_quietly
    metrics = run(recipe, load_task(recipe.task), seed, data_dir)
    return {
        "variant": variant,
        "seed": seed,
        "epochs": recipe.epochs,
        "score": metrics[comparison.score],
        "loss": metrics["test_loss"],
        "seconds": time.perf_counter() - start,
    }


def _train_and_prune(recipe, task, seed, data_dir):
    """Trains with scores, prunes, and fine-tunes at a quarter of the learning rate."""
    tuned = max(1, round(TUNED * recipe.epochs))
    sparse = dataclasses.replace(recipe.model, sparsity=SPARSITY)
    scored = dataclasses.replace(recipe, model=sparse, epochs=max(1, recipe.epochs - tuned))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        run_in(folder, scored, task, seed, data_dir)
        smaller = prune(load_network(folder / MODEL), KEEP)
        smaller.save(folder / "pruned.keras")
        recipe = dataclasses.replace(
            recipe,
            model=pruned_config(sparse, smaller),
            epochs=tuned,
            learning_rate=recipe.learning_rate / 4,
        )
        weights = folder / "pruned.keras"
        return run_quietly(recipe, task, seed, data_dir, weights)
