"""Training steps as training/fit.py does them, alone."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from benchmarks.detectors import CLASSES as DETECTED
from training.data.object_sources import ObjectSource
from training.data.run_lengths import flips_of_instances
from training.data.sources import Source
from training.loop.building import make_trainer
from training.recipe import load_recipe
from training.tasks import load_task

SIZE, CLASSES = 224, 1000
OBJECTS = 10  # in an image for a detector


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
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (batch, SIZE, SIZE, 3))
    return _step(recipe, source, images, tf.one_hot(np.arange(batch), CLASSES), stages)


def make_detector_step(network, height, width):
    """Makes a function that trains a network with Mask R-CNN for one step, on one image.

    Args:
        network: Name in `pale_tf.configs.NETWORKS`.
        height, width: Of the image, in pixels.
    """
    keras.utils.set_random_seed(0)
    recipe = dataclasses.replace(
        load_recipe("digit_scenes_detect"),
        model=network,
        batch_size=1,
        ema_decay=0.0,
        clip_norm=None,
        settings={},
    )
    labels = list(map(str, range(DETECTED)))
    source = ObjectSource(
        labels, counts={}, read=None, masks=True, categories=tuple(range(DETECTED))
    )
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (1, height, width, 3))
    return _step(recipe, source, images, objects_in(height, width, rng))


def objects_in(height, width, rng):
    """Rectangles at random as the targets of one image: see `training.detection.transforms`."""
    sides = np.array([height, width])
    low = (rng.uniform(0.0, 0.7, (OBJECTS, 2)) * sides).astype(int)
    high = (low + rng.uniform(0.1, 0.3, (OBJECTS, 2)) * sides).astype(int)
    drawn = np.zeros((height, width), "int32")
    for index, (begin, end) in enumerate(zip(low, high, strict=True)):
        drawn[begin[0] : end[0], begin[1] : end[1]] = index + 1
    boxes = np.concatenate([low[:, ::-1], high[:, ::-1]], axis=1)
    targets = {
        "boxes": tf.constant(boxes, tf.float32),
        "labels": tf.range(OBJECTS),
        "crowds": tf.zeros(OBJECTS, tf.bool),
        "areas": tf.constant(np.prod(high - low, axis=1), tf.float32),
        "size": tf.constant([height, width]),
        "flips": flips_of_instances(tf.constant(drawn), OBJECTS),
        "mask_size": tf.constant([height, width]),
        "to_mask": tf.constant([1.0, 0.0, 1.0, 0.0]),
        "seed": tf.zeros(2, tf.int32),
    }
    return {name: tf.expand_dims(value, 0) for name, value in targets.items()}


def _step(recipe, source, images, targets, stages=()):
    """A function that trains the network of a recipe for one step and returns the loss."""
    strategy, task = tf.distribute.get_strategy(), load_task(recipe.task)
    trainer, _ = make_trainer(strategy, recipe, task, source, 100, rematerialized=stages)
    images = tf.constant(images, tf.float32)
    step = tf.function(lambda: trainer.train_step((images, targets)))
    step.get_concrete_function()  # its memory is not that of a step
    return lambda: step()["loss"].numpy()
