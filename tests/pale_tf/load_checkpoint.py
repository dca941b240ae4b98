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

from pale_tf import load_pretrained, names, pale_segmenter  # noqa: E402
from pale_tf.checkpoint_names import as_ours  # noqa: E402
from pale_tf.checkpoints import read_checkpoint, read_tensors  # noqa: E402
from pale_tf.layers.folding import path_inside  # noqa: E402
from pale_tf.pretrained import read_pretrained  # noqa: E402


def auxiliary_logits(folder):
    """The part of a segmenter that `load_pretrained` leaves out: images to auxiliary logits."""
    plan, (ours, _) = read_pretrained(folder).plan, as_ours(read_tensors(read_checkpoint(folder)))
    network = pale_segmenter(
        plan.config,
        plan.classes,
        channels=plan.channels,
        auxiliary=True,
        output_norms=True,
        classifier_activation=None,
    )
    for layer in network.layers:
        for weight in layer.weights:
            if "seed_generator" not in weight.path and layer.name != names.PREPROCESSING:
                weight.assign(ours[f"{layer.name}/{path_inside(layer, weight)}"])
    return keras.Model(network.input, network.output["auxiliary"])


def run(folder):
    """Logits and outputs of stages at the sizes of `expected.npz`, under the same keys."""
    folder, actual = pathlib.Path(folder), {}
    network = load_pretrained(folder, input_shape=(None, None, 3))
    last = {layer.name: layer for layer in network.layers}
    logits = network.output
    if names.LOGITS in last:
        auxiliary = auxiliary_logits(folder)(network.input)
        logits = keras.ops.concatenate([last[names.LOGITS].output, auxiliary], -1)
    elif names.PREDICTIONS in last:
        last[names.PREDICTIONS].activation = keras.activations.linear
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
