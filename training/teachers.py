"""Teachers: trained classifiers whose outputs another one learns."""

import pathlib
import sys

import keras
import tensorflow as tf

from common.errors import SettingError
from common.labels import labels_of
from common.run_files import MODEL
from common.trained import load_trained

PREFIX = "keras-applications:"
IMAGENET_CLASSES = 1000


def load_teacher(teacher, labels, weights="imagenet"):
    """Loads a teacher.

    Args:
        teacher: Folder of a run, a text, or `keras-applications:NAME`, such as
            `keras-applications:ConvNeXtTiny`.
        labels: Names of the classes that it must have. Of one from `keras.applications`, which
            names none, their number counts.
        weights: Weights of a network of `keras.applications`: `"imagenet"`, or None for random
            ones.

    Returns:
        A function of images `[b, H, W, 3]`, values in 0..255, of any size, to probabilities
        `[b, classes]`, float32. No gradient goes through it.

    Raises:
        SettingError: If there is no such teacher, or it has other classes.
    """
    check_teacher(teacher)
    if teacher.startswith(PREFIX):
        network, prepare = _from_applications(teacher, len(labels), weights)
    else:
        network, prepare = _from_run(pathlib.Path(teacher), labels), tf.identity
    size = network.input_shape[1:3]

    def teach(images):
        if None not in size and tuple(images.shape[1:3]) != size:
            images = tf.image.resize(images, size, antialias=True)
        return tf.stop_gradient(tf.cast(network(prepare(images), training=False), tf.float32))

    return teach


def check_teacher(teacher):
    """Raises a `SettingError` unless there is such a teacher; `load_teacher` looks inside."""
    if teacher.startswith(PREFIX):
        _builder(teacher)
    elif not (pathlib.Path(teacher) / MODEL).is_file():
        raise SettingError(f"`teacher`: there is no {MODEL} in {teacher}")


def _from_run(folder, labels):
    """The network of a run."""
    try:
        trained = load_trained(folder)
        known = labels_of(trained)
    except SettingError as error:
        raise SettingError(str(error).replace("argument RUN", "`teacher`")) from error
    if trained.recipe["task"] != "classify":
        raise SettingError(
            f"`teacher` must be the run of a classifier. Received: {folder}, whose task is "
            f"{trained.recipe['task']!r}"
        )
    if known != list(labels):
        raise SettingError(
            f"`teacher` must have the {len(labels)} classes of the data set, {_ends(labels)}. "
            f"Received: {folder}, which has {len(known)}, {_ends(known)}"
        )
    return trained.network


def _builder(teacher):
    """The function of `keras.applications` that a teacher's name stands for."""
    name = teacher.removeprefix(PREFIX)
    build = vars(keras.applications).get(name)
    if not name[:1].isupper() or not callable(build):
        known = sorted(key for key in vars(keras.applications) if key[:1].isupper())
        raise SettingError(f"`teacher` must be {PREFIX} and one of {known}. Received: {name!r}")
    return build


def _from_applications(teacher, classes, weights):
    """A network of `keras.applications`, and what prepares its images."""
    build = _builder(teacher)
    if weights == "imagenet" and classes != IMAGENET_CLASSES:  # before they are downloaded
        raise SettingError(
            f"`teacher` must have the {classes} classes of the data set. Received: {teacher}, "
            f"which has {IMAGENET_CLASSES}, ImageNet's"
        )
    try:
        network = build(weights=weights, classes=classes)
    except Exception as error:  # a download fails in many ways
        raise SettingError(
            f"`teacher`: cannot load the weights of {teacher}: {' '.join(str(error).split())}"
        ) from error
    return network, sys.modules[build.__module__].preprocess_input


def _ends(labels):
    return f"{labels[0]} to {labels[-1]}"
