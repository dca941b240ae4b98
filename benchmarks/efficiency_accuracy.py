"""Accuracy of cheaper forms of a small network on digits, trained by the project's own loop."""

import dataclasses
import pathlib
import tempfile
import time

from benchmarks.attention_accuracy import make_recipe, run_in, run_quietly
from benchmarks.efficiency_variants import KEEP, PRUNED, trained_config
from common.run_files import MODEL
from common.trained import load_network
from pale_tf.prune import prune, pruned_config
from training.tasks import classify

SPARSITY = 1e-4
TUNED = 0.25  # share of the epochs after pruning


def train(variant, seed, data_dir, share=1.0):
    """Trains and tests a form, for as many epochs as any other.

    Args:
        variant: A key of `efficiency_variants.VARIANTS`.
        seed: Seed of weights and order.
        data_dir: Folder of TFDS data sets.
        share: Share of the epochs, for a quick look.

    Returns:
        Dict of what ran, of `accuracy` and `loss` on the test images, and of the `seconds` it took,
        with tracing and testing.
    """
    start = time.perf_counter()
    recipe = make_recipe("digits", "pale", share)
    recipe = dataclasses.replace(recipe, model=trained_config(variant))
    if variant == PRUNED:
        metrics = _train_and_prune(recipe, seed, data_dir)
    else:
        metrics = run_quietly(recipe, classify.TASK, seed, data_dir)
    return {
        "variant": variant,
        "seed": seed,
        "epochs": recipe.epochs,
        "accuracy": metrics["test_accuracy"],
        "loss": metrics["test_loss"],
        "seconds": time.perf_counter() - start,
    }


def _train_and_prune(recipe, seed, data_dir):
    """Trains with scores, prunes, and fine-tunes at a quarter of the learning rate."""
    tuned = max(1, round(TUNED * recipe.epochs))
    sparse = dataclasses.replace(recipe.model, sparsity=SPARSITY)
    scored = dataclasses.replace(recipe, model=sparse, epochs=max(1, recipe.epochs - tuned))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        run_in(folder, scored, classify.TASK, seed, data_dir)
        smaller = prune(load_network(folder / MODEL), KEEP)
        smaller.save(folder / "pruned.keras")
        recipe = dataclasses.replace(
            recipe,
            model=pruned_config(sparse, smaller),
            epochs=tuned,
            learning_rate=recipe.learning_rate / 4,
        )
        weights = folder / "pruned.keras"
        return run_quietly(recipe, classify.TASK, seed, data_dir, weights)
