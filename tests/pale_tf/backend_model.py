"""Run by `tests.pale_tf.backends`: outputs of a saved model."""

import pathlib
import sys

import keras
import numpy as np

import pale_tf  # noqa: F401 - registers its layers with Keras

folder = pathlib.Path(sys.argv[1])
model = keras.saving.load_model(folder / "model.keras")
outputs = model.predict(np.load(folder / "images.npy"), verbose=0)  # compiled, but on PyTorch
np.savez(folder / "outputs.npz", **outputs)
