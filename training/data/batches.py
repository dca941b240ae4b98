"""From a source of images to the batches of an epoch, the same ones whenever they are asked for."""

import numpy as np
import tensorflow as tf

from common.errors import SettingError
from training.data.augmentation import augment_image, make_batch_augmentation
from training.data.decoding import evaluation_image_of, training_image
from training.data.seeds import following

SHUFFLE_BUFFER = 10_000  # encoded images
SEEDS = 10  # of each image and each batch: as many in a row are theirs alone


def steps_per_epoch(source, recipe):
    """Number of whole batches in the training split.

    Raises:
        SettingError: If there is none.
    """
    count = source.counts["train"]
    if recipe.batch_size > count:
        raise SettingError(
            f"`batch_size` must be at most {count}, the number of training images. "
            f"Received: {recipe.batch_size}"
        )
    return count // recipe.batch_size


def training_batches(
    source,
    recipe,
    seed,
    epoch,
    unreadable,
    first_step=0,
    guarded=True,
    batch_size=None,
    shard=(0, 1),
):
    """Shuffled and augmented batches of one epoch, without end: take `steps_per_epoch` of them.

    Every image and every random number is a function of the seed, the epoch and the place in it, so
    that an epoch can be entered at any step. An unreadable image is replaced by the next one of
    its batch.

    Args:
        source: A `Source`.
        recipe: A `Recipe`.
        seed: Integer seed of the run.
        epoch: Which epoch, from 0.
        unreadable: An `Unreadable`.
        first_step: Number of batches to leave out.
        guarded: As in `training_image`. The batches are the same.
        batch_size: Images in a batch of this worker; defaults to the recipe's.
        shard: This worker's index, and the number of workers.

    Returns:
        A `tf.data.Dataset` of images `[B, S, S, 3]`, float32 in 0..255, and labels `[B, classes]`,
        a distribution each.
    """
    batch_size = batch_size or recipe.batch_size
    order, images_seed, batches_seed = _seeds(seed, epoch)
    index, count = shard
    augment_batch = make_batch_augmentation(recipe)
    examples = source.read("train", seed=order, shard=shard)
    buffer = max(1, min(source.counts["train"], SHUFFLE_BUFFER))
    examples = examples.shuffle(buffer, seed=order).repeat().skip(first_step * batch_size)

    def load(place, example):
        encoded, label, name = example
        draw = tf.stack([images_seed, (place * count + index) * SEEDS])
        image, readable = training_image(encoded, draw, recipe, guarded)
        image = augment_image(image, following(draw, 2), recipe)
        return image, label, unreadable.watch(readable, name)

    def augment(place, batch):
        images, labels = _replace_unreadable(*batch)
        labels = tf.one_hot(labels, len(source.labels))
        labels += recipe.label_smoothing * (1 / len(source.labels) - labels)
        draw = tf.stack([batches_seed, (place * count + index) * SEEDS])
        return augment_batch(images, labels, draw)

    images = examples.enumerate(start=first_step * batch_size)
    images = images.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    batches = images.batch(batch_size, drop_remainder=True).enumerate(start=first_step)
    batches = batches.map(augment, num_parallel_calls=tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE)


def evaluation_batches(source, split, recipe, unreadable, batch_size=None, shard=(0, 1)):
    """Batches of a whole split in order, the last one filled up with images of weight 0.

    Args:
        source: A `Source`.
        split: `train`, `validation` or `test`.
        recipe: A `Recipe`.
        unreadable: An `Unreadable`.
        batch_size: Images in a batch of this worker; defaults to the recipe's.
        shard: This worker's index, and the number of workers. All have equally many batches.

    Returns:
        A `tf.data.Dataset` of images `[B, S, S, 3]`, float32 in 0..255, labels `[B]` and weights
        `[B]`: 1, and 0 for filling and for unreadable images.
    """
    batch_size = batch_size or recipe.batch_size

    def load(encoded, label, name):
        image, readable = evaluation_image_of(encoded, recipe)
        return image, label, tf.cast(unreadable.watch(readable, name), tf.float32)

    images = source.read(split, shard=shard).map(load, num_parallel_calls=tf.data.AUTOTUNE)
    size = recipe.image_size
    blank = (tf.zeros((size, size, 3)), tf.zeros((), tf.int64), tf.zeros(()))
    filled = images.concatenate(tf.data.Dataset.from_tensors(blank).repeat())
    batches = filled.batch(batch_size, drop_remainder=True)
    return batches.take(evaluation_steps(source, split, batch_size * shard[1])).prefetch(
        tf.data.AUTOTUNE
    )


def evaluation_steps(source, split, batch_size):
    """Number of batches of `batch_size` images, over all workers, that hold a split."""
    return -(-source.counts[split] // batch_size)


def _seeds(seed, epoch):
    """Three seeds of an epoch: for the order, for single images, for batches."""
    words = np.random.SeedSequence([seed, epoch]).generate_state(3)
    return [int(word) for word in words.astype("int64")]


def _replace_unreadable(images, labels, readable):
    """Gives each unreadable image the place of the next readable one, if there is any."""
    good = tf.where(readable)[:, 0]

    def replace():
        places = tf.range(tf.size(readable, tf.int64))
        places = tf.gather(good, tf.searchsorted(good, places) % tf.size(good))
        return tf.gather(images, places), tf.gather(labels, places)

    nothing_to_do = tf.reduce_all(readable) | ~tf.reduce_any(readable)
    return tf.cond(nothing_to_do, lambda: (images, labels), replace)
