"""Augmentation of training batches. The only module that knows keras-cv."""

import keras_cv


def make_augmentation(recipe, seed):
    """Makes the random transformation of training images that `recipe` asks for.

    Args:
        recipe: A `Recipe`.
        seed: Integer seed, 0 or more.

    Returns:
        A function of a float batch `[B, H, W, C]` to one of the same shape, for `tf.data`. Every
        image is turned, shifted and scaled on its own; what comes in from outside is black.
    """
    turn = recipe.rotation / 360.0  # keras-cv counts in turns
    shift, zoom = recipe.translation, (-recipe.zoom, recipe.zoom)
    common = {"fill_mode": "constant", "fill_value": 0.0, "dtype": "float32"}
    first, second, third = (3 * seed + index for index in (1, 2, 3))  # keras-cv takes 0 for None
    layers = [
        keras_cv.layers.RandomRotation(turn, seed=first, **common),
        keras_cv.layers.RandomTranslation(shift, shift, seed=second, **common),
        keras_cv.layers.RandomZoom(zoom, zoom, seed=third, **common),
    ]

    def augment(images):
        for layer in layers:
            images = layer(images, training=True)
        return images

    return augment
