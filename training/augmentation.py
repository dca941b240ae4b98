"""Augmentation of training batches. The only module that knows keras-cv.

Everything is a function of its arguments and a seed, so that a resumed run draws what the
interrupted one would have drawn. keras-cv's Mixup, CutMix and cut-out cannot be seeded in that way
(`tf.random.gamma`, `tf.random.shuffle`); Keras' own layers can, and stand in for them.
"""

import keras
import keras_cv
import tensorflow as tf

from training.rand_augment import rand_augment

ERASED_AREA = (0.02, 1 / 3)
ERASED_TO = (124, 116, 104)  # ImageNet's mean colour


def augment_image(image, seed, recipe):
    """Augments one image before it is put into a batch.

    Args:
        image: float32 `[S, S, 3]`, values in 0..255.
        seed: Integer tensor `[2]`.
        recipe: A `Recipe`.

    Returns:
        float32 `[S, S, 3]`, values in 0..255.
    """
    if recipe.rand_augment:
        image = rand_augment(image, seed, recipe.rand_augment)
    return image


def make_batch_augmentation(recipe):
    """Makes the augmentation of whole batches.

    Args:
        recipe: A `Recipe`.

    Returns:
        A function of images (float32 `[B, S, S, 3]`, values in 0..255), labels (float32
        `[B, classes]`, a distribution each) and a seed (integer tensor `[2]`) that returns images
        and labels of the same shapes.
    """
    # Made here, not in the function: they hold variables, which `tf.data` does not let it make.
    movements, erasing, mixes = _movements(recipe), _erasing(recipe), _mixes(recipe)

    def augment_batch(images, labels, seed):
        draws = Draws(seed)
        for layer in movements:
            layer._random_generator = draws  # instead of a `tf.random.Generator`
            images = layer(images, training=True)
        for layer in erasing:
            images, labels = _apply(layer, images, labels, draws)
        if len(mixes) == 2:
            first, second = (
                lambda layer=layer: _apply(layer, images, labels, draws) for layer in mixes
            )
            return tf.cond(draws.uniform((), 0.0, 1.0) < 0.5, first, second)
        for layer in mixes:
            images, labels = _apply(layer, images, labels, draws)
        return images, labels

    return augment_batch


class Draws(keras.random.SeedGenerator):
    """Random numbers that a seed tensor decides, for the layers of Keras and keras-cv.

    Args:
        seed: Integer tensor `[2]`.
    """

    def __init__(self, seed):
        # Not Keras' own: that makes a variable, whose value is not a function of the seed.
        self.seed = seed
        self.count = 0

    def next(self, ordered=True):
        """What `keras.random` asks a `SeedGenerator` for."""
        self.count += 1
        return tf.random.experimental.stateless_fold_in(self.seed, self.count)

    def uniform(self, shape, minval, maxval, dtype=tf.float32):
        """What keras-cv's layers ask a `tf.random.Generator` for."""
        return tf.random.stateless_uniform(shape, self.next(), minval, maxval, dtype)


def _movements(recipe):
    """keras-cv's layers that turn, shift and scale each image of a batch; outside is black."""
    common = {"fill_mode": "constant", "fill_value": 0.0, "dtype": "float32", "seed": 1}
    layers = []
    if recipe.rotation:
        turn = recipe.rotation / 360.0  # keras-cv counts in turns
        layers.append(keras_cv.layers.RandomRotation(turn, **common))
    if recipe.translation:
        shift = recipe.translation
        layers.append(keras_cv.layers.RandomTranslation(shift, shift, **common))
    if recipe.zoom:
        layers.append(keras_cv.layers.RandomZoom((-recipe.zoom, recipe.zoom), **common))
    return layers


def _erasing(recipe):
    """Keras' layer that erases a rectangle of some images."""
    if not recipe.erasing:
        return []
    options = {"scale": ERASED_AREA, "fill_value": ERASED_TO, "dtype": "float32"}
    return [keras.layers.RandomErasing((recipe.erasing, recipe.erasing), **options)]


def _mixes(recipe):
    """Keras' layers that mix the images of a batch; with both, a batch takes one at random."""
    layers = []
    if recipe.mixup:
        layers.append(keras.layers.MixUp(recipe.mixup, dtype="float32"))
    if recipe.cutmix:
        layers.append(keras.layers.CutMix((recipe.cutmix, recipe.cutmix), dtype="float32"))
    return layers


def _apply(layer, images, labels, draws):
    change = layer.get_random_transformation(images, training=True, seed=draws)
    return (
        layer.transform_images(images, change, training=True),
        layer.transform_labels(labels, change, training=True),
    )
