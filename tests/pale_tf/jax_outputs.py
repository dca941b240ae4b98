"""Run by test_models.py in a process of its own: the network's outputs on the JAX backend, and what
a training step takes from it."""

import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np

from pale_tf import pale_backbone
from pale_tf.models import pale_network

folder, variant = pathlib.Path(sys.argv[1]), sys.argv[2]
images = np.load(folder / "images.npy")
weights = folder / "model.weights.h5"
assert keras.backend.backend() == "jax"
options = {"input_shape": (97, 61, 3), "weights": weights, "drop_path_rate": 0.0}
model = pale_network(variant, classes=11, classifier_activation=None, **options)
backbone = pale_backbone(variant, **options)
np.savez(folder / "outputs.npz", logits=model(images), **backbone(images))


def loss(trainable, others):
    logits, others = model.stateless_call(trainable, others, images, training=True)
    return (logits**2).mean(), others


variables = model.trainable_variables, model.non_trainable_variables
values = [[variable.value for variable in group] for group in variables]
gradients, statistics = jax.jit(jax.grad(loss, has_aux=True))(*values)
paths = [variable.path for group in variables for variable in group]
np.savez(folder / "training.npz", **dict(zip(paths, gradients + statistics, strict=True)))
