"""Trained networks: what a run leaves, read back."""

import json
import pathlib
import typing
import zipfile

import keras

import pale_tf  # noqa: F401  which registers its layers with Keras
from common.errors import SettingError
from common.run_files import CONFIG, LABELS, MODEL


class Trained(typing.NamedTuple):
    """A trained classifier and what it takes to use it.

    Attributes:
        network: `keras.Model` of images to probabilities.
        labels: Names of its classes.
        crop_fraction: In evaluation, the part of an image's short side that the central crop has.
        file: The `.keras` file, a `pathlib.Path`.
    """

    network: keras.Model
    labels: list[str]
    crop_fraction: float
    file: pathlib.Path

    @property
    def folder(self):
        return self.file.parent


def load_trained(path):
    """Loads a classifier of this project with its labels.

    Args:
        path: A run's folder (`model.keras` and `labels.txt` are all that it needs), or a `.keras`
            file; labels are those beside the file or, without any, the numbers of the classes.

    Returns:
        A `Trained`.

    Raises:
        SettingError: If that is not possible.
    """
    file = path / MODEL if path.is_dir() else path
    network = load_network(file)
    classes = network.output_shape[-1] if isinstance(network.output_shape, tuple) else None
    labels = [str(index) for index in range(classes or 0)]
    if (file.parent / LABELS).exists():
        labels = (file.parent / LABELS).read_text().splitlines()
    if len(labels) != classes:
        raise SettingError(
            f"{file.parent} has {len(labels)} labels for a network of {classes} classes"
        )
    return Trained(network, labels, read_crop_fraction(file.parent), file)


def load_network(path):
    """Loads a `.keras` file for inference.

    Raises:
        SettingError: If that is not possible.
    """
    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise SettingError(f"cannot load {path}: {reason}") from error


def in_float32(network, size=None):
    """A copy of a network that computes in float32, whatever precision it was trained with.

    Args:
        network: A functional `keras.Model` of one image input.
        size: Height and width of the copy's images, in pixels, or None for the network's own.
    """

    def copy(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    image = None
    if size is not None:
        image = keras.tree.map_structure(lambda _: keras.Input((size, size, 3)), network.input)
    exact = keras.models.clone_model(network, image, clone_function=copy)
    exact.set_weights(network.get_weights())
    return exact


def read_crop_fraction(folder):
    """The part of an image's short side that evaluation keeps; 1 where there is no run."""
    return _read_recipe(folder).get("crop_fraction", 1.0)


def read_dataset(folder):
    """The data set of a run, as in fit.py; None where there is no run."""
    return _read_recipe(folder).get("dataset")


def _read_recipe(folder):
    path = folder / CONFIG
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text())["recipe"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{path} is not the configuration of a run: {error}") from error
