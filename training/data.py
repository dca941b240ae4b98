"""Images and labels from TFDS to batches."""

import tensorflow as tf
import tensorflow_datasets as tfds

import training.datasets.digits  # noqa: F401 - registers the builder
from training.augmentation import make_augmentation
from training.cli import FlagError


def load_builder(recipe, data_dir):
    """Returns the TFDS builder of the recipe's data set, built on first use.

    Args:
        recipe: A `Recipe`.
        data_dir: Folder of TFDS data sets, or None for TFDS' own default.
    """
    builder = tfds.builder(recipe.dataset, data_dir=data_dir)
    builder.download_and_prepare()
    return builder


def training_batches(builder, recipe, seed):
    """Shuffled and augmented batches of the training split, an epoch of whole batches.

    Returns:
        A `tf.data.Dataset` of images `[B, S, S, 3]`, float in 0..255, and integer labels `[B]`.

    Raises:
        FlagError: If there is no whole batch.
    """
    count = builder.info.splits["train"].num_examples
    if recipe.batch_size > count:
        raise FlagError(
            f"argument --batch-size: {recipe.batch_size} images, but training has {count}"
        )
    images = _prepared(builder, "train", recipe.image_size).shuffle(count, seed=seed)
    batches = images.batch(recipe.batch_size, drop_remainder=True)
    augment = make_augmentation(recipe, seed)
    batches = batches.map(lambda image, label: (augment(image), label))
    # One call at a time: random numbers are then drawn in the order of the batches, run for run.
    options = tf.data.Options()
    options.experimental_optimization.map_parallelization = False
    return batches.with_options(options).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(builder, recipe, split):
    """Batches of a whole split in order, as `training_batches` gives them but not augmented."""
    images = _prepared(builder, split, recipe.image_size)
    return images.batch(recipe.batch_size).prefetch(tf.data.AUTOTUNE)


def evaluation_image(image, size):
    """Scales the short side of an image to `size` and crops the centre.

    Args:
        image: `[H, W, 1]` or `[H, W, 3]`, any real dtype, values in 0..255.
        size: Height and width of the result, in pixels.

    Returns:
        float32 `[size, size, 3]`.
    """
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    scale = size / tf.minimum(height, width)
    scaled = tf.cast(tf.round(tf.cast((height, width), scale.dtype) * scale), tf.int32)
    image = tf.image.resize(image, tf.maximum(scaled, size), antialias=True)
    image = tf.image.resize_with_crop_or_pad(image, size, size)
    return tf.broadcast_to(image, (size, size, 3))


def _prepared(builder, split, size):
    """The images of a split, decoded and sized, with their labels."""
    # Nothing here is cached in memory, by TFDS neither: under MirroredStrategy, TensorFlow 2.21
    # now and then ends a cached data set before its last elements, without an error.
    dataset = builder.as_dataset(
        split=split, as_supervised=True, read_config=tfds.ReadConfig(try_autocache=False)
    )
    return dataset.map(
        lambda image, label: (evaluation_image(image, size), label),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
