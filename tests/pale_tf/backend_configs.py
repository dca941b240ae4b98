"""Run by `tests.pale_tf.backends`: outputs of networks of some configurations."""

import json
import pathlib
import sys

import numpy as np

from pale_tf import PaleConfig, pale_network

folder = pathlib.Path(sys.argv[1])
images, outputs = np.load(folder / "images.npy"), {}
for name, options in json.loads((folder / "configs.json").read_text()).items():
    model = pale_network(PaleConfig(**options), input_shape=images.shape[1:], classes=4)
    model.load_weights(folder / f"{name}.weights.h5")
    outputs[name] = model.predict(images, verbose=0)
np.savez(folder / "outputs.npz", **outputs)
