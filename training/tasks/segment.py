"""Semantic segmentation: a class for each pixel, by UPerNet."""

import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from common.class_maps import network_image, resized_classes
from common.errors import SettingError
from common.labels import labels_of, labels_text
from common.overlays import encode_mask, encode_picture, overlay, shares
from common.preparation import WHOLE_PIXELS, short_side_of, whole_size
from common.run_files import LABELS
from pale_tf import pale_segmenter
from pale_tf.backbone import IMAGE_MEAN, PaleModel
from pale_tf.segmenter import activate
from training.data.batches import Transforms
from training.data.decoding import decode
from training.data.geometry import (
    central_placement,
    fill_outside,
    place_image,
    place_mask,
    random_mirror,
    random_placement,
)
from training.data.mask_sources import open_mask_source
from training.data.masks import IGNORED, decode_mask
from training.data.photometric import distort_colors
from training.data.seeds import following
from training.reports.segmentation import SegmentationReport
from training.tasks import Prediction, Task, network_config

AUXILIARY_WEIGHT = 0.4  # of the auxiliary head's loss (Zhao et al. 2017; mmsegmentation)
FILL = IMAGE_MEAN.astype("float32")  # of what lies outside of an image: 0 once normalized


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of segmentation in a recipe. A value of None or False is off.

    Args:
        channels: Channels of the head; 512 in the paper.
        auxiliary: Whether an auxiliary head is trained too.
        output_norms: Whether the levels of the pyramid are normed in front of the head.
        short_side: Short side, in pixels, that whole images are scaled to before anything else, or
            None for their own. The long side gets four times as many at most.
        scales: Least and largest random scale in training, beside that of `short_side`.
        largest_share: What one class may fill of a random crop, if one of ten draws is such a crop.
        flip: Whether half of the images are mirrored, left to right.
        photometric: Whether brightness, contrast, saturation and hue change at random.
        class_weights: Weight of the pixels of each class in training, above 0, in the order of
            the labels; None for 1 each.
    """

    channels: int = 512
    auxiliary: bool = True
    output_norms: bool = False
    short_side: int | None = None
    scales: tuple[float, float] = (1.0, 1.0)
    largest_share: float = 1.0
    flip: bool = False
    photometric: bool = False
    class_weights: tuple[float, ...] | None = None

    def __post_init__(self):
        weights, scales, short = self.class_weights or (), self.scales, self.short_side
        if not all(0 < weight < float("inf") for weight in weights):
            raise ValueError(f"`class_weights` must be finite, above 0. Received: {list(weights)}")
        if len(scales) != 2 or not 0 < scales[0] <= scales[1] < float("inf"):
            raise ValueError(
                "`scales` must be two factors above 0, the smaller one first. "
                f"Received: {list(scales)}"
            )
        if short is not None and (type(short) is not int or short < 1):
            raise ValueError(f"`short_side` must be a positive integer or None. Received: {short}")
        if not 0 < self.largest_share <= 1:
            raise ValueError(
                f"`largest_share` must be above 0, at most 1. Received: {self.largest_share}"
            )


def make_transforms(recipe, source):
    """Makes the `Transforms` of a recipe. Targets are classes, uint8 `[S, S]`; 255 is ignored."""
    settings, size = Settings(**recipe.settings), recipe.image_size
    low, high = settings.scales

    def read(encoded, encoded_mask, guarded=True):
        image, readable = decode(encoded, guarded=guarded)
        mask, mask_readable = decode_mask(encoded_mask, source.table)
        readable &= mask_readable & tf.reduce_all(tf.shape(image)[:2] == tf.shape(mask))
        # Of what cannot be read, one pixel each: the rest goes on with equal sizes.
        blank = tf.zeros((1, 1, 3), tf.uint8), tf.constant([[IGNORED]], tf.uint8)
        image, mask = tf.cond(readable, lambda: (image, mask), lambda: blank)
        return image, mask, readable

    def training(encoded, encoded_mask, seed, guarded):
        image, mask, readable = read(encoded, encoded_mask, guarded)
        scale = low + (high - low) * tf.random.stateless_uniform((), following(seed, 1))
        scaled = whole_size(tf.shape(mask), settings.short_side, scale)
        placement = random_placement(mask, scaled, size, seed, settings.largest_share)
        image = place_image(image, placement, size)
        if settings.photometric:
            image = distort_colors(image, following(seed, 3))
        image = fill_outside(image, placement, FILL)
        mask = place_mask(mask, placement, size)[..., None]
        if settings.flip:  # both by the same seed
            image = random_mirror(image, following(seed, 2))
            mask = random_mirror(mask, following(seed, 2))
        return image, mask[..., 0], readable

    def evaluation(encoded, encoded_mask):
        image, mask, readable = read(encoded, encoded_mask)
        placement = central_placement(whole_size(tf.shape(mask), settings.short_side), size)
        image = fill_outside(place_image(image, placement, size), placement, FILL)
        return image, place_mask(mask, placement, size), readable

    def whole(encoded, encoded_mask):
        image, mask, readable = read(encoded, encoded_mask)
        return tf.cast(image, tf.float32), mask, readable

    return Transforms(training, lambda images, masks, seed: (images, masks), evaluation, whole)


def make_network(recipe, source):
    """Builds the segmenter of a recipe, from images in 0..255 of any size to logits by head."""
    settings = Settings(**recipe.settings)
    weights = settings.class_weights
    if weights is not None and len(weights) != len(source.labels):
        raise SettingError(
            f"`class_weights` must have a weight for each of the {len(source.labels)} classes of "
            f"{recipe.dataset}. Received: {len(weights)}"
        )
    network = pale_segmenter(
        network_config(recipe),
        len(source.labels),
        channels=settings.channels,
        auxiliary=settings.auxiliary,
        classifier_activation=None,
        output_norms=settings.output_norms,
    )
    if settings.auxiliary:
        return network
    return PaleModel(network.input, {"main": network.output}, name=network.name)


def finish(network):
    """The network without its auxiliary head, from images to probabilities."""
    return PaleModel(network.input, activate(network.output["main"]), name=network.name)


def make_loss(settings):
    """Makes the loss that a recipe with these `settings` minimizes: see `loss`."""
    return functools.partial(loss, class_weights=Settings(**settings).class_weights)


def loss(outputs, targets, class_weights=None):
    """The loss of each image: cross-entropy, summed over the pixels that are not ignored.

    (mmsegmentation divides by all pixels, ignored ones too; transformers by those that count.)

    Args:
        outputs: Of the trained network, a dict of logits `[b, H, W, classes]`: `main` and, counted
            with `AUXILIARY_WEIGHT`, `auxiliary`. Or of the finished one, probabilities.
        targets: Classes, uint8 `[b, H, W]`.
        class_weights: Weight `w` of the pixels of each class, for logits, or None for 1 each. What
            minimizes a weighted cross-entropy is in proportion to `w · p`, where `p` are the
            classes' probabilities. `log w` is added to the logits, which are those of `p` then:
            the weights decide what is learned first, not what a network answers.

    Returns:
        float32 `[b]`.
    """
    counted = targets != IGNORED
    labels = tf.where(counted, tf.cast(targets, tf.int32), 0)

    def total(losses):
        return tf.reduce_sum(tf.where(counted, losses, 0.0), axis=(1, 2))

    if not isinstance(outputs, dict):
        right = tf.gather(outputs, labels, batch_dims=3)
        return total(-tf.math.log(tf.maximum(right, np.finfo("float32").tiny)))
    offset, weights = 0.0, 1.0
    if class_weights is not None:
        class_weights = tf.constant(class_weights, tf.float32)
        offset, weights = tf.math.log(class_weights), tf.gather(class_weights, labels)
    losses = {
        head: total(
            weights * tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits + offset)
        )
        for head, logits in outputs.items()
    }
    return losses["main"] + AUXILIARY_WEIGHT * losses.get("auxiliary", 0.0)


def count_pixels(targets):
    """Pixels of each image that are not ignored, float32 `[b]`."""
    return tf.reduce_sum(tf.cast(targets != IGNORED, tf.float32), axis=(1, 2))


class MeanIoU(keras.metrics.MeanIoU):
    """Keras' mean IoU over the classes that occur, of scores and of targets that may be ignored."""

    def __init__(self, classes, name="miou"):
        # A split may have more pixels than 32 bits can count.
        super().__init__(classes, name, "int64", ignore_class=IGNORED, sparse_y_pred=False)

    def update_state(self, targets, outputs, sample_weight=None):
        """Counts pixels.

        Args:
            targets: Classes `[b, H, W]`.
            outputs: As in `loss`.
            sample_weight: Weights of the images, whole numbers `[b]`, or None.
        """
        scores = outputs["main"] if isinstance(outputs, dict) else outputs
        if sample_weight is not None:
            weights = tf.cast(sample_weight, tf.int64)[:, None, None]
            sample_weight = tf.broadcast_to(weights, tf.shape(targets))
        return super().update_state(tf.cast(targets, tf.int64), scores, sample_weight)


def make_inference(network, settings, scales=(1.0,), flip=False):
    """Makes the test of whole images: on several sizes, mirrored too, and averaged.

    Args:
        network: A finished network.
        settings: The recipe's `settings`.
        scales: Factors of the size that whole images have.
        flip: Whether each size is also tested mirrored, left to right.

    Returns:
        A function of images `[b, H, W, 3]`, values in 0..255, to probabilities
        `[b, H, W, classes]`.
    """
    short_side = short_side_of({"settings": settings})

    def infer(images):
        shape, total = tf.shape(images)[1:3], 0.0
        for scale in scales:
            scaled = tf.image.resize(images, whole_size(shape, short_side, scale), antialias=True)
            for mirrored in (False, True)[: 1 + flip]:
                given = tf.reverse(scaled, [2]) if mirrored else scaled
                found = tf.image.resize(network(given, training=False), shape)
                total += tf.reverse(found, [2]) if mirrored else found
        return total / (len(scales) * (1 + flip))

    return infer


def predict(trained, images):
    """The classes of the pixels of images, as a server answers them: see `common.class_maps`.

    Args:
        trained: A `common.trained.Trained`.
        images: uint8 arrays `[H, W, 3]`, values in 0..255; asked for one after the other.

    Yields:
        For each image a `Prediction`: a line for each class that occurs, with its share of the
        pixels; the mask as a PNG with a palette, and the same over the image with a legend.

    Raises:
        SettingError: If the run's labels are not those of the network, or its outputs are NaN.
    """
    labels, short_side = labels_of(trained), short_side_of(trained.recipe)

    @tf.function(reduce_retracing=True)
    def classes_of(image):
        given, _ = network_image(image, None, short_side)
        probabilities = trained.network(given[None], training=False)[0]
        finite = tf.reduce_all(tf.math.is_finite(probabilities))
        return resized_classes(probabilities, tf.shape(image)[:2]), finite

    for image in images:
        classes, finite = (tensor.numpy() for tensor in classes_of(image))
        if not finite:
            raise SettingError(
                f"argument RUN: {trained.file} gives probabilities that are not finite"
            )
        lines = [f"{share:7.2%}  {labels[index]}" for index, share in shares(classes, len(labels))]
        files = {
            "-mask.png": encode_mask(classes, len(labels)),
            "-overlay.png": encode_picture(overlay(image, classes, labels)),
        }
        yield Prediction(lines, files)


TASK = Task(
    make_transforms=make_transforms,
    make_network=make_network,
    loss=loss,
    make_loss=make_loss,
    finish=finish,
    make_inference=make_inference,
    multi_scale=True,
    smallest_part=2,  # pyramid pooling normalizes maps of one pixel
    pixels=WHOLE_PIXELS,
    count=count_pixels,
    make_metrics=lambda recipe, source: [MeanIoU(len(source.labels))],
    score="miou",
    class_score="iou",
    settings=Settings,
    network_settings=("channels", "output_norms"),
    open_source=open_mask_source,
    describe=lambda source: f"{len(source.labels)} classes of pixels",
    files=lambda source: {LABELS: labels_text(source.labels)},
    contents={
        LABELS: "its classes",
        "confusion.png": "which classes are taken for which",
        "worst.png": "the test images with the highest loss, beside the truth",
    },
    make_report=SegmentationReport,
    predict=predict,
    predicted={
        "-mask.png": "the class of each pixel, as a PNG with a palette",
        "-overlay.png": "the same over the image, with a legend",
    },
)
