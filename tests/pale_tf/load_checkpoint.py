"""Loads a checkpoint where PyTorch cannot be imported, and runs it on the images of
`make_checkpoint`: `python load_checkpoint.py FOLDER`. Writes `actual.npz`."""

import importlib.abc
import pathlib
import sys


class NoTorch(importlib.abc.MetaPathFinder):
    """Lets nobody import PyTorch, or what needs it."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "timm"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, NoTorch())

import keras  # noqa: E402
import numpy as np  # noqa: E402

from pale_tf import load_pretrained, names  # noqa: E402


def run(folder):
    """Logits and outputs of stages at the sizes of `expected.npz`, under the same keys."""
    folder, actual = pathlib.Path(folder), {}
    network = load_pretrained(folder, input_shape=(None, None, 3))
    last = {layer.name: layer for layer in network.layers}
    if names.LOGITS in last:
        logits = last[names.LOGITS].output
    else:
        if names.PREDICTIONS in last:
            last[names.PREDICTIONS].activation = keras.activations.linear
        logits = network.output
    pyramid = network.pyramid_outputs
    stages = {f"stage{stage}": pyramid[names.level_of(stage)] for stage in names.STAGES}
    outputs = keras.Model(network.input, {"logits": logits, **stages})
    with np.load(folder / "expected.npz") as expected:
        sizes = {key.split("/")[0] for key in expected}
    for size in sizes:
        shape = (2, *map(int, size.split("x")), 3)
        images = np.random.default_rng(0).uniform(0, 255, shape).astype("float32")
        for key, value in outputs(images).items():
            actual[f"{size}/{key}"] = np.array(value)
    return actual


if __name__ == "__main__":
    np.savez(pathlib.Path(sys.argv[1]) / "actual.npz", **run(sys.argv[1]))
