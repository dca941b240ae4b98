"""The network of a recipe, and its optimiser."""

import keras

from pale_tf.models import BUILDERS


def make_model(recipe, classes, steps_per_epoch):
    """Builds and compiles the network of `recipe`. Call it in the strategy's scope.

    Args:
        recipe: A `Recipe`.
        classes: Number of classes.
        steps_per_epoch: Optimiser steps in an epoch.

    Returns:
        A compiled `keras.Model` of images to probabilities.
    """
    model = BUILDERS[recipe.model](
        input_shape=(recipe.image_size, recipe.image_size, 3),
        classes=classes,
        drop_path_rate=recipe.drop_path_rate,
    )
    model.compile(
        optimizer=make_optimizer(recipe, steps_per_epoch),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        # XLA on a CPU is slower than the plain graph, and takes a minute to compile.
        jit_compile=False,
    )
    return model


def make_optimizer(recipe, steps_per_epoch):
    """AdamW with linear warm-up and cosine decay to 0; norms and biases are not decayed.

    The warm-up takes half of the run at most, however short the run.
    """
    steps = recipe.epochs * steps_per_epoch
    warmup_steps = min(recipe.warmup_epochs * steps_per_epoch, steps // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup_steps,
        decay_steps=steps - warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
