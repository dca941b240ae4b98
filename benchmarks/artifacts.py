"""Exported files, loaded again: functions of a number of images.

Needs neither Keras nor this project's networks.
"""

import functools
import os

import numpy as np

from export.verification.running import open_lite

SIZE = 224


def images_of(batch):
    """Random images, float32 in 0..255."""
    return np.random.default_rng(0).uniform(0, 255, (batch, SIZE, SIZE, 3)).astype("float32")


def saved_model(folder):
    """Runs `serving_default` of a SavedModel."""
    import tensorflow as tf

    model = tf.saved_model.load(folder)
    inputs = functools.cache(lambda batch: tf.constant(images_of(batch)))

    def run(batch):
        return model.signatures["serving_default"](images=inputs(batch))["logits"].numpy()

    return run


def lite(file):
    """Runs a LiteRT file, on as many threads as there are cores; its batch is fixed."""
    interpreter = open_lite(file, len(os.sched_getaffinity(0)))
    entry = interpreter.get_input_details()[0]
    interpreter.set_tensor(entry["index"], images_of(entry["shape"][0]))
    return lambda batch: interpreter.invoke()
