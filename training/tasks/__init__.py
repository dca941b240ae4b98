"""Tasks, one a file, each with a `TASK`: everything that differs between classifying, segmenting
and detecting. The loop, the batches and the programs never ask which task it is."""

import dataclasses
import sys
import types
import typing

import tensorflow as tf

from common.errors import SettingError
from common.registry import load_module
from pale_tf import PaleConfig, names
from pale_tf.configs import resolve_config
from training.data.sources import open_source
from training.reports import Report
from training.teachers import check_teacher


def count_images(targets):
    """1 for each image: the loss is averaged over images. float32 `[b]`."""
    return tf.ones(tf.shape(tf.nest.flatten(targets)[0])[:1])


class Prediction(typing.NamedTuple):
    """The words of a network about an image, and files that show them.

    Attributes:
        lines: Texts to print.
        files: Contents of files to write, bytes, by the end of their names, such as `-mask.png`.
    """

    lines: list[str]
    files: dict[str, bytes] = types.MappingProxyType({})


def plain_inference(network, settings):
    """A network as a function of images to outputs."""
    return lambda images: network(images, training=False)


def images_alone(images, targets):
    """Joins nothing: most networks are trained on images alone."""
    return images


def no_predictions(trained, images):
    """Raises a `SettingError`: the task has no predictions to print."""
    raise SettingError(f"the task {trained.recipe['task']!r} of its run prints no predictions")


@dataclasses.dataclass(frozen=True)
class NoSettings:
    """The settings of a task that has none."""


@dataclasses.dataclass(frozen=True)
class Task:
    """Everything that is particular to one task.

    Args:
        make_transforms: `(recipe, source)` to the `training.data.batches.Transforms` that turn
            what the source reads into images and targets.
        make_network: `(recipe, source)` to the `keras.Model` that is trained, from images in
            0..255 to outputs.
        loss: `(outputs, targets)` to the loss of each image, float32 `[b]`: a sum over what
            `count` counts. The outputs are those of the network, or of the finished one.
        make_loss: `settings`, the recipe's, to the loss that training minimizes, where they change
            it; None where they do not.
        make_teacher: `(recipe, source)`, of a recipe with a `teacher`, to a function of images and
            targets to the targets that the loss is of; None if the task has no teachers.
        join: `(images, targets)` to what the trained network takes: the images, unless given. The
            targets too, where what is learned depends on what is found.
        padding: Values that fill up the targets of an image, by name, where those of a batch
            differ in shape; images are filled up with 0. None if all have one shape.
        finish: `network` that was trained to the one that is evaluated, saved and deployed, on the
            same weights: without what only training needs. The network itself, unless given.
        make_inference: `(network, settings)`, the recipe's, to a function of images `[b, H, W, 3]`
            of any one size to the outputs of the finished network, for scores on whole images.
        multi_scale: Whether `make_inference` takes `scales` and `flip` as well, to average over
            several sizes of an image, and over mirrored ones.
        cascades: Whether its finished networks give one distribution for an image, so that several
            sizes of it may be tried until one is sure: `pale_tf.cascade`.
        smallest_part: Images that a step must get at once, over all replicas.
        pixels: Of whole images that are tested at once, at most; None for any number. One image is
            tested whatever it has.
        count: `targets` to float32 `[b]`: what each image adds to the number by which the sum of
            the losses is divided, over all replicas. Images, unless given.
        make_metrics: `(recipe, source)` to a list of `keras.metrics.Metric`, updated with targets,
            outputs and a weight for each image.
        parts: Names of the metrics that are parts of the loss, shown apart.
        validated_whole: Whether validation takes whole images and the report's scores, for a
            finished network that has no loss, or scores that no graph computes.
        score: Name of the number that is shown beside the loss.
        class_score: Name of the number that `Report.classes` has for each class; `score`, unless
            given.
        settings: Frozen dataclass of the recipe's `settings`.
        network_settings: Names of those that set the shape of the network: a run that starts from
            another's network takes them over.
        open_source: `(dataset, data_dir)` to a `Source`.
        describe: `source` to a few words about the targets, such as `10 classes`.
        files: `source` to a dict of texts, by the name of a file in the run's folder.
        contents: A few words for each file that the task writes, by name, for the user.
        make_report: `(task, source)` to a `Report`.
        predict: `(trained, images)`, a `common.trained.Trained` and uint8 arrays `[H, W, 3]` of any
            sizes, to an iterator of a `Prediction` for each image.
        predicted: A few words for each file of a `Prediction`, by the end of its name.
    """

    make_transforms: typing.Callable
    make_network: typing.Callable
    loss: typing.Callable
    make_loss: typing.Callable | None = None
    make_teacher: typing.Callable | None = None
    join: typing.Callable = images_alone
    padding: dict | None = None
    finish: typing.Callable = lambda network: network
    make_inference: typing.Callable = plain_inference
    multi_scale: bool = False
    cascades: bool = False
    smallest_part: int = 1
    pixels: int | None = None
    count: typing.Callable = count_images
    make_metrics: typing.Callable = lambda recipe, source: []
    parts: tuple[str, ...] = ()
    validated_whole: bool = False
    score: str = "loss"
    class_score: str | None = None
    settings: type = NoSettings
    network_settings: tuple[str, ...] = ()
    open_source: typing.Callable = open_source
    describe: typing.Callable = lambda source: "no classes"
    files: typing.Callable = lambda source: {}
    contents: dict = dataclasses.field(default_factory=dict)
    make_report: typing.Callable = Report
    predict: typing.Callable = no_predictions
    predicted: dict = dataclasses.field(default_factory=dict)


def network_config(recipe):
    """The `pale_tf.PaleConfig` of the network of a recipe.

    Raises:
        ValueError: If the recipe's `options` are not fields of one, or out of range.
    """
    known = {field.name for field in dataclasses.fields(PaleConfig)} - {"name", "attention"}
    if unknown := sorted(recipe.options.keys() - known):
        raise ValueError(f"`options` must be some of {sorted(known)}. Received: {unknown}")
    own = {"drop_path_rate": recipe.drop_path_rate, "attention": recipe.attention}
    own = {name: value for name, value in own.items() if value is not None}
    return dataclasses.replace(resolve_config(recipe.model), **own | recipe.options)


def load_task(name):
    """Returns the `Task` in `training/tasks/<name>.py`.

    Raises:
        SettingError: If there is none.
    """
    try:
        return load_module(sys.modules[__name__], name).TASK
    except ValueError as error:
        raise SettingError(f"`task` {error}") from error


def check_settings(task, recipe):
    """Raises a `SettingError` unless the task takes the settings of a recipe, and its teacher, and
    what is frozen and slowed down is in range."""
    try:
        task.settings(**recipe.settings)
    except (TypeError, ValueError) as error:
        raise SettingError(f"`settings` of the task {recipe.task!r}: {error}") from error
    if not set(recipe.freeze) <= set(names.STAGES):
        raise SettingError(
            f"`freeze` must be some of the stages {list(names.STAGES)}. Received: {recipe.freeze}"
        )
    if not 0 < recipe.layer_decay <= 1:
        raise SettingError(
            f"`layer_decay` must be above 0, at most 1. Received: {recipe.layer_decay}"
        )
    if recipe.teacher is not None:
        if task.make_teacher is None:
            raise SettingError(
                f"`teacher`: the task {recipe.task!r} has none. Received: {recipe.teacher}"
            )
        check_teacher(recipe.teacher)
