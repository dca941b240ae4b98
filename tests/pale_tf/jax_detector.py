"""Run by test_detector.py in a process of its own: a detector's outputs on the JAX backend."""

import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np

import pale_tf  # noqa: F401 - registers its layers with Keras

folder = pathlib.Path(sys.argv[1])
assert keras.backend.backend() == "jax"
model = keras.saving.load_model(folder / "model.keras")
outputs = model.predict(np.load(folder / "images.npy"), verbose=0)  # compiled
np.savez(folder / "outputs.npz", **outputs)
