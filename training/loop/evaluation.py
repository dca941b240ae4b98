"""A network's predictions on a whole split, and what they are worth."""

import dataclasses
import sys

import numpy as np
import rich.progress
import tensorflow as tf

from training.data.batches import SHUFFLE_BUFFER, evaluation_batches
from training.data.decoding import evaluation_image_of

TOP = 5


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Labels `[N]` and probabilities `[N, classes]` of the readable images of a split, in order."""

    labels: np.ndarray
    probabilities: np.ndarray

    @property
    def losses(self):
        """Cross-entropy of every image, `[N]`."""
        right = self.probabilities[np.arange(len(self.labels)), self.labels]
        return -np.log(np.maximum(right.astype("float64"), np.finfo("float32").tiny))


def predict_split(network, source, split, recipe, unreadable):
    """Runs a network over a split, on one device.

    Args:
        network: A `keras.Model` of images to probabilities.
        source: A `Source`.
        split: `train`, `validation` or `test`.
        recipe: A `Recipe`: image size, crop and batch size.
        unreadable: An `Unreadable`.

    Returns:
        `Predictions`.
    """
    run = tf.function(lambda images: network(images, training=False))
    labels, probabilities = [], []
    batches = evaluation_batches(source, split, recipe, unreadable)
    shown = rich.progress.track(
        batches,
        description=f"evaluating on {split}",
        transient=True,
        disable=not sys.stdout.isatty(),
    )
    for images, classes, weights in shown:
        counted = weights.numpy() > 0
        probabilities.append(run(images).numpy()[counted])
        labels.append(classes.numpy()[counted])
        unreadable.check()
    return Predictions(np.concatenate(labels), np.concatenate(probabilities))


def summarise(predictions, names):
    """Accuracies and loss.

    Args:
        predictions: `Predictions` of one image at least.
        names: Names of the classes.

    Returns:
        Dict of `images`, `accuracy`, `top5_accuracy`, `loss`, and `classes`: for each class that
        occurs, `images` and `accuracy`.
    """
    labels = predictions.labels
    # Ties count against the network: what is at least as probable ranks before.
    right = predictions.probabilities[np.arange(len(labels)), labels]
    rank = (predictions.probabilities >= right[:, None]).sum(axis=1)
    classes = {}
    for index in np.unique(labels):
        own = labels == index
        accuracy = float((rank[own] == 1).mean())
        classes[names[index]] = {"images": int(own.sum()), "accuracy": accuracy}
    return {
        "images": len(labels),
        "accuracy": float((rank == 1).mean()),
        "top5_accuracy": float((rank <= TOP).mean()),
        "loss": float(predictions.losses.mean()),
        "classes": classes,
    }


def confusion_matrix(predictions):
    """Counts images by class (row) and most probable class (column): `[classes, classes]`."""
    count = predictions.probabilities.shape[1]
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (predictions.labels, predictions.probabilities.argmax(axis=1)), 1)
    return matrix


def pick_images(source, split, recipe, unreadable, indices):
    """The images at `indices` among the readable ones of a split, as the network gets them."""
    wanted = {int(index): place for place, index in enumerate(indices)}
    images, seen = [None] * len(wanted), 0
    for batch, _, weights in evaluation_batches(source, split, recipe, unreadable):
        for image in batch.numpy()[weights.numpy() > 0]:
            if seen in wanted:
                images[wanted[seen]] = image
            seen += 1
    return images


def sample_images(source, recipe, count):
    """Up to `count` readable training images, prepared as in evaluation; always the same ones."""
    buffer = max(1, min(source.counts["train"], SHUFFLE_BUFFER))
    images = []
    for encoded, *_ in source.read("train", seed=0).shuffle(buffer, seed=0):
        if len(images) == count:
            break
        image, readable = evaluation_image_of(encoded, recipe)
        if readable:
            images.append(image.numpy())
    return images
