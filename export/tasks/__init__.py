"""Tasks: all that differs between artifacts of classifiers and of other networks.

A module of this folder is a task and holds `TASK`. A run's recipe names it. Each field of `Task`
has a default for a network of images to numbers, whose outputs are served as they are.
"""

import collections.abc
import dataclasses
import sys

import keras
import numpy as np
import tensorflow as tf

from common.errors import SettingError
from common.labels import labels_of, labels_text
from common.preparation import crop_fraction_of, evaluation_image
from common.registry import load_module
from common.run_files import LABELS
from export.serving.decoding import decode_images
from export.verification import comparison


def accept(trained):
    """Takes any network."""


def named_outputs(network):
    """The outputs of a network, by name, none in bfloat16; a single one is called `outputs`."""
    outputs = network.output if isinstance(network.output, dict) else {"outputs": network.output}
    return {
        name: keras.ops.cast(value, "float32") if value.dtype == "bfloat16" else value
        for name, value in outputs.items()
    }


def reference(network, images):
    """Outputs of a network and its pyramid, by name, as `predict` gives them."""
    return comparison.evaluate(network, named_outputs(network), images)


def answer(encoded, run, size, trained):
    """Serves the outputs themselves, of images that are prepared as evaluation does."""
    return run(decode_images(encoded, size, crop_fraction_of(trained.recipe)))


def reference_answers(task, network, images, trained):
    """The task's `reference` of images that are prepared as evaluation does."""
    size, crop_fraction = network.input_shape[1], crop_fraction_of(trained.recipe)
    prepared = [evaluation_image(image, size, crop_fraction) for image in images]
    return task.reference(network, np.stack(prepared))


def compare_answers(answers, expected, trained):
    """Compares served outputs with the expected ones."""
    return comparison.compare(answers, expected)


def label_files(trained):
    """`labels.txt`, a line a class."""
    return {LABELS: labels_text(labels_of(trained))}


def label_page(files):
    """The labels."""
    return {"labels": files[LABELS].splitlines()}


def labels_in(answer):
    """The `labels` of what `serve_bytes` gave for one image, a list of texts."""
    labels = np.asarray(answer["labels"]).tolist()
    if not isinstance(labels, list):
        raise ValueError("the labels must be a list")
    return list(map(tf.compat.as_text, labels))


def nothing(*_):
    """No fields."""
    return {}


def lines(answer):
    """An output a line."""
    return [f"{name}: {np.array2string(np.asarray(value))}" for name, value in answer.items()]


@dataclasses.dataclass(frozen=True)
class Task:
    """Functions and constants of a task.

    `network` is a functional `keras.Model` of one image input, `trained` a `Trained`, `task` the
    task itself, and `images` are float32 `[N, S, S, 3]`, values in 0..255.

    Attributes:
        check: From `trained`, raises a `SettingError` that names the argument RUN unless the
            network is one of this task.
        batch: Images that a server may run together, unless the user says otherwise.
        any_size: Whether a server's model takes images of any size, if its network does.
        outputs: From `network`, the tensors that its artifacts give, by name.
        signatures: By signature of a server's model, the names of its outputs; None for all.
        lite: Names of the outputs of a LiteRT file; None for all.
        pixels: Of the images that an artifact is compared on, all together at most; None for any.
        reference: From the trained network in float32 and `images`, arrays to compare with: all of
            `outputs`, and the pyramid, as `comparison.evaluate` adds it. Computed apart from the
            inference form.
        compare: From arrays that an artifact gave and those of `reference`, figures by name.
        bounds: By precision, bounds of such figures; a figure without one is only reported. There
            are no artifacts of other precisions.
        higher_is_better: Names of the figures whose bound is a lower one.
        formats: Format specifications of the figures to be printed, in order.
        answer: What the signature `serve_bytes` gives, by name. From encoded images, strings `[N]`;
            the function of images to all of `outputs`; their height and width, None for any; and
            `trained`.
        file_answer: `answer` in OpenVINO's operations, for OpenVINO Model Server. From a decoded
            image, float32 `[1, H, W, 3]`; the function of images to the outputs of
            `serving_default`; their height and width, None for any; and `trained`. None for a task
            whose answer OpenVINO cannot make.
        reference_answers: From `task`, the trained network in float32, images, float32 `[H, W, 3]`,
            as `serve_bytes` got them in files, and `trained`, what to compare answers with.
        compare_answers: From arrays that `serve_bytes` gave, `reference_answers` and `trained`,
            figures by name.
        lines: From what `serve_bytes` gave for one image, arrays by name, lines to print.
        pictures: From what `serve_bytes` gave for one image, and the bytes of its file, files that
            show it: bytes by the end of their names, as in `training.tasks.Prediction`. None for a
            task without any.
        facts: From `trained`, what the model card says about it, by name.
        files: From `trained`, texts that go with an artifact, by file name.
        axis_files: By the name of an output, the one of `files` with a line for each entry of its
            last axis.
        page: From `files` as a dict of texts, what the web page needs to know, by name: `labels`
            and so on. `export/web/` then has a module of the task's name.
    """

    check: collections.abc.Callable = accept
    batch: int = 32
    any_size: bool = False
    outputs: collections.abc.Callable = named_outputs
    signatures: collections.abc.Mapping = dataclasses.field(
        default_factory=lambda: {"serving_default": None}
    )
    lite: tuple | None = None
    pixels: int | None = None
    reference: collections.abc.Callable = reference
    compare: collections.abc.Callable = comparison.compare
    bounds: collections.abc.Mapping = dataclasses.field(default_factory=lambda: comparison.BOUNDS)
    higher_is_better: tuple = ()
    formats: collections.abc.Mapping = dataclasses.field(default_factory=lambda: comparison.FORMATS)
    answer: collections.abc.Callable = answer
    file_answer: collections.abc.Callable | None = None
    reference_answers: collections.abc.Callable = reference_answers
    compare_answers: collections.abc.Callable = compare_answers
    lines: collections.abc.Callable = lines
    pictures: collections.abc.Callable | None = None
    facts: collections.abc.Callable = nothing
    files: collections.abc.Callable = nothing
    axis_files: collections.abc.Mapping = dataclasses.field(default_factory=dict)
    page: collections.abc.Callable = nothing


def load_task(name):
    """The `Task` of a name.

    Raises:
        ValueError: If there is no such task.
    """
    return load_module(sys.modules[__name__], name).TASK


def check_precision(trained, task, precision):
    """Raises a `SettingError` unless artifacts of a task are made in a precision."""
    if precision not in task.bounds:
        raise SettingError(
            f"argument --precision: the task {trained.recipe['task']} has no {precision}"
        )


def task_of(trained):
    """The `Task` of a trained network.

    Raises:
        SettingError: If there is none, or the network is not one of that task.
    """
    try:
        task = load_task(trained.recipe["task"])
    except ValueError as error:
        raise SettingError(f"argument RUN: its task {error}") from error
    task.check(trained)
    return task
