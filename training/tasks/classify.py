"""Classification: one class for each image."""

import dataclasses
import itertools

import keras
import numpy as np
import tensorflow as tf

from common.errors import SettingError
from common.labels import labels_of, labels_text
from common.preparation import crop_fraction_of, evaluation_image
from common.run_files import LABELS
from common.trained import image_size
from pale_tf import pale_network
from pale_tf.checks import check_share
from training.data.augmentation import augment_image, make_batch_augmentation
from training.data.batches import Transforms
from training.data.decoding import decode
from training.data.folders import passed_over_text
from training.data.geometry import random_mirror, random_window
from training.data.seeds import following
from training.reports.classification import TOP, ClassificationReport
from training.tasks import Prediction, Task, network_config
from training.teachers import load_teacher

BATCH = 32  # images that are predicted at once


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of classification in a recipe. A value of 0, None or False is off.

    Args:
        label_smoothing: Share of the label that is spread over all classes.
        mixup: Alpha of Mixup's beta distribution. With both Mixup and CutMix, each batch takes one.
        cutmix: Alpha of CutMix's beta distribution.
        rand_augment: Magnitude of RandAugment, in 0..10: two of its operations an image.
        erasing: Probability that a rectangle of an image is erased.
        crop_area: Smallest part of the image's area that a random crop keeps, or None for
            evaluation's crop.
        flip: Whether half of the images are mirrored, left to right.
        rotation: Largest random rotation, in degrees.
        translation: Largest random shift, in parts of the image.
        zoom: Largest random change of scale, in parts of the image.
        slant: Largest random shift of a row, in parts of its distance from the middle.
        stretch: Largest random change of the width alone, in parts of the image.
        stroke: Largest random share of a dilation or an erosion, in 0..1: thicker, thinner strokes.
        teacher_weight: Share of the teacher's outputs in what is learned, in 0..1; the rest is the
            labels. Matters with a teacher alone.
        crop_fraction: In evaluation, the part of the image's short side that the central crop has.
    """

    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    rand_augment: int = 0
    erasing: float = 0.0
    crop_area: float | None = None
    flip: bool = False
    rotation: float = 0.0
    translation: float = 0.0
    zoom: float = 0.0
    slant: float = 0.0
    stretch: float = 0.0
    stroke: float = 0.0
    teacher_weight: float = 0.5
    crop_fraction: float = 1.0

    def __post_init__(self):
        check_share("teacher_weight", self.teacher_weight)


def training_image(encoded, seed, size, settings, guarded=True):
    """Decodes, crops and mirrors one image at random.

    Args:
        encoded: Scalar string: JPEG, PNG, GIF or BMP.
        seed: Integer tensor `[2]`. The one that follows it is used as well.
        size: Height and width of the result, in pixels.
        settings: `Settings`; `crop_area`, `crop_fraction` and `flip` matter here.
        guarded: As in `training.data.decoding.decode`.

    Returns:
        float32 `[size, size, 3]`, values in 0..255, and whether the image could be decoded; if not,
        it is black.
    """
    if settings.crop_area is None:
        image, readable = decode(encoded, guarded=guarded)
        image = evaluation_image(image, size, settings.crop_fraction)
    else:
        image, readable = decode(
            encoded, lambda shape: random_window(shape, seed, settings.crop_area), guarded
        )
        image = tf.image.resize(image, (size, size))
    if settings.flip:
        image = random_mirror(image, following(seed, 1))
    return image, readable


def make_transforms(recipe, source):
    """Makes the `Transforms` of a recipe. Targets are distributions, float32 `[classes]`."""
    settings, classes = Settings(**recipe.settings), len(source.labels)
    augment_batch = make_batch_augmentation(settings)

    def training(encoded, label, seed, guarded):
        image, readable = training_image(encoded, seed, recipe.image_size, settings, guarded)
        return augment_image(image, following(seed, 2), settings), label, readable

    def batch(images, labels, seed):
        labels = tf.one_hot(labels, classes)
        labels += settings.label_smoothing * (1 / classes - labels)
        return augment_batch(images, labels, seed)

    def evaluation(encoded, label):
        image, readable = decode(encoded)
        image = evaluation_image(image, recipe.image_size, settings.crop_fraction)
        return image, tf.one_hot(label, classes), readable

    return Transforms(training, batch, evaluation)


def make_network(recipe, source):
    """Builds the classifier of a recipe, from images in 0..255 to probabilities."""
    if len(source.labels) < 2:
        raise SettingError(
            f"`dataset`: {recipe.dataset} has one class alone, {source.labels}"
            f"{passed_over_text(source.passed_over)}"
        )
    return pale_network(
        network_config(recipe),
        input_shape=(recipe.image_size, recipe.image_size, 3),
        classes=len(source.labels),
    )


def make_teacher(recipe, source):
    """Makes soft targets: labels, mixed with what a teacher says of the same image as the network
    sees it. (Hinton et al. 2015, at a temperature of 1; DeiT's "soft distillation".)

    Args:
        recipe: A `Recipe` with a `teacher`.
        source: The `Source`; the teacher's classes must be its own.

    Returns:
        A function of images `[b, S, S, 3]`, values in 0..255, and distributions `[b, classes]`, to
        distributions `[b, classes]`.
    """
    weight = Settings(**recipe.settings).teacher_weight
    teacher = load_teacher(recipe.teacher, source.labels)

    def soften(images, targets):
        return targets + weight * (teacher(images) - targets)

    return soften


def make_metrics(recipe, source):
    """Accuracy, and top-5 accuracy where there are more than 5 classes."""
    metrics = [keras.metrics.CategoricalAccuracy(name="accuracy")]
    if len(source.labels) > TOP:
        metrics.append(keras.metrics.TopKCategoricalAccuracy(TOP, name=f"top{TOP}"))
    return metrics


def predict(trained, images):
    """The most probable classes of images.

    Args:
        trained: A `common.trained.Trained`.
        images: uint8 arrays `[H, W, 3]`, values in 0..255; asked for one after the other.

    Yields:
        For each image a `Prediction` whose lines are probability and class, best first.

    Raises:
        SettingError: If the run's labels are not those of the network, or its outputs are NaN.
    """
    labels, size = labels_of(trained), image_size(trained.network)
    crop_fraction = crop_fraction_of(trained.recipe)
    prepared = (evaluation_image(image, size, crop_fraction) for image in images)
    while batch := list(itertools.islice(prepared, BATCH)):
        probabilities = trained.network.predict_on_batch(np.stack(batch))
        if not np.isfinite(probabilities).all():
            raise SettingError(
                f"argument RUN: {trained.file} gives probabilities that are not finite"
            )
        for scores in probabilities:
            best = np.argsort(-scores, kind="stable")[:TOP]
            yield Prediction([f"{scores[index]:7.2%}  {labels[index]}" for index in best])


TASK = Task(
    make_transforms=make_transforms,
    make_network=make_network,
    loss=lambda outputs, targets: keras.losses.categorical_crossentropy(targets, outputs),
    make_teacher=make_teacher,
    make_metrics=make_metrics,
    cascades=True,
    score="accuracy",
    settings=Settings,
    describe=lambda source: f"{len(source.labels)} classes",
    files=lambda source: {LABELS: labels_text(source.labels)},
    contents={
        LABELS: "its classes",
        "confusion.png": "which classes are taken for which",
        "worst.png": "the test images with the highest loss",
    },
    make_report=ClassificationReport,
    predict=predict,
)
