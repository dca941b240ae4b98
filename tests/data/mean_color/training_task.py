"""Regresses the mean color of an image: a task that only the tests have."""

import keras
import tensorflow as tf

from common.preparation import evaluation_image
from training.data.batches import Transforms
from training.data.decoding import decode
from training.tasks import Prediction, Task


def make_transforms(recipe, source):
    def example(encoded, label, seed=None, guarded=True):
        image, readable = decode(encoded, guarded=guarded)
        image = evaluation_image(image, recipe.image_size)
        return image, tf.reduce_mean(image, axis=(0, 1)) / 255.0, readable

    return Transforms(example, lambda images, colors, seed: (images, colors), example)


def make_network(recipe, source):
    image = keras.Input((recipe.image_size, recipe.image_size, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(8, 3, activation="relu", name="convolution")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pooling")(x)
    return keras.Model(image, keras.layers.Dense(3, name="color")(x), name="mean_color")


def loss(colors, targets):
    return tf.reduce_sum(tf.square(colors - targets), axis=1)


def predict(trained, images):
    size = trained.network.input_shape[1]
    batch = tf.stack([evaluation_image(image, size) for image in images])
    colors = trained.network.predict_on_batch(batch)
    return [Prediction([f"{color.round(3)}"]) for color in colors]


TASK = Task(make_transforms, make_network, loss, predict=predict)
