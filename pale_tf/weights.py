"""Loads weights files into models, checked tensor by tensor.

Keras matches the tensors of a file to those of a model by the order of their layers, and says
little when they differ. Here they are matched by layer name, and every difference is named: a model
takes the backbone of any other, whatever head each of them has. `pale_tf.names` says which layers
are the backbone.
"""

import logging
import os
import pathlib
import tempfile
import typing
import warnings

import h5py

from pale_tf import names
from pale_tf.hdf5 import NotWeightsError, open_weights

SUFFIXES = (".weights.h5", ".keras")


class WeightsReport(typing.NamedTuple):
    """Result of `load_weights`.

    Attributes:
        path: Path of the file.
        loaded: Names of the tensors that were loaded, such as
            `stage1_block1_attention/query/pointwise/0`.
        skipped: For each tensor outside the backbone that kept its values, why.
        unused: Names of the tensors of the file, outside its backbone, that the model has no place
            for.
    """

    path: str
    loaded: list[str]
    skipped: dict[str, str]
    unused: list[str]

    def __str__(self):
        lines = [f"{len(self.loaded)} tensors loaded from {self.path}"]
        lines += [f"not loaded, unchanged: {name} ({why})" for name, why in self.skipped.items()]
        lines += [f"in the file, not in the model: {name}" for name in self.unused]
        return "\n".join(lines)


def check_weights_path(weights):
    """Checks the `weights` argument of a model before anything is built.

    Args:
        weights: None, or the path of a `.weights.h5` or `.keras` file.

    Returns:
        `weights`, as a `pathlib.Path` unless it is None.

    Raises:
        ValueError: If it is anything else.
    """
    if weights is None:
        return None
    path = pathlib.Path(weights) if isinstance(weights, str | os.PathLike) else None
    if path is None or not path.name.endswith(SUFFIXES) or not path.is_file():
        raise ValueError(
            f"`weights` must be None or the path of an existing {' or '.join(SUFFIXES)} file "
            f"(there are no pre-trained weights to name). Received: {str(weights)!r}"
        )
    return path


def load_weights(model, path):
    """Loads the weights of a model with the same backbone into `model`.

    The tensors of the backbone must all be there with the right shapes. Those outside, of a
    classifier or of decoders, are loaded where they fit; a warning names those of the model that
    keep their values. Scores (`PaleConfig(sparsity=…)`) that the file does not have are set to 1,
    with which the network computes the same. The states of random generators are not weights and
    are left alone.

    Args:
        model: A model of this package, or one with the same names of layers.
        path: A file written by `model.save_weights` or `model.save`.

    Returns:
        A `WeightsReport`. It is logged at level INFO too.

    Raises:
        ValueError: If the file is not a weights file, or its backbone is another one. The model is
            then unchanged.
    """
    path = check_weights_path(path)
    with tempfile.TemporaryDirectory() as folder:
        # The model's own tensors, in the format of the file: what fits is copied over them.
        target = pathlib.Path(folder) / "model.weights.h5"
        model.save_weights(target)
        try:
            with open_weights(path) as source, h5py.File(target, "r+") as destination:
                found, expected = _tensors(source), _tensors(destination)
                scores = _scores(model)
                report = _compare(str(path), found, expected, scores)
                for name in report.loaded:
                    expected[name][...] = found[name][()]
                for name in scores - found.keys():
                    expected[name][...] = 1
        except NotWeightsError as error:
            raise ValueError(
                f"`weights` must be a weights file of Keras 3. Received: {str(path)!r} ({error})"
            ) from error
        model.load_weights(target)
    logging.getLogger(__name__).info(report)
    if report.skipped:
        warnings.warn(str(report), stacklevel=2)
    return report


def _tensors(file):
    """Maps `layer name/sublayer/…/index` to the HDF5 data sets of all layers in `file`.

    Keras files layers under their class and a counter, and keeps their names as attributes.
    """
    tensors = {}
    layers = file.get("layers")
    for group in layers.values() if isinstance(layers, h5py.Group) else ():
        if not isinstance(group, h5py.Group) or "vars" not in group:
            continue
        layer = group["vars"].attrs.get("name", group.name)

        def visit(key, item, layer=layer):
            parts = [part for part in key.split("/") if part != "vars"]
            if isinstance(item, h5py.Dataset) and "seed_generator" not in parts:
                tensors["/".join([layer, *parts])] = item

        group.visititems(visit)
    return tensors


def _scores(model):
    """Names of the tensors by which a model is pruned: the only own ones of their layers."""
    return {f"{layer.name}/0" for layer in model.layers if getattr(layer, "sparsity", 0)}


def _compare(path, found, expected, optional):
    """Sorts the tensors of a file and of a model into a `WeightsReport`, or raises; the file may
    lack what is `optional`."""
    loaded, wrong = [], {}
    for name, tensor in expected.items():
        if name not in found and name in optional:
            continue
        if name not in found:
            wrong[name] = "not in the file"
        elif found[name].shape != tensor.shape:
            wrong[name] = f"{found[name].shape} in the file, {tensor.shape} in the model"
        else:
            loaded.append(name)
    unused = [name for name in found if name not in expected]
    differ = [f"{name}: {why}" for name, why in wrong.items() if _in_backbone(name)]
    differ += [f"{name}: not in the model" for name in unused if _in_backbone(name)]
    if differ:
        raise ValueError(
            "`weights` must be a file of a model with the same backbone, of the same variant. "
            f"Received: {path!r}, in which {len(differ)} tensors differ, the first: {differ[0]}"
        )
    return WeightsReport(path, loaded, wrong, unused)


def _in_backbone(name):
    return names.in_backbone(name.split("/")[0])
