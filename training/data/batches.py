"""From a source of images to the batches of an epoch, the same ones whenever they are asked for."""

import typing

import numpy as np
import tensorflow as tf

from common.errors import SettingError

SHUFFLE_BUFFER = 10_000  # encoded images
SEEDS = 10  # of each image and each batch: as many in a row are theirs alone


class Transforms(typing.NamedTuple):
    """From examples of a source to images and targets of a network. Pure functions.

    A target is a tensor, or a dict of tensors.

    Attributes:
        training: `(encoded, target, seed, guarded)` to an image (float32 `[H, W, 3]`, values in
            0..255), its target, and whether the example could be read; if not, both are blank.
            `seed` is an integer tensor `[2]`, of which the `SEEDS - 1` that follow may be used too.
            Without `guarded`, an example that looks whole may raise an error instead.
        batch: `(images, targets, seed)`, of a batch, to the same.
        evaluation: `(encoded, target)` to an image, its target as in training, and whether the
            example could be read. Raises no error.
        whole: As `evaluation`, but images and targets may have sizes of their own: what networks
            are scored on in the end. `evaluation`, unless given.
    """

    training: typing.Callable
    batch: typing.Callable
    evaluation: typing.Callable
    whole: typing.Callable | None = None


def traced_once(transforms):
    """`Transforms` whose graphs are made once, and not for the batches of every epoch again."""
    return Transforms(*(function and tf.function(function) for function in transforms))


def steps_per_epoch(source, batch_size):
    """Number of whole batches in the training split.

    Raises:
        SettingError: If there is none.
    """
    count = source.counts["train"]
    if batch_size > count:
        raise SettingError(
            f"`batch_size` must be at most {count}, the number of training images. "
            f"Received: {batch_size}"
        )
    return count // batch_size


def training_batches(
    source,
    transforms,
    batch_size,
    seed,
    epoch,
    unreadable,
    first_step=0,
    guarded=True,
    shard=(0, 1),
    padding=None,
):
    """Shuffled and augmented batches of one epoch, without end: take `steps_per_epoch` of them.

    Every image and every random number is a function of the seed, the epoch and the place in it, so
    that an epoch can be entered at any step. An unreadable image is replaced by the next one of
    its batch.

    Args:
        source: A `Source`.
        transforms: The `Transforms` of the task.
        batch_size: Images in a batch of this worker.
        seed: Integer seed of the run.
        epoch: Index of the epoch, from 0.
        unreadable: An `Unreadable`.
        first_step: Number of batches to leave out.
        guarded: As in `Transforms.training`. The batches are the same.
        shard: Index of this worker, and the number of workers.
        padding: As in `training.tasks.Task`.

    Returns:
        A `tf.data.Dataset` of images `[B, H, W, 3]`, float32 in 0..255, and targets.
    """
    order, images_seed, batches_seed = _seeds(seed, epoch)
    index, count = shard
    examples = source.read("train", seed=order, shard=shard)
    buffer = max(1, min(source.counts["train"], SHUFFLE_BUFFER))
    examples = examples.shuffle(buffer, seed=order).repeat().skip(first_step * batch_size)

    def load(place, example):
        encoded, target, name = example
        draw = tf.stack([images_seed, (place * count + index) * SEEDS])
        image, target, readable = transforms.training(encoded, target, draw, guarded)
        return image, target, unreadable.watch(readable, name)

    def finish(place, batch):
        images, targets = _replace_unreadable(*batch)
        draw = tf.stack([batches_seed, (place * count + index) * SEEDS])
        return transforms.batch(images, targets, draw)

    images = examples.enumerate(start=first_step * batch_size)
    images = images.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    batches = _batched(images, batch_size, padding).enumerate(start=first_step)
    batches = batches.map(finish, num_parallel_calls=tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE)


def _batched(images, batch_size, padding):
    """Batches of images, targets, and whether they could be read."""
    if padding is None:
        return images.batch(batch_size, drop_remainder=True)
    _, targets, _ = images.element_spec
    values = {name: tf.constant(padding[name], spec.dtype) for name, spec in targets.items()}
    return images.padded_batch(batch_size, padding_values=(0.0, values, False), drop_remainder=True)


def evaluation_batches(source, split, transforms, batch_size, unreadable, shard=(0, 1)):
    """Batches of a whole split in order, the last one filled up with images of weight 0.

    Args:
        source: A `Source`.
        split: `train`, `validation` or `test`.
        transforms: The `Transforms` of the task.
        batch_size: Images in a batch of this worker.
        unreadable: An `Unreadable`.
        shard: Index of this worker, and the number of workers. All have equally many batches.

    Returns:
        A `tf.data.Dataset` of images `[B, H, W, 3]`, float32 in 0..255, targets, and weights `[B]`:
        1, and 0 for filling and for unreadable images.
    """

    def load(encoded, target, name):
        image, target, readable = transforms.evaluation(encoded, target)
        return image, target, tf.cast(unreadable.watch(readable, name), tf.float32)

    images = source.read(split, shard=shard).map(load, num_parallel_calls=tf.data.AUTOTUNE)
    blank = tf.nest.map_structure(
        lambda spec: tf.zeros(spec.shape, spec.dtype), images.element_spec
    )
    filled = images.concatenate(tf.data.Dataset.from_tensors(blank).repeat())
    batches = filled.batch(batch_size, drop_remainder=True)
    return batches.take(evaluation_steps(source, split, batch_size * shard[1])).prefetch(
        tf.data.AUTOTUNE
    )


def whole_images(source, split, transforms, unreadable):
    """The readable images of a split in order, one by one, each as large as it is.

    Args:
        source, split, transforms, unreadable: As in `evaluation_batches`.

    Returns:
        A `tf.data.Dataset` of images `[H, W, 3]`, float32 in 0..255, and targets.
    """
    prepare = transforms.whole or transforms.evaluation

    def load(encoded, target, name):
        image, target, readable = prepare(encoded, target)
        return (image, target), unreadable.watch(readable, name)

    images = source.read(split).map(load, num_parallel_calls=tf.data.AUTOTUNE)
    readable = images.filter(lambda example, readable: readable)
    return readable.map(lambda example, readable: example).prefetch(tf.data.AUTOTUNE)


def evaluation_steps(source, split, batch_size):
    """Number of batches of `batch_size` images, over all workers, that hold a split."""
    return -(-source.counts[split] // batch_size)


def first_images(source, transforms, count):
    """The readable ones of the first `count` training images as in evaluation: arrays."""
    return _prepared(source.read("train").take(count), transforms, count)


def sample_images(source, transforms, count):
    """Up to `count` readable training images as in evaluation, always the same ones: arrays."""
    buffer = max(1, min(source.counts["train"], SHUFFLE_BUFFER))
    return _prepared(source.read("train", seed=0).shuffle(buffer, seed=0), transforms, count)


def _prepared(encoded, transforms, count):
    def load(encoded, target, name):
        image, _, readable = transforms.evaluation(encoded, target)
        return image, readable

    images = encoded.map(load).filter(lambda image, readable: readable).take(count)
    return [image for image, _ in images.as_numpy_iterator()]


def _seeds(seed, epoch):
    """Three seeds of an epoch: for the order, for single images, for batches."""
    words = np.random.SeedSequence([seed, epoch]).generate_state(3)
    return [int(word) for word in words.astype("int64")]


def _replace_unreadable(images, targets, readable):
    """Gives each unreadable image the place of the next readable one, if there is any."""
    good = tf.where(readable)[:, 0]

    def replace():
        places = tf.range(tf.size(readable, tf.int64))
        places = tf.gather(good, tf.searchsorted(good, places) % tf.size(good))
        return tf.nest.map_structure(lambda x: tf.gather(x, places), (images, targets))

    nothing_to_do = tf.reduce_all(readable) | ~tf.reduce_any(readable)
    return tf.cond(nothing_to_do, lambda: (images, targets), replace)
