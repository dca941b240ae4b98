"""Run by test_models.py in a process of its own: the network's outputs on the JAX backend."""

import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np

from pale_tf import pale_backbone
from pale_tf.configs import VARIANTS
from pale_tf.models import BUILDERS

folder, variant = pathlib.Path(sys.argv[1]), sys.argv[2]
images = np.load(folder / "images.npy")
weights = folder / "model.weights.h5"
assert keras.backend.backend() == "jax"
build = BUILDERS[VARIANTS[variant].name]
model = build(input_shape=(97, 61, 3), classes=11, classifier_activation=None, weights=weights)
backbone = pale_backbone(variant, input_shape=(97, 61, 3), weights=weights)
np.savez(folder / "outputs.npz", logits=model(images), **backbone(images))
