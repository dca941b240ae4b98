"""Detection and instance segmentation: boxes, classes and masks of objects, by Mask R-CNN."""

import dataclasses
import json

import keras
import tensorflow as tf

from common.errors import SettingError
from common.files import read_json
from common.instances import SHOWN, draw_objects
from common.labels import labels_of, labels_text
from common.overlays import encode_picture
from common.preparation import LONG_SIDE, SHORT_SIDE, scaled_size
from common.run_files import LABELS
from pale_tf import pale_detector
from training.data.object_sources import open_object_source
from training.detection.network import IMAGE_INPUTS, LOSSES, OBJECT_INPUTS, training_network
from training.detection.transforms import PADDING, make_transforms
from training.reports.detection import DetectionReport, results, shown
from training.tasks import Prediction, Task, network_config

CATEGORIES = "categories.json"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of detection in a recipe. A value of None or False is off.

    Args:
        channels: Channels of the pyramid and the heads; 256 in the paper.
        masks: Whether objects get masks, if the data have any.
        output_norms: Whether the levels of the backbone are normed in front of the pyramid.
        regions: RoIs of an image that the heads are trained on; 512 in the paper.
        short_sides: Least and largest short side in training, in pixels; the largest one in tests.
        long_side: Long side at most, in pixels.
        crop: Whether half of the images are cropped as DETR does it.
        flip: Whether half of the images are mirrored, left to right.
    """

    channels: int = 256
    masks: bool = True
    output_norms: bool = False
    regions: int = 512
    short_sides: tuple[int, int] = (SHORT_SIDE, SHORT_SIDE)
    long_side: int = LONG_SIDE
    crop: bool = False
    flip: bool = False

    def __post_init__(self):
        sides = self.short_sides
        if type(self.regions) is not int or self.regions < 4:
            raise ValueError(f"`regions` must be an integer of 4 or more. Received: {self.regions}")
        if len(sides) != 2 or not all(type(side) is int for side in sides):
            raise ValueError(f"`short_sides` must be two integers. Received: {list(sides)}")
        if not 0 < sides[0] <= sides[1] <= self.long_side:
            raise ValueError(
                "`short_sides` must be above 0, the smaller one first, and at most `long_side`. "
                f"Received: {list(sides)} with {self.long_side}"
            )


def has_masks(recipe, source):
    """Whether a recipe's network finds masks of the objects of a source."""
    return source.masks and Settings(**recipe.settings).masks


def make_network(recipe, source):
    """Builds the detector of a recipe, from images in 0..255 and objects to losses."""
    settings = Settings(**recipe.settings)
    detector = pale_detector(
        network_config(recipe),
        len(source.labels),
        channels=settings.channels,
        masks=has_masks(recipe, source),
        output_norms=settings.output_norms,
    )
    return training_network(detector, len(source.labels), settings.regions)


def join(images, targets):
    """Images and objects as the trained network takes them, which wants one object at least."""
    filled = {
        name: tf.pad(
            targets[name],
            [[0, 0], [0, 1], *[[0, 0]] * (targets[name].shape.rank - 2)],
            constant_values=PADDING[name],
        )
        for name in OBJECT_INPUTS
    }
    return {"image": images, **{name: targets[name] for name in IMAGE_INPUTS}, **filled}


class PartialLoss(keras.metrics.Mean):
    """The mean over images of one of the losses."""

    def update_state(self, targets, outputs, sample_weight=None):
        """Takes the outputs of the trained network into account."""
        super().update_state(outputs[self.name], sample_weight=sample_weight)


def make_metrics(recipe, source):
    """The mean of each loss."""
    return [PartialLoss(name) for name in LOSSES if name != "masks" or has_masks(recipe, source)]


def make_inference(network, settings):
    """Makes the test of whole images: scaled to the recipe's size, and boxes scaled back.

    Args:
        network: A `pale_detector`.
        settings: The recipe's `settings`.

    Returns:
        A function of images `[b, H, W, 3]`, values in 0..255, to the network's outputs, boxes in
        pixels of these images.
    """
    settings = Settings(**settings)

    def infer(images):
        shape = tf.shape(images)[1:3]
        size = scaled_size(shape, settings.short_sides[1], settings.long_side)
        outputs = network(tf.image.resize(images, size, antialias=True), training=False)
        scale = tf.cast(shape, tf.float32) / tf.cast(size, tf.float32)
        return {**outputs, "boxes": outputs["boxes"] * tf.tile(scale[::-1], [2])}

    return infer


def categories_text(source):
    """The contents of `categories.json`: COCO's `categories`, in the order of the labels."""
    pairs = zip(source.categories, source.labels, strict=True)
    return json.dumps([{"id": number, "name": label} for number, label in pairs], indent=1) + "\n"


def category_numbers(trained):
    """The numbers of the classes of a run in its data set; 1, 2, … where it does not say."""
    labels, path = labels_of(trained), trained.folder / CATEGORIES
    if not path.exists():
        return range(1, len(labels) + 1)
    try:
        numbers = [category["id"] for category in read_json(path)]
        if len(numbers) != len(labels) or not all(type(number) is int for number in numbers):
            raise ValueError(f"expected {len(labels)} integers as `id`")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(f"argument RUN: {path} holds no categories: {error}") from error
    return numbers


def predict(trained, images):
    """The objects in images.

    Args:
        trained: A `common.trained.Trained`.
        images: uint8 arrays `[H, W, 3]`, values in 0..255; asked for one after the other.

    Yields:
        For each image a `Prediction`: a line for each object, the surest first; a picture of those
        whose score is at least `SHOWN`; and all objects as COCO's results are, `image_id` the place
        of the image from 1 on and `category_id` that of the label in the data set.

    Raises:
        SettingError: If the run's labels or categories are not those of the network.
    """
    labels, numbers = labels_of(trained), category_numbers(trained)
    infer = tf.function(
        make_inference(trained.network, trained.recipe["settings"]), reduce_retracing=True
    )
    for number, image in enumerate(images, start=1):
        outputs = infer(tf.cast(image, tf.float32)[None])
        answer = {name: value[0].numpy() for name, value in outputs.items()}
        rows = results(answer, number, *image.shape[:2])
        lines = [
            f"{row['score']:7.2%}  {labels[row['category_id']]}  "
            + " ".join(f"{side:.1f}" for side in row["bbox"])
            for row in rows
        ]
        sure = [row for row in rows if row["score"] >= SHOWN]
        picture = draw_objects(image, shown(sure), labels)
        text = json.dumps([{**row, "category_id": numbers[row["category_id"]]} for row in rows])
        files = {"-objects.png": encode_picture(picture), "-objects.json": text.encode()}
        yield Prediction(lines or ["no objects"], files)


TASK = Task(
    make_transforms=lambda recipe, source: make_transforms(Settings(**recipe.settings)),
    padding=PADDING,
    make_network=make_network,
    join=join,
    loss=lambda outputs, targets: tf.add_n(list(outputs.values())),
    finish=lambda network: network.detector,
    make_inference=make_inference,
    make_metrics=make_metrics,
    parts=LOSSES,
    score="box_ap",
    class_score="ap",
    validated_whole=True,
    pixels=1,  # one image at a time: no two have targets of one shape
    settings=Settings,
    network_settings=("channels", "masks", "output_norms"),
    open_source=open_object_source,
    describe=lambda source: (
        f"{len(source.labels)} classes of objects" + (" with masks" if source.masks else "")
    ),
    files=lambda source: {
        LABELS: labels_text(source.labels),
        CATEGORIES: categories_text(source),
    },
    contents={
        LABELS: "its classes",
        CATEGORIES: "their numbers in the data set, as predictions have them",
        "worst.png": "the test images with most errors, beside the truth",
    },
    make_report=DetectionReport,
    predict=predict,
    predicted={
        "-objects.png": f"the objects from a score of {SHOWN:.0%} on, drawn over the image",
        "-objects.json": "all objects, as COCO's results",
    },
)
