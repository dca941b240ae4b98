"""A small network, what trains it, and changes to recipes."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from pale_tf import PaleConfig, pale_backbone
from pale_tf.decay import no_weight_decay
from training.data.sources import Source
from training.loop.optimizer import make_optimizer
from training.loop.trainer import Trainer
from training.recipe import load_recipe
from training.tasks import classify

RECIPE = dataclasses.replace(
    load_recipe("digits"), batch_size=8, base_batch_size=8, epochs=4, warmup_epochs=1
)
SOURCE = Source([f"class {index}" for index in range(7)], {}, None)  # only its classes matter


def with_settings(recipe, **changes):
    """A recipe with other settings of its task."""
    return dataclasses.replace(recipe, settings=recipe.settings | changes)


def small_network(classes=7, size=32, **changes):
    """A Pale Transformer with a head, small enough to be traced in seconds.

    Args:
        classes: Outputs.
        size: Height and width of the images, in pixels.
        **changes: Fields of its `PaleConfig`.
    """
    fields = {
        "name": "small",
        "embed_dim": 8,
        "depths": (1, 1, 1, 1),
        "num_heads": (2, 2, 2, 2),
        "pale_size": 2,
        "drop_path_rate": 0.0,
    }
    backbone = pale_backbone(PaleConfig(**(fields | changes)), input_shape=(size, size, 3))
    x = keras.layers.GlobalAveragePooling2D()(backbone.output["P5"])
    x = keras.layers.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(backbone.input, x)


def make_trainer(recipe=RECIPE, task=classify.TASK):
    """A compiled `Trainer` of a small network for the 7 classes of `SOURCE`, 5 steps an epoch."""
    keras.utils.set_random_seed(0)
    metrics = task.make_metrics(recipe, SOURCE)
    trainer = Trainer(small_network(), task, metrics, recipe.accumulate, recipe.ema_decay)
    optimizer = make_optimizer(recipe, 5, no_weight_decay(trainer.network))
    trainer.compile(optimizer, jit_compile=False)
    trainer.optimizer.build(trainer.network.trainable_variables)
    return trainer


def batches(count=3, seed=0):
    """Batches of 8 images `[count, 8, 32, 32, 3]`, and distributions over 7 classes."""
    rng = np.random.default_rng(seed)
    images = rng.uniform(0, 255, (count, 8, 32, 32, 3)).astype("float32")
    labels = rng.dirichlet(np.ones(7) * 0.3, (count, 8)).astype("float32")
    return images, labels


def fit(trainer, *parts):
    """Trains on each batch of images and targets; returns what the steps logged."""
    steps = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(
            {name: float(value) for name, value in logs.items()}
        )
    )
    dataset = tf.data.Dataset.from_tensor_slices(parts)
    trainer.fit(dataset, shuffle=False, verbose=0, callbacks=[record])
    return steps
