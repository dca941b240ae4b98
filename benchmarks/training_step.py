"""A training step as training/fit.py does it, alone."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from training.data.sources import Source
from training.loop.building import make_trainer
from training.recipe import load_recipe
from training.tasks import load_task

SIZE, CLASSES = 224, 1000


def make_step(network, batch, stages=()):
    """Makes a function that trains a network for one step.

    Args:
        network: Name in `pale_tf.configs.NETWORKS`.
        batch: Images.
        stages: Stages to rematerialize.
    """
    keras.utils.set_random_seed(0)
    recipe = dataclasses.replace(
        load_recipe("imagenet_pale_t"),
        model=network,
        batch_size=batch,
        image_size=SIZE,
        precision="float32",
        ema_decay=0.0,
        clip_norm=None,
    )
    source = Source(list(map(str, range(CLASSES))), counts={}, read=None)
    strategy, task = tf.distribute.get_strategy(), load_task(recipe.task)
    trainer, _ = make_trainer(strategy, recipe, task, source, 100, rematerialized=stages)
    rng = np.random.default_rng(0)
    images = tf.constant(rng.uniform(0, 255, (batch, SIZE, SIZE, 3)), "float32")
    labels = tf.one_hot(np.arange(batch), CLASSES)
    step = tf.function(lambda: trainer.train_step((images, labels)))
    step.get_concrete_function()  # its memory is not that of a step
    return lambda: step()["loss"].numpy()
