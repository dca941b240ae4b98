"""Augmentation of training images and batches. No other module of training knows keras-cv.

Everything is a function of its arguments and a seed, so that a resumed run draws what the
interrupted one would have drawn. keras-cv moves the images; how far is drawn here, because what its
layers draw comes from states that no checkpoint holds. Keras' own layers can be seeded, but are
several times slower than what is here (`python -m benchmarks.input_pipeline`).
"""

import math

import tensorflow as tf
from keras_cv.src.utils.preprocessing import transform

from training.data import rand_augment, strokes
from training.data.geometry import random_affine
from training.data.seeds import following

ERASED_AREA = (0.02, 1 / 3)
ERASED_ASPECT = (0.3, 1 / 0.3)
# ImageNet's pixels: erased rectangles become noise of this mean and deviation.
MEAN = (123.7, 116.3, 103.5)
DEVIATION = (58.4, 57.1, 57.4)
# Settings that move images, arguments of `random_affine`.
MOVES = ("rotation", "translation", "zoom", "slant", "stretch")
PARTS = 64  # of a batch, one after the other: see `_with_reverse`


def augment_image(image, seed, settings):
    """Augments one image before it is put into a batch.

    Args:
        image: float32 `[S, S, 3]`, values in 0..255.
        seed: Integer tensor `[2]`.
        settings: Settings of a task, such as `training.tasks.classify.Settings`.

    Returns:
        float32 `[S, S, 3]`, values in 0..255.
    """
    if not settings.rand_augment and not settings.erasing:
        return image
    shape = image.shape
    draws = tf.random.stateless_uniform((rand_augment.DRAWS + 5,), seed)
    if settings.rand_augment:
        image = rand_augment.rand_augment(image, draws[5:], settings.rand_augment)
    if settings.erasing:
        erased = draws[0] < settings.erasing
        image = tf.cond(erased, lambda: erase(image, draws[1:5], seed), lambda: image)
    return tf.ensure_shape(image, shape)


def erase(image, draws, seed):
    """Puts noise in place of a rectangle (Zhong et al. 2020, with timm's ranges).

    Args:
        image: float32 `[H, W, 3]`, values in 0..255.
        draws: float32 `[4]`, random numbers in [0, 1).
        seed: Integer tensor `[2]`, for the noise.

    Returns:
        float32 `[H, W, 3]`, values in 0..255.
    """
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    area = ERASED_AREA[0] + draws[0] * (ERASED_AREA[1] - ERASED_AREA[0])
    low, high = (math.log(aspect) for aspect in ERASED_ASPECT)
    aspect = tf.exp(low + draws[1] * (high - low))
    extent = tf.sqrt(area * tf.reduce_prod(size) * tf.stack([aspect, 1.0 / aspect]))
    extent = tf.clip_by_value(tf.round(extent), 1.0, size)
    begin = tf.cast(draws[2:] * (size - extent + 1.0), tf.int32)
    height, width = tf.unstack(tf.cast(extent, tf.int32))
    noise = tf.random.stateless_normal((height, width, 3), following(seed, 1)) * DEVIATION + MEAN
    return _paste(image[None], tf.clip_by_value(noise, 0.0, 255.0)[None], begin)[0]


def make_batch_augmentation(settings):
    """Makes the augmentation of whole batches.

    Args:
        settings: Settings of a task, such as `training.tasks.classify.Settings`.

    Returns:
        A function of images (float32 `[B, S, S, 3]`, values in 0..255), labels (float32
        `[B, classes]`, a distribution each) and a seed (integer tensor `[2]`) that returns images
        and labels of the same shapes.
    """
    moves = {name: getattr(settings, name) for name in MOVES}

    def augment_batch(images, labels, seed):
        if any(moves.values()):
            batch, height, width, _ = images.shape
            count = tf.shape(images)[0] if batch is None else batch
            transforms = random_affine(count, (height, width), seed, **moves)
            images = transform(images, transforms, fill_mode="constant", fill_value=0.0)
        if settings.stroke:
            images = strokes.change_width(images, following(seed, 1), settings.stroke)
        seed = following(seed, 2)
        if not settings.mixup or not settings.cutmix:
            method, alpha = (mixup, settings.mixup) if settings.mixup else (cutmix, settings.cutmix)
            return method(images, labels, seed, alpha) if alpha else (images, labels)
        return tf.cond(
            tf.random.stateless_uniform((), following(seed, 3)) < 0.5,
            lambda: mixup(images, labels, seed, settings.mixup),
            lambda: cutmix(images, labels, seed, settings.cutmix),
        )

    return augment_batch


def mixup(images, labels, seed, alpha):
    """Blends each image with one of the same batch (Zhang et al. 2018).

    As in timm's batch mode: all with the same share, and with the batch in reverse order.

    Args:
        images: float32 `[B, S, S, 3]`.
        labels: float32 `[B, classes]`.
        seed: Integer tensor `[2]`.
        alpha: Of the symmetric beta distribution of the share.

    Returns:
        Images and labels of the same shapes.
    """
    share = _beta(seed, alpha)
    blend = _blend(share)
    return _with_reverse(blend, images), blend(labels, tf.reverse(labels, [0]))


def cutmix(images, labels, seed, alpha):
    """Pastes into each image a rectangle of one of the same batch (Yun et al. 2019).

    As in timm's batch mode: the same rectangle for all, and from the batch in reverse order.

    Args:
        images: float32 `[B, S, S, 3]`.
        labels: float32 `[B, classes]`.
        seed: Integer tensor `[2]`.
        alpha: Of the symmetric beta distribution of the share that is kept.

    Returns:
        Images and labels of the same shapes.
    """
    size = tf.cast(tf.shape(images)[1:3], tf.float32)
    extent = size * tf.sqrt(1.0 - _beta(seed, alpha))
    center = tf.random.stateless_uniform((2,), following(seed, 1)) * size
    begin = tf.cast(tf.maximum(tf.round(center - extent / 2), 0.0), tf.int32)
    end = tf.cast(tf.minimum(tf.round(center + extent / 2), size), tf.int32)

    def paste(images, others):
        return _paste(images, others[:, begin[0] : end[0], begin[1] : end[1]], begin)

    share = 1.0 - tf.cast(tf.reduce_prod(end - begin), tf.float32) / tf.reduce_prod(size)
    return _with_reverse(paste, images), _blend(share)(labels, tf.reverse(labels, [0]))


def _beta(seed, alpha):
    """A number of the beta distribution with both parameters `alpha`."""
    one, other = tf.unstack(tf.random.stateless_gamma((2,), seed, alpha))
    # Both are 0 at times for a small alpha; the distribution is then nearly that of a coin.
    return tf.math.divide_no_nan(one, one + other)


def _blend(share):
    return lambda batch, other: share * batch + (1.0 - share) * other


def _with_reverse(function, batch):
    """`function(batch, the batch in reverse order)`, a few images at a time.

    Tensors of more than 32 MB come fresh from the system whenever they are made, which takes longer
    than to fill them.
    """
    size = batch.shape[0]
    step = -(-size // PARTS)
    parts = []
    for begin in range(0, size, step):
        end = min(begin + step, size)
        others = tf.reverse(batch[size - end : size - begin], [0])
        parts.append(function(batch[begin:end], others))
    return tf.concat(parts, axis=0)


def _paste(images, patch, begin):
    """`images` with `patch`, `[B, h, w, 3]`, at `begin`, `[y, x]`. Copying is faster than masks."""
    y, x = tf.unstack(begin)
    height, width = tf.shape(patch)[1], tf.shape(patch)[2]
    rows = images[:, y : y + height]
    rows = tf.concat([rows[:, :, :x], patch, rows[:, :, x + width :]], axis=2)
    pasted = tf.concat([images[:, :y], rows, images[:, y + height :]], axis=1)
    return tf.ensure_shape(pasted, images.shape)
