"""Trained networks, read back from what a run leaves."""

import pathlib
import typing

import keras

import pale_tf  # noqa: F401 - registers its layers with Keras
from common.errors import SettingError
from common.run_files import MODEL, read_config, read_labels
from pale_tf.hdf5 import open_weights

# A network without a run around it is taken for a classifier.
NO_RUN = {"task": "classify", "settings": {}}


class Trained(typing.NamedTuple):
    """A trained network and what its run tells about it.

    Attributes:
        network: The `keras.Model`.
        file: The `.keras` file, a `pathlib.Path`.
        recipe: Dict of the run's recipe: `task`, `dataset`, `settings` and so on. Without a run,
            the task is `classify` and there are no settings.
        labels: Names of the classes; empty if no `labels.txt` lies beside the file.
    """

    network: keras.Model
    file: pathlib.Path
    recipe: dict
    labels: list[str]

    @property
    def folder(self):
        return self.file.parent


def load_trained(path):
    """Loads a network of this project with its recipe and labels.

    Args:
        path: A run's folder, or a `.keras` file; configuration and labels are those beside it.

    Returns:
        A `Trained`.

    Raises:
        SettingError: If the network or the configuration cannot be read.
    """
    file = path / MODEL if path.is_dir() else path
    recipe = read_config(file.parent).get("recipe", NO_RUN)
    return Trained(load_network(file), file, recipe, read_labels(file.parent))


def load_network(path):
    """Loads a `.keras` file for inference.

    Raises:
        SettingError: If that is not possible.
    """
    try:
        with open_weights(path):  # checked more strictly than Keras does
            pass
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # a damaged configuration fails anywhere in Keras
        reason = " ".join(str(error).split())
        raise SettingError(f"argument RUN: cannot load {path}: {reason}") from error


def image_size(network):
    """Height and width of the images of a network, in pixels.

    Raises:
        SettingError: If its images are not square and of one size.
    """
    height, width = network.input_shape[1:3]
    if height is None or height != width:
        raise SettingError(
            "argument RUN: needs a network of square images of one size; height and width of those "
            f"of {network.name} are {height}, {width}"
        )
    return height


def in_float32(network, size=None):
    """Copies a network into one that computes in float32, whatever precision it was trained with.

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
