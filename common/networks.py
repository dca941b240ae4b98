"""Trained networks: what a run leaves, read back."""

import json
import typing

import keras

import pale_tf  # noqa: F401  which registers its layers with Keras
from common.errors import SettingError
from common.names import CONFIG, LABELS, MODEL


class Trained(typing.NamedTuple):
    """A trained classifier and what it takes to use it.

    Attributes:
        network: `keras.Model` of images to probabilities.
        labels: Names of its classes.
        crop_fraction: In evaluation, the part of an image's short side that the central crop has.
        folder: The folder it lies in, a `pathlib.Path`.
    """

    network: keras.Model
    labels: list[str]
    crop_fraction: float
    folder: object


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
    return Trained(network, labels, _crop_fraction(file.parent), file.parent)


def load_network(path):
    """Loads a `.keras` file for inference.

    Raises:
        SettingError: If that is not possible.
    """
    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, KeyError, OSError) as error:
        reason = " ".join(str(error).split())
        raise SettingError(f"cannot load {path}: {reason}") from error


def _crop_fraction(folder):
    """The run's own, or 1 where there is no configuration: the whole short side."""
    path = folder / CONFIG
    if not path.exists():
        return 1.0
    try:
        return json.loads(path.read_text())["recipe"]["crop_fraction"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{path} is not the configuration of a run: {error}") from error
